"""Values that several event types share."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from liminal.log.event import Part
from liminal.log.personal import Personal

Text = Annotated[str, Personal]
"""Text that people wrote or that tells about them."""

Json = Annotated[JsonValue, Personal]
"""Any JSON value that may hold what people wrote."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", examples=["9f86d081884c7d65" * 4])]
"""A SHA-256 digest in lower-case hex."""

Slug = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9._-]{0,199}$")]
"""A short machine-readable name, or a UUID."""

Version = Annotated[int, Field(ge=1)]
"""A version number; the first is 1."""

Probability = Annotated[float, Field(ge=0, le=1)]

Scope = Literal["user", "tenant"]
"""Whether something belongs to one account or to a whole tenant."""

By = Literal["user", "admin", "rule", "system"]
"""Who decided: the owner, an administrator, a standing rule, or the system itself."""


class BlobRef(Part):
    """A payload in the blob store."""

    hash: Sha256
    """Its content address."""
    size: Annotated[int, Field(ge=0)]
    """Its length in bytes."""


class AdapterUse(Part):
    """One adapter's share in an answer."""

    adapter_id: UUID
    """The adapter."""
    name: str
    """Its name at the time."""
    version: Version
    """Which version answered."""
    gate: float
    """Weight of the adapter in the mixture."""
    content_hash: Sha256
    """Hash of the adapter's weights."""


class RuleFired(Part):
    """What one rule of the routing policy did."""

    rule: str
    """Name of the rule in the policy; ``guards`` for a guard-rail, ``request`` for the person's choice."""
    action: str
    """activate, deactivate, scale, set_gate, choose_backend, add_instruction, drop_instruction or
    require_context."""
    target: str | None = None
    """What it did it to: an adapter, a backend, a context, or where an instruction comes from."""
    value: float | None = None
    """The number it set or scaled by."""


class Usage(Part):
    """Tokens counted by the model's own tokenizer."""

    prompt_tokens: Annotated[int, Field(ge=0)]
    """Tokens of the prompt."""
    completion_tokens: Annotated[int, Field(ge=0)]
    """Tokens of the answer."""
    cached_tokens: Annotated[int, Field(ge=0)] = 0
    """Tokens of the prompt that came from the prefix cache."""

"""What a routing decision is made from: everything that a policy can ask about one turn.

A decision is a function of the policy and of these facts alone, and the facts are recorded with the turn: so
another policy can be tried on a past turn with what was known then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue


class Fact(BaseModel):
    """A part of the facts."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Candidate(Fact):
    """An adapter that may take part: it passed its gate, and is the account's or its tenant's own."""

    adapter_id: UUID
    name: str
    kind: Literal["persona", "skill", "imported"]
    scope: Literal["user", "tenant"]
    version: int
    content_hash: str
    skill_id: UUID | None = None
    label: str = ""


class Wish(Fact):
    """Something that the person asked for in words.

    Attributes:
        source: ``rules``, ``preferences`` or ``custom_instructions``, as policies name it.
        origin: what the trace names: ``feedback:<id>``, ``preference:<id>``, ``setting:custom_instructions``.
        text: the instruction as the model reads it.
    """

    source: Literal["rules", "preferences", "custom_instructions"]
    origin: str
    text: str


class Measured(Fact):
    """What needs the question's embedding.

    Attributes:
        similarities: cosine to each centroid, by skill id and by cluster id.
        labels: ids by label, for expressions that name a cluster in words.
        cluster: label of the nearest cluster, empty where there is none.
        whole: all clusters were looked at, not only those of the adapters that may serve.
    """

    similarities: dict[str, float] = {}
    labels: dict[str, list[str]] = {}
    cluster: str = ""
    whole: bool = False


class Facts(Fact):
    """One turn.

    Attributes:
        question: the words to answer; not recorded, the message has them.
        asked: a mixture that was asked for by name.
        centres: centroids that the question can be measured against.
        measured: None while nothing asked for an embedding.
    """

    account: str
    tenant: str
    asked_at: datetime
    question: str = ""
    without_learning: bool = False
    asked: dict[str, float] | None = None
    candidates: tuple[Candidate, ...] = ()
    wishes: tuple[Wish, ...] = ()
    settings: Mapping[str, JsonValue] = {}
    centres: int = 0
    measured: Measured | None = None

    def recorded(self) -> dict[str, Any]:
        """The facts as they lie on the log, encrypted with the account's key."""
        return self.model_dump(mode="json", exclude={"question"}, exclude_none=True)

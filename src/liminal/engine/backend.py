"""What answers: the engine here, or an endpoint elsewhere, behind one protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

from liminal.engine.request import Delta, Message, Request


class Backend(Protocol):
    """Something that generates. What it cannot do raises CapabilityMissing; nothing is imitated."""

    @property
    def kind(self) -> Literal["jax", "openai"]:
        """Which implementation this is."""
        ...

    @property
    def model(self) -> str:
        """The name of the base model, for traces and lists."""
        ...

    @property
    def context_length(self) -> int:
        """Most tokens of a prompt and its answer together."""
        ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens that the prompt made of these messages has (never fewer than it has)."""
        ...

    def generate(self, request: Request) -> AsyncIterator[Delta]:
        """Stream the answers of a request. Leaving the iteration early cancels what is left."""
        ...

    async def aclose(self) -> None:
        """Let go of threads and connections."""
        ...

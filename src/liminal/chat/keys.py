"""What Redis holds of turns, by name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

STREAM_TTL = 3600
"""Seconds that a turn's frames stay after its last one; later, a client reads the history instead."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The Redis keys of turns; a namespace for each installation that shares a server."""

    namespace: str

    def frames(self, turn_id: UUID) -> str:
        """The stream of a turn's frames."""
        return f"{self.namespace}:turn:{turn_id}"

    def epoch(self, turn_id: UUID) -> str:
        """How many workers have taken the turn; the last one may write."""
        return f"{self.namespace}:turn:{turn_id}:epoch"

    def cancel(self, turn_id: UUID) -> str:
        """Set when the turn is to be stopped, for a worker that has not begun it yet."""
        return f"{self.namespace}:turn:{turn_id}:cancel"

    def owner(self, turn_id: UUID) -> str:
        """Whose turn it is: account and tenant."""
        return f"{self.namespace}:turn:{turn_id}:owner"

    def begun(self, turn_id: UUID) -> str:
        """Set by the command that began the turn, so that its repetition is recognised."""
        return f"{self.namespace}:turn:{turn_id}:begun"

    @property
    def waiting(self) -> str:
        """The turns that were taken and have no token yet, by the second they were taken at."""
        return f"{self.namespace}:waiting"

    @property
    def answering(self) -> str:
        """The turns that were asked for and have not ended, by the second that was first known at.

        Also the channel on which is said that one began or ended.
        """
        return f"{self.namespace}:answering"

    @property
    def cancel_channel(self) -> str:
        """Where the workers hear of turns to stop."""
        return f"{self.namespace}:cancel"

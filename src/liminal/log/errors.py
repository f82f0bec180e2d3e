"""What can go wrong between a caller and the log; every class has a stable ``code``."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from liminal.errors import LiminalError


class LogError(LiminalError):
    """Root of the log's errors."""

    code: ClassVar[str] = "log"


class MalformedEvent(LogError):
    """The event does not fit its type; ``details["path"]`` names the field. Nothing was written."""

    code: ClassVar[str] = "event_malformed"


class UnknownEvent(LogError):
    """No event of this type and version is registered."""

    code: ClassVar[str] = "event_unknown"


class EventTooLarge(LogError):
    """The encoded event is over the limit; large payloads belong in the blob store."""

    code: ClassVar[str] = "event_too_large"


class BrokerUnavailable(LogError):
    """No broker answered within the time limit. Nothing was written: the caller may retry."""

    code: ClassVar[str] = "broker_unavailable"


class AppendUnknown(LogError):
    """The event was handed to the broker but no answer came in time: it may or may not be on the log.

    ``details["event_id"]`` names the event. Appending again with ``Meta(id=...)`` set to that id is
    safe: readers count an event id once.
    """

    code: ClassVar[str] = "append_unknown"


class AppendRefused(LogError):
    """The broker refused the event for good. Nothing was written."""

    code: ClassVar[str] = "append_refused"


class TopicContractBroken(LogError):
    """The topic is not what the log needs; ``details["setting"]`` names the first setting that differs."""

    code: ClassVar[str] = "topic_contract"


class UndecodableRecord(LogError):
    """A record of the topic is not a valid event; ``details["position"]`` says where it is."""

    code: ClassVar[str] = "record_undecodable"


class ImportRefused(LogError):
    """A line of an import is not a valid event; ``details["line"]`` is its number, from 1."""

    code: ClassVar[str] = "import_refused"


class Stale(LogError):
    """The read models did not reach the position in time."""

    code: ClassVar[str] = "stale"


class VersionConflict(LogError):
    """Another event took this version of the stream first; ``actual`` is the stream's version now."""

    code: ClassVar[str] = "version_conflict"

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(
            f"{stream} is at version {actual}, not at the expected {expected}",
            stream=stream,
            expected=expected,
            actual=actual,
        )
        self.stream = stream
        self.expected = expected
        self.actual = actual


class ClaimTaken(LogError):
    """Somebody else holds the claimed value."""

    code: ClassVar[str] = "claim_taken"

    def __init__(self, kind: str, claim: str) -> None:
        super().__init__(f"this {kind} is already taken", kind=kind, claim=claim)
        self.kind = kind
        self.claim = claim


def unknown_event(name: str, event_id: UUID | str | None = None) -> UnknownEvent:
    """The error for a type (or type.vN) that the registry does not hold."""
    return UnknownEvent(f"no event {name!r} is registered", event=name, event_id=event_id and str(event_id))

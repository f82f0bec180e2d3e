"""The log: one Kafka topic of immutable events, and everything that writes it or reads it raw."""

from liminal.log.claims import Claim
from liminal.log.decode import Decoder, Flat, decode_record
from liminal.log.envelope import Meta
from liminal.log.errors import (
    AppendRefused,
    AppendUnknown,
    BrokerUnavailable,
    ClaimTaken,
    EventTooLarge,
    LogError,
    MalformedEvent,
    Stale,
    TopicContractBroken,
    UndecodableRecord,
    UnknownEvent,
    VersionConflict,
)
from liminal.log.ids import derived_id, new_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.topic import ensure_topic

__all__ = [
    "AppendRefused",
    "AppendUnknown",
    "BrokerUnavailable",
    "Claim",
    "ClaimTaken",
    "Decoder",
    "EventTooLarge",
    "Flat",
    "Log",
    "LogError",
    "MalformedEvent",
    "Meta",
    "Position",
    "Stale",
    "TopicContractBroken",
    "UndecodableRecord",
    "UnknownEvent",
    "VersionConflict",
    "decode_record",
    "derived_id",
    "ensure_topic",
    "new_id",
]

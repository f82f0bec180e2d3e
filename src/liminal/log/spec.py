"""The AsyncAPI document of the log, made by FastStream from the registry."""

from __future__ import annotations

from typing import Any

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from liminal.log.events import event_types
from liminal.settings import Settings

HEADERS: dict[str, str] = {
    "ce_specversion": "CloudEvents version: 1.0.",
    "ce_id": "UUID of the event; a reader counts an id once.",
    "ce_type": "Event type.",
    "ce_source": "What appended it.",
    "ce_subject": "Stream: <category>-<id>.",
    "ce_time": "When it happened (RFC 3339, UTC).",
    "ce_dataschema": "Type and version of the data: <type>.v<N>.",
    "content-type": "application/json",
    "ce_tenant": "Tenant that it belongs to.",
    "ce_actor": "Who caused it.",
    "ce_causation": "Id of the event that it follows from, when there is one.",
    "ce_correlation": "Id shared by everything that one command set off, when there is one.",
    "ce_expectedversion": "Version of the stream that it was written against, when it may not race.",
}
OPTIONAL = frozenset({"ce_causation", "ce_correlation", "ce_expectedversion"})


def make_spec(settings: Settings) -> dict[str, Any]:
    """The document (AsyncAPI 3.0): one channel for each type and version, all on the one topic."""
    broker = KafkaBroker((settings.kafka_bootstrap_servers or "localhost:9092").split(","))
    for event in event_types().values():
        broker.publisher(settings.topic, title=event.dataschema(), description=event.__doc__, schema=event)
    document = AsyncAPI(
        broker,
        title="liminal",
        version="1",
        description="The log: CloudEvents 1.0 in Kafka's binary mode, keyed by owner.",
    )
    found: dict[str, Any] = document.to_specification().to_jsonable()
    headers = {
        "type": "object",
        "properties": {name: {"type": "string", "description": text} for name, text in HEADERS.items()},
        "required": [name for name in HEADERS if name not in OPTIONAL],
    }
    for message in found["components"]["messages"].values():
        message["headers"] = headers
        message["correlationId"] = {"location": "$message.header#/ce_correlation"}
    for name in ("channels", "operations"):
        found[name] = dict(sorted(found[name].items()))
    found["components"] = {name: dict(sorted(part.items())) for name, part in found["components"].items()}
    return found

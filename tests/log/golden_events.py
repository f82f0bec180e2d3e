"""Golden events: one record of every type and version as it lies on the log, and what it decodes to.

    python tests/log/golden_events.py

makes those that are missing. A record is made once and never again: it stands for what is on people's logs.
What it decodes to changes only with a new version of its type, and then this command writes it anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from liminal.log.decode import decode_record
from liminal.log.envelope import Meta, seal_event
from liminal.log.event import Event
from liminal.log.events import event_types
from liminal.storage.vault import DataKey

FOLDER = Path(__file__).parents[1] / "fixtures" / "events"
OWNER = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3"
KEY = DataKey(hashlib.sha256(b"the key of all golden events").digest())
TIME = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
OPTION = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


@dataclass(frozen=True)
class Golden:
    """A record with what aiokafka's has of it."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    partition: int = 2
    offset: int = 42


def read_golden(path: Path) -> tuple[Golden, dict[str, Any]]:
    """The record and what it must decode to."""
    found = orjson.loads(path.read_bytes())
    headers = tuple((name, value.encode()) for name, value in found["headers"])
    return Golden(found["key"].encode(), found["value"].encode(), headers), found["flat"]


def decode_golden(record: Golden) -> dict[str, Any]:
    """What it decodes to now."""
    return decode_record(record, {OWNER: KEY})


def make_golden(event: type[Event]) -> Golden:
    """A record of this type and version with every field filled."""
    schema = event.model_json_schema()
    data = {name: example(node, schema, name) for name, node in schema.get("properties", {}).items()}
    name = event.dataschema()
    envelope = seal_event(
        event.model_validate(data),
        Meta(
            owner=OWNER,
            tenant="acme",
            actor=OWNER,
            stream=f"{event.category}-{uuid5(NAMESPACE_URL, name)}",
            causation=uuid5(NAMESPACE_URL, "cause"),
            correlation=uuid5(NAMESPACE_URL, "command"),
            time=TIME,
        ),
        uuid5(NAMESPACE_URL, f"id of {name}"),
        key=KEY,
        source="golden",
        expected_version=3,
    )
    return Golden(envelope.key, envelope.value, tuple(envelope.headers))


def example(node: dict[str, Any], schema: dict[str, Any], path: str) -> Any:
    """A value that a JSON Schema allows, the same for the same path."""
    if "x-plaintext" in node:
        return example(node["x-plaintext"], schema, path)
    if "$ref" in node:
        return example(schema["$defs"][node["$ref"].rpartition("/")[2]], schema, path)
    if "anyOf" in node:
        return example(node["anyOf"][0], schema, path)
    if "enum" in node:
        return node["enum"][0]
    if "const" in node:
        return node["const"]
    if "type" not in node:
        return {"any": ["JSON", 1, 2.5, True, None, path]}
    return EXAMPLES[node["type"]](node, schema, path)


def _object(node: dict[str, Any], schema: dict[str, Any], path: str) -> dict[str, Any]:
    if "properties" in node:
        return {name: example(child, schema, f"{path}.{name}") for name, child in node["properties"].items()}
    return {"one": example(node.get("additionalProperties") or {}, schema, f"{path}.one")}


def _string(node: dict[str, Any], _: dict[str, Any], path: str) -> str:
    if node.get("format") == "uuid":
        return str(uuid5(NAMESPACE_URL, path))
    if node.get("format") == "date-time":
        return TIME.isoformat()
    if "{64}" in node.get("pattern", ""):
        return hashlib.sha256(path.encode()).hexdigest()
    return "a.slug" if "pattern" in node else f"Grüße, „{path}“ 👋"


EXAMPLES: dict[str, Any] = {
    "object": _object,
    "array": lambda node, schema, path: [example(node["items"], schema, f"{path}.0")],
    "string": _string,
    "integer": lambda node, *_: int(node.get("minimum", 7)),
    "number": lambda *_: 0.5,
    "boolean": lambda *_: True,
    "null": lambda *_: None,
}


def main() -> None:
    """Make what is missing, and write what every record decodes to."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for event in event_types().values():
        path = FOLDER / f"{event.dataschema()}.json"
        record = read_golden(path)[0] if path.exists() else make_golden(event)
        found = {
            "key": record.key.decode(),
            "headers": [[name, value.decode()] for name, value in record.headers],
            "value": record.value.decode(),
            "flat": decode_golden(record),
        }
        path.write_bytes(orjson.dumps(found, option=OPTION))


if __name__ == "__main__":
    main()

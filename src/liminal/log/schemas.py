"""The public contract: one JSON Schema per event type and version in schemas/, made from the registry.

The schema says what lies on the log: a personal field is a sealed string there, and ``x-plaintext`` says what
is inside. ``schemas/published.json`` holds the digest of every version that has left the house; such a
version never changes again, and a change needs a new version and an upcaster.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson

from liminal.log.errors import LogError
from liminal.log.event import Event
from liminal.log.events import event_types

PUBLISHED = "published.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas_folder() -> Path:
    """The folder ``schemas`` of the checkout. Raises LogError where liminal is installed without one."""
    folder = Path(__file__).parents[3] / "schemas"
    if not folder.is_dir():
        raise LogError("there is no folder schemas here; run this in a checkout of liminal")
    return folder


def schema_of(event: type[Event]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the data of one type and version as it lies on the log."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:liminal:event:{event.dataschema()}",
        "x-type": event.type,
        "x-version": event.version,
        "x-streams": sorted(event.categories()),
        **event.model_json_schema(),
    }


def make_schemas() -> dict[str, bytes]:
    """Every schema file by name, as it should be."""
    return {
        f"{event.dataschema()}.json": orjson.dumps(
            schema_of(event), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
        for event in event_types().values()
    }


def find_differences(folder: Path) -> list[str]:
    """What is wrong with the folder, a sentence each; empty when it says what the code says."""
    wanted = make_schemas()
    there = {file.name: file.read_bytes() for file in folder.glob("*.v*.json")}
    found = [
        f"{name} is missing: write it with `liminal log schemas --write`" for name in wanted.keys() - there
    ]
    found += [f"{name} has no event type" for name in there.keys() - wanted]
    published = read_published(folder)
    for name, schema in wanted.items():
        digest = published.get(name.removesuffix(".json"))
        if digest is not None and digest != digest_of(schema):
            found.append(_changed(name))
        elif name in there and there[name] != schema:
            found.append(f"{name} is not what the code says: write it with `liminal log schemas --write`")
    found += [
        f"{name} was published and its event type is gone" for name in published.keys() - _names(wanted)
    ]
    return sorted(found)


def write_schemas(folder: Path) -> list[str]:
    """Write what differs; returns the names. Raises LogError, and writes nothing, for a published version."""
    wanted, published = make_schemas(), read_published(folder)
    for name, schema in wanted.items():
        if published.get(name.removesuffix(".json"), digest_of(schema)) != digest_of(schema):
            raise LogError(_changed(name))
    if gone := published.keys() - _names(wanted):
        raise LogError(f"published event types are gone: {', '.join(sorted(gone))}")
    for file in folder.glob("*.v*.json"):
        if file.name not in wanted:
            file.unlink()
    changed = [n for n, s in wanted.items() if not (folder / n).exists() or (folder / n).read_bytes() != s]
    for name in changed:
        (folder / name).write_bytes(wanted[name])
    return sorted(changed)


def publish_schemas(folder: Path) -> list[str]:
    """Write the schemas and fix every version for good; returns the names that were not published before."""
    write_schemas(folder)
    published = read_published(folder)
    fresh = {name.removesuffix(".json"): digest_of(schema) for name, schema in make_schemas().items()}
    option = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    (folder / PUBLISHED).write_bytes(orjson.dumps({**fresh, **published}, option=option))
    return sorted(fresh.keys() - published)


def read_published(folder: Path) -> dict[str, str]:
    """Digest of each published version by its name ``type.vN``."""
    file = folder / PUBLISHED
    return orjson.loads(file.read_bytes()) if file.exists() else {}


def digest_of(schema: bytes) -> str:
    """SHA-256 in hex of a schema's meaning: its prose may be put better, nothing else may change."""
    return hashlib.sha256(
        orjson.dumps(_without_prose(orjson.loads(schema)), option=orjson.OPT_SORT_KEYS)
    ).hexdigest()


def _without_prose(node: Any, *, names: bool = False) -> Any:
    """``node`` without its prose; ``names`` says that the keys of this dict are names of fields."""
    if isinstance(node, list):
        return [_without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_prose(value, names=key in ("properties", "$defs") and not names)
        for key, value in node.items()
        if names or key not in ("description", "title", "examples")
    }


def _names(wanted: dict[str, bytes]) -> set[str]:
    return {name.removesuffix(".json") for name in wanted}


def _changed(name: str) -> str:
    version = name.removesuffix(".json")
    return (
        f"{version} was published and may not change: leave it as it was, and add a class of the next "
        "version with an upcaster from this one"
    )

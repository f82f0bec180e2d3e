"""Event sequences made from the registry's own schemas: valid, and as odd as valid events can be.

Ids come from small pools that belong to an owner, so that events meet on rows, before they are created and
after they are deleted, twice, and in any order; an owner's events stay in one partition, as on the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from hypothesis import strategies as st

from liminal.log.decode import Flat
from liminal.log.events import event_class, event_types

PARTITIONS = 2
OWNERS = tuple(uuid5(NAMESPACE_URL, f"owner {number}") for number in range(4))
TIMES = tuple(f"2026-11-{day:02}T23:59:59.9{day:02}Z" for day in (3, 4, 5))
TEXTS = ("", "Ada", "100%_\\", "naïve ✓", "a\0b", "\\u0000", "'); DROP TABLE messages; --")
JSONS: tuple[Any, ...] = (None, 1, "x\0y", [], {}, {"a": None, "b": {"c": [1, "ü"]}}, {"a": True}, [None])


@dataclass(frozen=True)
class Owner:
    """Whose events, and whether their key is gone, so that nothing personal can be read."""

    id: UUID
    erased: bool

    def an_id(self, name: str, number: int) -> UUID:
        """The nth thing of a kind that is this owner's."""
        return uuid5(self.id, f"{name} {number}")


def events_of(kinds: Sequence[str], *, erasable: bool = True) -> st.SearchStrategy[list[Flat]]:
    """Sequences of events of these types; offsets count up within each partition."""
    flags = st.booleans() if erasable else st.just(False)
    owners = st.tuples(*(flags for _ in OWNERS)).map(
        lambda erased: [Owner(owner, gone) for owner, gone in zip(OWNERS, erased, strict=True)]
    )
    return owners.flatmap(lambda people: st.lists(_event(tuple(kinds), tuple(people)), max_size=24)).map(
        _placed
    )


def _placed(events: list[Flat]) -> list[Flat]:
    ends = [0] * PARTITIONS
    for event in events:
        partition = OWNERS.index(UUID(event["_owner"])) % PARTITIONS
        # offsets are not contiguous on a real log
        ends[partition] += 1 + event.pop("_gap")
        event["_partition"], event["_offset"] = partition, ends[partition]
    return events


@st.composite
def _event(draw: st.DrawFn, kinds: tuple[str, ...], people: tuple[Owner, ...]) -> Flat:
    owner = draw(st.sampled_from(people))
    kind = draw(st.sampled_from(kinds))
    event: Flat = {
        name: value
        for name, value in draw(_data(kind, owner)).items()
        if value is not None  # so does the log
    }
    category = draw(st.sampled_from(sorted(event_class(kind).categories())))
    number = draw(st.integers(0, 1))
    event.update(
        _gap=draw(st.integers(0, 2)),
        _id=str(owner.an_id("event", draw(st.integers(0, 30)))),
        _type=kind,
        _time=draw(st.sampled_from(TIMES)),
        _stream=f"{category}-{owner.an_id(category, number)}",
        _owner=str(owner.id),
        _tenant="acme",
        _actor=str(owner.id),
        _causation=None,
        _correlation=None,
        _expected=draw(st.none() | st.none() | st.integers(0, 3)),
    )
    return event


@cache
def _data(kind: str, owner: Owner) -> st.SearchStrategy[dict[str, Any]]:
    schema = event_class(kind).model_json_schema()
    return _value(schema, schema.get("$defs", {}), owner, kind)


def _value(node: dict[str, Any], defs: dict[str, Any], owner: Owner, name: str) -> st.SearchStrategy[Any]:
    if node.get("x-personal"):
        if owner.erased:
            return st.none()
        return _value(node["x-plaintext"], defs, owner, name)
    if "$ref" in node:
        return _value(defs[node["$ref"].rpartition("/")[2]], defs, owner, name)
    if "anyOf" in node:
        return st.one_of(*(_value(choice, defs, owner, name) for choice in node["anyOf"]))
    if "enum" in node or "const" in node:
        return st.sampled_from(node.get("enum", [node.get("const")]))
    match node.get("type"):
        case "object":
            return _members(node, defs, owner)
        case "array":
            return st.lists(_value(node["items"], defs, owner, name.removesuffix("s")), max_size=3)
        case "string":
            return _text(node, owner, name)
        case "integer":
            return st.integers(max(node.get("minimum", -3), -3), 3)
        case "number":
            return st.sampled_from([0.0, 0.25, 1.0])
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case _:
            return st.sampled_from(JSONS)


def _members(node: dict[str, Any], defs: dict[str, Any], owner: Owner) -> st.SearchStrategy[dict[str, Any]]:
    properties = node.get("properties", {})
    required = set(node.get("required", ()))
    made = {name: _value(child, defs, owner, name) for name, child in properties.items()}
    return st.fixed_dictionaries(
        {name: made[name] for name in properties if name in required},
        optional={name: made[name] for name in properties if name not in required},
    )


def _text(node: dict[str, Any], owner: Owner, name: str) -> st.SearchStrategy[str]:
    number = st.integers(0, 1)
    if node.get("format") == "uuid":
        if name == "account_id":
            return st.just(str(owner.id))
        noun = name.removesuffix("_id").split("_")[-1]
        return number.map(lambda n: str(owner.an_id(noun, n)))
    if node.get("format") == "date-time":
        return st.sampled_from(TIMES)
    if "64" in node.get("pattern", ""):
        return number.map(lambda n: hashlib.sha256(f"{owner.id} {n}".encode()).hexdigest())
    if "pattern" in node:
        return number.map(lambda n: f"thing.{n}")
    if name == "subject":
        things = ("conversation", "feedback", "file")
        return st.sampled_from([str(owner.id), *(str(owner.an_id(thing, 0)) for thing in things)])
    if name in ("tenant_id", "holder"):
        return st.just(f"{name} of {owner.id}")
    return st.sampled_from(TEXTS)


def kinds_for(folds: frozenset[str]) -> list[str]:
    """Event types to try on a read model with these folds: its own, and some that it does not know."""
    own = sorted(kind for kind in folds if not kind.startswith("_"))
    every = sorted({kind for kind, _ in event_types()})
    return own + every[:: max(1, len(every) // 4)] if own else every[::6]

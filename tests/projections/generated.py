"""Event sequences made from the registry's own schemas: valid, and as odd as valid events can be.

Ids come from small pools that belong to an owner, so that events meet on rows, before they are created and
after they are deleted, twice, and in any order; an owner's events stay in one partition, as on the log.
Hypothesis chooses length and seed; a plain generator draws the rest, which spreads wider in few examples.
"""

from __future__ import annotations

import copy
import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from hypothesis import strategies as st

from liminal.log.decode import Flat
from liminal.log.events import event_class, event_types
from liminal.log.personal import personal_fields
from liminal.log.seal import rewrite
from liminal.projector.definition import Definition
from liminal.projector.event import Event

PARTITIONS = 2
OWNERS = tuple(uuid5(NAMESPACE_URL, f"owner {number}") for number in range(2))
TIMES = tuple(f"2026-11-{day:02}T23:59:59.9{day:02}Z" for day in (3, 4, 5))
TEXTS = ("", "Ada", "100%_\\", "naïve ✓", "a\0b", "\\u0000", "'); DROP TABLE messages; --")
JSONS: tuple[Any, ...] = (None, 1, "x\0y", [], {}, {"a": None, "b": {"c": [1, "ü"]}}, {"a": True}, [None])


@dataclass(frozen=True)
class Draw:
    """Draws one owner's values. ``erased``: their key is gone, so nothing personal can be read."""

    dice: random.Random
    owner: UUID
    erased: bool = False

    def an_id(self, noun: str, among: int = 2) -> str:
        """One of the few things of a kind that are this owner's."""
        return str(uuid5(self.owner, f"{noun} {self.dice.randrange(among)}"))

    def data(self, kind: str) -> dict[str, Any]:
        """The data of an event, defaults left out now and then, None left out as on the log."""
        schema = _schema(kind)
        drawn = self._value(schema, schema.get("$defs", {}), kind)
        return {name: value for name, value in drawn.items() if value is not None}

    def _value(self, node: dict[str, Any], defs: dict[str, Any], name: str) -> Any:
        if node.get("x-personal"):
            return None if self.erased else self._value(node["x-plaintext"], defs, name)
        if "$ref" in node:
            return self._value(defs[node["$ref"].rpartition("/")[2]], defs, name)
        if "anyOf" in node:
            return self._value(self.dice.choice(node["anyOf"]), defs, name)
        if "enum" in node or "const" in node:
            return self.dice.choice(node.get("enum", [node.get("const")]))
        match node.get("type"):
            case "object":
                properties, required = node.get("properties", {}), node.get("required", ())
                chosen = [key for key in properties if key in required or self.dice.random() < 0.8]
                return {key: self._value(properties[key], defs, key) for key in chosen}
            case "array":
                item = name.removesuffix("s")
                return [self._value(node["items"], defs, item) for _ in range(self.dice.randrange(4))]
            case "string":
                return self._text(node, name)
            case "integer":
                return self.dice.randint(max(node.get("minimum", -3), -3), 3)
            case "number":
                return self.dice.choice([0.0, 0.25, 1.0])
            case "boolean":
                return self.dice.random() < 0.5
            case "null":
                return None
            case _:
                return self.dice.choice(JSONS)

    def _text(self, node: dict[str, Any], name: str) -> str:
        if node.get("format") == "uuid":
            noun = name.removesuffix("_id").split("_")[-1]
            return str(self.owner) if name == "account_id" else self.an_id(noun)
        if node.get("format") == "date-time":
            return self.dice.choice(TIMES)
        if "64" in node.get("pattern", ""):
            return hashlib.sha256(self.an_id(name).encode()).hexdigest()
        if "pattern" in node:
            return f"thing.{self.dice.randrange(2)}"
        if name == "subject":
            return self.dice.choice([str(self.owner), self.an_id("conversation"), self.an_id("feedback")])
        if name in ("tenant_id", "holder"):
            return f"{name} of {self.owner}"
        return self.dice.choice(TEXTS)


@cache
def _schema(kind: str) -> dict[str, Any]:
    return event_class(kind).model_json_schema()


def an_event(draw: Draw, kind: str) -> Flat:
    """One event in flat form, without its place on the log."""
    event = draw.data(kind)
    category = draw.dice.choice(sorted(event_class(kind).categories()))
    event.update(
        _id=draw.an_id("event", 30),
        _type=kind,
        _time=draw.dice.choice(TIMES),
        _stream=f"{category}-{draw.an_id(category)}",
        _owner=str(draw.owner),
        _tenant="acme",
        _actor=str(draw.owner),
        _causation=None,
        _correlation=None,
        _expected=draw.dice.choice([None] * 9 + [0, 1, 2]),
    )
    return event


def an_erasure(draw: Draw) -> Flat:
    """The end of an erasure of all that the owner has."""
    event = an_event(draw, "erasure.completed")
    return {**event, "scope": "account", "subject": str(draw.owner), "key_deleted": True, "_expected": None}


def sequence(groups: Sequence[Sequence[str]], length: int, seed: int) -> list[Flat]:
    """Events of few types of one group, so that they meet; offsets rise within each partition, with gaps."""
    dice = random.Random(seed)
    kinds = dice.choice(groups)
    chosen = dice.sample(kinds, min(len(kinds), dice.randint(2, 4)))
    draws = [Draw(dice, owner, dice.random() < 0.2) for owner in OWNERS]
    return placed([an_event(dice.choice(draws), dice.choice(chosen)) for _ in range(length)], dice)


def placed(events: list[Flat], dice: random.Random) -> list[Flat]:
    """The events with partition and offset, in the order of the log."""
    ends = [0] * PARTITIONS
    for event in events:
        partition = OWNERS.index(UUID(event["_owner"])) % PARTITIONS
        ends[partition] += dice.choice([1, 1, 1, 2, 3])
        event["_partition"], event["_offset"] = partition, ends[partition]
    return events


def as_read(event: Flat) -> Event:
    """The event as the projector reads it."""
    return Event(
        offset=event["_offset"],
        kind=event["_type"],
        stream=event["_stream"],
        owner=event["_owner"],
        id=event["_id"],
        time=event["_time"],
        tenant=event["_tenant"],
        expected=event["_expected"],
        row=dict(event),
        fault=None,
    )


def without_personal(event: Flat) -> Flat:
    """The event as it is read once its owner's key is gone."""
    bare = copy.deepcopy(event)
    for personal in personal_fields(event_class(event["_type"])):
        rewrite(bare, personal.path, lambda _value, _path: None)
    return bare


def sequences(definition: Definition) -> st.SearchStrategy[list[Flat]]:
    """Sequences to try on a read model; hypothesis shortens one that fails."""
    return st.builds(sequence, st.just(_groups(definition)), st.integers(1, 24), st.integers(0, 2**64))


def _groups(definition: Definition) -> list[list[str]]:
    """Its types, those that set the same columns, and with them some that it does not know."""
    every = sorted({kind for kind, _ in event_types()})
    own = sorted(kind for kind in definition.folds if not kind.startswith("_"))
    by_guard: dict[str, list[str]] = {}
    for kind in own:
        for guard in set(re.findall(r"\bexcluded\.(_\w+)", definition.folds[kind])):
            by_guard.setdefault(guard, []).append(kind)
    shared = [kinds for kinds in by_guard.values() if len(kinds) > 1]
    return [own or every, [*own, *every[::8]], *shared]

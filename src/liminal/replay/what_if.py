"""What another policy would have made of past turns: each is routed again with what was known then.

It reads and compares; it has nothing to append with, so nothing happens (invariant I3).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from asyncpg import Record

from liminal.engine.embedder import Embedder
from liminal.log.events import AdapterUse, RuleFired, ShadowRouting
from liminal.steering.decide import Decision, Instruction, decide
from liminal.steering.facts import Facts
from liminal.steering.inputs import Centres, read_inputs
from liminal.steering.program import Program
from liminal.steering.router import differences, measure
from liminal.steering.vocabulary import Unmeasured
from liminal.storage.postgres import Pool

PAGE = 500
SHOWN = 200
"""Turns that differ which a report shows, the newest."""

_TURNS = """
    SELECT t.turn_id, t.owner_id, t.tenant_id, t.user_message_id, t.assistant_message_id, t.routed_at,
           t.adapters, t.rules, t.instructions, t.context_ids, t.policy_id, t.policy_version,
           t.facts, t.shadow, m.content
    FROM read.turns t LEFT JOIN read.messages m ON m.message_id = t.user_message_id
    WHERE t.seed IS NOT NULL
      AND ($1::timestamptz IS NULL OR t.routed_at >= $1) AND ($2::timestamptz IS NULL OR t.routed_at < $2)
      AND ($3::uuid IS NULL OR t.owner_id = $3) AND ($4::text[] IS NULL OR t.tenant_id = ANY ($4))
      AND ($5::timestamptz IS NULL OR (t.routed_at, t.turn_id) < ($5, $6::uuid))
    ORDER BY t.routed_at DESC, t.turn_id DESC LIMIT $7
"""


@dataclass(frozen=True, slots=True)
class Range:
    """Which turns: routed at or after ``since``, before ``until``, of one account, of some tenants."""

    since: datetime | None = None
    until: datetime | None = None
    owner: UUID | None = None
    tenants: tuple[str, ...] | None = None
    limit: int | None = None
    """The newest so many."""


@dataclass(frozen=True, slots=True)
class Side:
    """One decision, without anybody's words."""

    adapters: dict[str, float]
    backend: str | None
    instructions: list[str]
    contexts: list[str]
    rules: list[str]

    @classmethod
    def of(cls, decision: Decision) -> Side:
        """What is shown of a decision: adapters with gates, and where instructions come from."""
        return cls(
            adapters={f"{use.name}@{use.version}": use.gate for use in decision.adapters},
            backend=decision.backend,
            instructions=[instruction.origin or "policy" for instruction in decision.instructions],
            contexts=[str(context_id) for context_id in decision.context_ids],
            rules=list(dict.fromkeys(fired.rule for fired in decision.rules)),
        )


@dataclass(frozen=True, slots=True)
class TurnDifference:
    """A turn that would have gone otherwise."""

    turn_id: UUID
    message_id: UUID | None
    routed_at: datetime
    policy: str
    differs: list[str]
    rules: list[str]
    before: Side
    after: Side


@dataclass(slots=True)
class WhatIf:
    """A comparison.

    Attributes:
        turns: turns compared.
        skipped: turns that can't be: their facts were not recorded, or were erased.
        changed: turns that would have gone otherwise; ``shown`` has the newest of them.
        measured_anew: turns whose question was measured against centroids as they are now.
        by_rule: turns that would have gone otherwise, by each rule that would have had a hand in it.
        by_kind: the same, by what would have been otherwise.
    """

    turns: int = 0
    skipped: int = 0
    changed: int = 0
    measured_anew: int = 0
    by_rule: dict[str, int] = field(default_factory=dict[str, int])
    by_kind: dict[str, int] = field(default_factory=dict[str, int])
    shown: list[TurnDifference] = field(default_factory=list[TurnDifference])

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return orjson.loads(orjson.dumps(asdict(self), default=str))


async def what_if(pool: Pool, embedder: Embedder, program: Program, turns: Range) -> WhatIf:
    """Route past turns again, the newest first. Raises what the encoder raises, where the policy needs it."""
    found = WhatIf()
    again = _Again(pool, embedder, program)
    async for row in _rows(pool, turns):
        if row["facts"] is None or row["content"] is None:
            found.skipped += 1
            continue
        before = recorded(row)
        after, anew = await again.route(row)
        found.turns += 1
        found.measured_anew += anew
        if kinds := sorted(differences(before, after)):
            _add(found, row, kinds, before, after)
    return found


async def shadowed(pool: Pool, turns: Range) -> WhatIf:
    """What the shadow policy would have done, as it was recorded beside each turn; others are skipped."""
    found = WhatIf()
    async for row in _rows(pool, turns):
        if row["shadow"] is None or row["facts"] is None:
            found.skipped += 1
            continue
        found.turns += 1
        shadow = ShadowRouting.model_validate(_without_erased(orjson.loads(row["shadow"])))
        if shadow.differs:
            after = _decision(shadow, orjson.loads(row["facts"]))
            _add(found, row, list(shadow.differs), recorded(row), after)
    return found


def _without_erased(shadow: dict[str, Any]) -> dict[str, Any]:
    return {**shadow, "instructions": [text for text in shadow.get("instructions", []) if text is not None]}


def _decision(shadow: ShadowRouting, facts: dict[str, Any]) -> Decision:
    return Decision(
        adapters=tuple(shadow.adapters),
        backend=shadow.backend,
        instructions=_instructions(shadow.instructions, facts),
        context_ids=tuple(shadow.context_ids),
        rules=tuple(shadow.rules),
    )


def _instructions(texts: Sequence[str], facts: dict[str, Any]) -> tuple[Instruction, ...]:
    origins = {wish["text"]: wish["origin"] for wish in facts.get("wishes", [])}
    return tuple(Instruction(text, origins.get(text)) for text in texts)


class _Again:
    """Routes recorded turns by another policy."""

    def __init__(self, pool: Pool, embedder: Embedder, program: Program) -> None:
        self._pool = pool
        self._embedder = embedder
        self._program = program
        self._centres: dict[tuple[str, str], Centres | None] = {}

    async def route(self, row: Record) -> tuple[Decision, bool]:
        """The other decision, and whether the question was measured for it."""
        facts = Facts.model_validate({**orjson.loads(row["facts"]), "question": row["content"]})
        measured = facts.measured
        if measured is None or (self._program.needs_clusters and not measured.whole):
            facts = facts.model_copy(update={"measured": None, "centres": max(facts.centres, 1)})
        try:
            return decide(self._program, facts), False
        except Unmeasured:
            centres = await self._centres_of(row)
            if centres is None:
                return decide(self._program, facts.model_copy(update={"centres": 0})), False
            facts = await measure(self._embedder, facts, centres, whole=True)
            return decide(self._program, facts), True

    async def _centres_of(self, row: Record) -> Centres | None:
        key = str(row["owner_id"]), row["tenant_id"]
        if key not in self._centres:
            read = await read_inputs(self._pool, *key, row["user_message_id"], clusters=True)
            self._centres[key] = read.centres
        return self._centres[key]


def recorded(row: Record) -> Decision:
    """The decision that a turn has."""
    rules = [RuleFired.model_validate(fired) for fired in orjson.loads(row["rules"])]
    chosen = [fired.target for fired in rules if fired.action == "choose_backend"]
    return Decision(
        adapters=tuple(AdapterUse.model_validate(use) for use in orjson.loads(row["adapters"])),
        backend=chosen[-1] if chosen else None,
        instructions=_instructions(orjson.loads(row["instructions"]), orjson.loads(row["facts"])),
        context_ids=tuple(row["context_ids"]),
        rules=tuple(rules),
    )


def _add(found: WhatIf, row: Record, kinds: Sequence[str], before: Decision, after: Decision) -> None:
    was = {fired.model_dump_json() for fired in before.rules}
    rules = list(dict.fromkeys(fired.rule for fired in after.rules if fired.model_dump_json() not in was))
    # a rule that no longer does something had a hand in it too
    will = {fired.model_dump_json() for fired in after.rules}
    rules += [f"{fired.rule} (not any more)" for fired in before.rules if fired.model_dump_json() not in will]
    rules = list(dict.fromkeys(rules))
    found.changed += 1
    for counts, names in ((found.by_rule, rules), (found.by_kind, kinds)):
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    if len(found.shown) < SHOWN:
        policy = f"{row['policy_id']}@{row['policy_version']}" if row["policy_id"] else "none"
        difference = TurnDifference(
            row["turn_id"],
            row["assistant_message_id"],
            row["routed_at"],
            policy,
            list(kinds),
            rules,
            Side.of(before),
            Side.of(after),
        )
        found.shown.append(difference)


async def _rows(pool: Pool, turns: Range) -> AsyncGenerator[Record]:
    last: tuple[datetime | None, UUID | None] = (None, None)
    left = turns.limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        tenants = None if turns.tenants is None else list(turns.tenants)
        rows = await pool.fetch(_TURNS, turns.since, turns.until, turns.owner, tenants, *last, size)
        for row in rows:
            yield row
        if len(rows) < size:
            return
        last = rows[-1]["routed_at"], rows[-1]["turn_id"]
        left = None if left is None else left - len(rows)

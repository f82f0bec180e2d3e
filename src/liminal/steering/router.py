"""The router: reads what a policy can ask about a turn and lets it decide, and a shadow policy beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import structlog

from liminal.engine.embedder import Embedder
from liminal.errors import LiminalError
from liminal.learning.errors import NoSuchAdapter
from liminal.log.events import ShadowRouting
from liminal.log.log import Log
from liminal.steering.artifacts import ensure_default
from liminal.steering.decide import Decision, decide
from liminal.steering.facts import Facts
from liminal.steering.inputs import Centres, Inputs, StoredPolicy, read_inputs
from liminal.steering.kinds import ROUTING, SHADOW, parse_body
from liminal.steering.program import Program, compile_policy
from liminal.steering.routing_policy import RoutingPolicy
from liminal.steering.vocabulary import Unmeasured

log = structlog.get_logger(__name__)

Difference = Literal["adapters", "gates", "backend", "instructions", "contexts"]

PROGRAMS = 256
"""Compiled versions of policies that are kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn to be routed.

    Attributes:
        question: its words; None where the event does not have them and the history does.
        mixture: adapters asked for by name, with their gates; None leaves it to the policy.
        base: hash of the loaded base model; None where an endpoint answers.
    """

    owner: str
    tenant: str
    message_id: UUID
    asked_at: datetime
    question: str | None
    without_learning: bool = False
    mixture: dict[str, float] | None = None
    base: str | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """A decision, the policy that made it, the facts that it was made from, and what the shadow says."""

    policy_id: str
    policy_version: int
    decision: Decision
    facts: Facts
    shadow: ShadowRouting | None = None


class Router:
    """Routes turns; belongs to one event loop."""

    def __init__(self, log_: Log, embedder: Embedder) -> None:
        """The embedder loads its encoder when a policy first asks for a similarity that there is."""
        self._log = log_
        self._embedder = embedder
        self._programs: dict[tuple[str, str, int], Program] = {}
        self._needs_clusters = False

    async def route(self, asked: Asked) -> Routed:
        """Decide a turn by the policy in force for its tenant.

        Raises NoSuchAdapter for a mixture that names what does not serve this account, ArtifactInvalid for a
        policy on the log that this version of liminal can't read, and what the encoder raises.
        """
        inputs, programs = await self._read(asked)
        facts = facts_of(asked, inputs)
        decision, facts = await self._decide(programs[ROUTING], facts, inputs)
        stored = inputs.policies[ROUTING]
        routed = Routed(stored.id, stored.version, decision, facts)
        if SHADOW not in programs:
            return routed
        beside, facts = await self._decide(programs[SHADOW], facts, inputs)
        shadow = shadow_of(inputs.policies[SHADOW], beside, decision)
        return replace(routed, facts=facts, shadow=shadow)

    async def _read(self, asked: Asked) -> tuple[Inputs, dict[str, Program]]:
        for _ in range(3):
            inputs = await read_inputs(
                self._log.pool,
                asked.owner,
                asked.tenant,
                asked.message_id,
                clusters=self._needs_clusters,
                base=asked.base,
            )
            if ROUTING not in inputs.policies:
                await ensure_default(self._log, ROUTING)
                continue
            programs = self._compile(inputs)
            needs = any(program.needs_clusters for program in programs.values())
            if needs == self._needs_clusters or not needs:
                self._needs_clusters = needs
                return inputs, programs
            self._needs_clusters = needs
        raise NoPolicy("The routing policy can't be read.")

    def _compile(self, inputs: Inputs) -> dict[str, Program]:
        programs = {ROUTING: self._program(inputs.policies[ROUTING])}
        if SHADOW in inputs.policies:
            try:
                programs[SHADOW] = self._program(inputs.policies[SHADOW])
            except LiminalError as error:  # what decides nothing must not stop a turn
                log.warning("shadow.unreadable", error=error.message)
        return programs

    def _program(self, stored: StoredPolicy) -> Program:
        key = stored.owner, stored.id, stored.version
        if key not in self._programs:
            if len(self._programs) >= PROGRAMS:
                self._programs.clear()
            what = f"Version {stored.version} of {stored.id}"
            self._programs[key] = compile_policy(parse_body(RoutingPolicy, stored.body, what), what)
        return self._programs[key]

    async def _decide(self, program: Program, facts: Facts, inputs: Inputs) -> tuple[Decision, Facts]:
        try:
            return decide(program, facts), facts
        except Unmeasured:
            assert inputs.centres is not None
            facts = await measure(self._embedder, facts, inputs.centres, whole=self._needs_clusters)
            return decide(program, facts), facts


class NoPolicy(LiminalError):
    """There is no routing policy, and none can be made."""

    code = "policy_missing"


def facts_of(asked: Asked, inputs: Inputs) -> Facts:
    """The facts, without an embedding. Raises NoSuchAdapter."""
    names = {candidate.name for candidate in inputs.candidates}
    for name in asked.mixture or ():
        if name not in names:
            raise NoSuchAdapter(f"No adapter {name!r} serves this account.", name=name)
    return Facts(
        account=asked.owner,
        tenant=asked.tenant,
        asked_at=asked.asked_at,
        question=(inputs.question if asked.question is None else asked.question) or "",
        without_learning=asked.without_learning,
        asked=asked.mixture,
        candidates=inputs.candidates,
        wishes=inputs.wishes,
        settings=inputs.settings,
        centres=0 if inputs.centres is None else len(inputs.centres.ids),
    )


async def measure(embedder: Embedder, facts: Facts, centres: Centres, *, whole: bool) -> Facts:
    """The facts with the similarities of their question."""
    embedding = (await embedder.embed([facts.question]))[0]
    return facts.model_copy(update={"measured": centres.measure(embedding, whole=whole)})


def shadow_of(stored: StoredPolicy, beside: Decision, decision: Decision) -> ShadowRouting:
    """What a shadow policy would have done, as it is recorded."""
    return ShadowRouting(
        policy_id=stored.id,
        policy_version=stored.version,
        differs=sorted(differences(decision, beside)),
        adapters=list(beside.adapters),
        backend=beside.backend,
        instructions=[instruction.text for instruction in beside.instructions],
        context_ids=list(beside.context_ids),
        rules=list(beside.rules),
    )


def differences(one: Decision, other: Decision) -> set[Difference]:
    """In what two decisions differ: adapters, gates, backend, instructions, contexts."""
    found: set[Difference] = set()
    mixtures: list[dict[Any, float]] = [
        {(use.adapter_id, use.version): use.gate for use in decision.adapters} for decision in (one, other)
    ]
    if mixtures[0].keys() != mixtures[1].keys():
        found.add("adapters")
    elif mixtures[0] != mixtures[1]:
        found.add("gates")
    if one.backend != other.backend:
        found.add("backend")
    if [found_.text for found_ in one.instructions] != [found_.text for found_ in other.instructions]:
        found.add("instructions")
    if set(one.context_ids) != set(other.context_ids):
        found.add("contexts")
    return found

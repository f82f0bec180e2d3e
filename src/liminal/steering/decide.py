"""The decision itself: a function of a policy and the facts of a turn, without any effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from liminal.log.events import AdapterUse, RuleFired
from liminal.steering.expressions import Expression, evaluate
from liminal.steering.facts import Candidate, Facts
from liminal.steering.program import Program, RuleProgram, Step
from liminal.steering.routing_policy import (
    Activate,
    AddInstruction,
    ChooseBackend,
    Deactivate,
    RequireContext,
    Scale,
    SetGate,
)
from liminal.steering.vocabulary import Meaning

GUARDS = "guards"
REQUEST = "request"
"""What the trace calls a guard-rail, and what the person asked for, where it would name a rule."""
LEARNED = frozenset({"rules", "preferences"})
"""Sources of instructions that "answer without what you learned" leaves out."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """Words for the prompt, and where they come from; a policy's own words come from None."""

    text: str
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy makes of a turn.

    Attributes:
        backend: None for the one that the worker has by default.
        rules: which rule did what, in order.
    """

    adapters: tuple[AdapterUse, ...] = ()
    backend: str | None = None
    instructions: tuple[Instruction, ...] = ()
    context_ids: tuple[UUID, ...] = ()
    rules: tuple[RuleFired, ...] = ()


def decide(program: Program, facts: Facts) -> Decision:
    """What answers the turn.

    The same policy and facts give the same decision. Only candidates of the facts take part, whatever a rule
    names. Raises Unmeasured when the facts lack an embedding that the policy asks for.
    """
    run = _Run(program, facts)
    run.begin()
    for rule in program.rules:
        if run.holds(rule) and rule.rule.last:
            break
    run.guard()
    return run.decision()


class _Run:
    """One decision in the making."""

    def __init__(self, program: Program, facts: Facts) -> None:
        self._facts = facts
        self._guards = program.guards
        self._meaning = Meaning(facts, program.flags)
        self._gates: dict[UUID, float] = {}
        self._by_id = {candidate.adapter_id: candidate for candidate in facts.candidates}
        self._instructions: dict[str, Instruction] = {}
        self._contexts: dict[UUID, None] = {}
        self._backend: str | None = None
        self._fired: list[RuleFired] = []
        self._mixing = facts.asked is None and not facts.without_learning

    def begin(self) -> None:
        """Take over a mixture that was asked for by name; then no rule touches it."""
        asked = self._facts.asked or {}
        # a name means the account's own adapter before its tenant's
        named = {candidate.name: candidate for candidate in sorted(self._facts.candidates, key=_tenant_first)}
        for name, gate in asked.items():
            if candidate := named.get(name):
                self._gates[candidate.adapter_id] = gate
                self._say(REQUEST, "activate", candidate.name, gate)
        if self._facts.asked is None and self._facts.without_learning:
            self._say(REQUEST, "deactivate", "what was learned")

    def holds(self, rule: RuleProgram) -> bool:
        """Do what the rule says, if its condition holds."""
        if not evaluate(rule.when, self._meaning.names, self._meaning.functions):
            return False
        for step in rule.steps:
            self._do(rule.rule.name, step)
        return True

    def _do(self, rule: str, step: Step) -> None:
        match step.action:
            case Activate() | Deactivate() | Scale() | SetGate():
                if self._mixing:
                    self._mix(rule, step)
            case ChooseBackend(backend=backend):
                self._backend = backend
                self._say(rule, "choose_backend", backend)
            case AddInstruction(text=text, source=source):
                self._instruct(rule, text, source)
            case RequireContext(context_id=context_id):
                self._contexts[context_id] = None
                self._say(rule, "require_context", str(context_id))

    def _mix(self, rule: str, step: Step) -> None:
        action = step.action
        if isinstance(action, Activate):
            chosen = self._chosen(step.which, self._facts.candidates)
            if step.best is not None:
                chosen.sort(key=lambda candidate: -self._number(step.best, candidate))
            chosen = chosen[: action.most]
        else:
            chosen = self._chosen(step.which, [self._by_id[id_] for id_ in self._gates])
        for candidate in chosen:
            before = self._gates.get(candidate.adapter_id, 0.0)
            if isinstance(action, Deactivate):
                del self._gates[candidate.adapter_id]
                self._say(rule, action.action, candidate.name)
                continue
            value = round(self._number(step.value, candidate), 6)
            gate = before * value if isinstance(action, Scale) else value
            self._gates[candidate.adapter_id] = gate
            self._say(rule, action.action, candidate.name, value)

    def _chosen(self, which: Expression | None, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [candidate for candidate in candidates if self._about(which, candidate)]

    def _about(self, expression: Expression | None, candidate: Candidate) -> Any:
        assert expression is not None
        gate = self._gates.get(candidate.adapter_id, 0.0)
        return evaluate(expression, *self._meaning.of_adapter(candidate, gate))

    def _number(self, expression: Expression | None, candidate: Candidate) -> float:
        return float(self._about(expression, candidate))

    def _instruct(self, rule: str, text: str | None, source: str | None) -> None:
        if text is not None:
            self._add(rule, Instruction(text))
        elif not (self._facts.without_learning and source in LEARNED):
            for wish in self._facts.wishes:
                if wish.source == source:
                    self._add(rule, Instruction(wish.text, wish.origin))

    def _add(self, rule: str, instruction: Instruction) -> None:
        # said again, it moves to the end, where it weighs more
        self._instructions.pop(instruction.text, None)
        self._instructions[instruction.text] = instruction
        self._say(rule, "add_instruction", instruction.origin)

    def guard(self) -> None:
        """Bring the decision within the guard-rails."""
        if self._mixing:
            self._guard_gates()
        kept = list(self._instructions.values())
        while len(kept) > self._guards.instructions or _length(kept) > self._guards.characters:
            self._say(GUARDS, "drop_instruction", kept.pop(0).origin)
        self._instructions = {instruction.text: instruction for instruction in kept}

    def _guard_gates(self) -> None:
        for id_, gate in list(self._gates.items()):
            if gate <= 0:
                del self._gates[id_]
            elif gate > self._guards.gate:
                self._gates[id_] = self._guards.gate
                self._say(GUARDS, "set_gate", self._by_id[id_].name, self._guards.gate)
        ranked = sorted(self._gates, key=lambda id_: (-self._gates[id_], self._by_id[id_].name, str(id_)))
        for id_ in ranked[self._guards.adapters :]:
            del self._gates[id_]
            self._say(GUARDS, "deactivate", self._by_id[id_].name)
        total = sum(self._gates.values())
        if total > self._guards.sum:
            factor = self._guards.sum / total
            self._gates = {id_: round(gate * factor, 6) for id_, gate in self._gates.items()}
            self._say(GUARDS, "scale", None, round(factor, 6))
        self._gates = {id_: gate for id_, gate in self._gates.items() if gate > 0}

    def decision(self) -> Decision:
        """What was decided."""
        return Decision(
            adapters=tuple(_use(self._by_id[id_], gate) for id_, gate in self._gates.items()),
            backend=self._backend,
            instructions=tuple(self._instructions.values()),
            context_ids=tuple(self._contexts),
            rules=tuple(self._fired),
        )

    def _say(self, rule: str, action: str, target: str | None = None, value: float | None = None) -> None:
        self._fired.append(RuleFired(rule=rule, action=action, target=target, value=value))


def _tenant_first(candidate: Candidate) -> bool:
    return candidate.scope == "user"


def _length(instructions: Sequence[Instruction]) -> int:
    return sum(len(instruction.text) for instruction in instructions)


def _use(candidate: Candidate, gate: float) -> AdapterUse:
    return AdapterUse(
        adapter_id=candidate.adapter_id,
        name=candidate.name,
        version=candidate.version,
        gate=gate,
        content_hash=candidate.content_hash,
    )

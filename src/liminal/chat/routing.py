"""What will answer a turn: model, adapters with gates, sampling, seed. Decided once, then followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from liminal.chat import frames
from liminal.chat.turns import seed_of
from liminal.log.events import AdapterUse, RuleFired, ShadowRouting, TurnOptions, TurnRouted


@dataclass(frozen=True, slots=True)
class Routing:
    """One decision.

    Attributes:
        model: id of the base model.
        backend: what decodes, ``jax`` or ``openai``.
        adapters: the mixture; empty for the base model alone.
        sampling: parameters of the sampler that differ from the model's own.
        seed: below 2^53.
        instructions: what the policy added to the prompt.
        context_ids: knowledge that the policy says to answer from.
        facts: what the policy could ask about the turn.
        shadow: what the shadow policy would have decided.
        summary_version: the newest summary of the conversation then; no later one is used.
    """

    model: str
    backend: str
    seed: int
    adapters: tuple[AdapterUse, ...] = ()
    policy_id: str | None = None
    policy_version: int | None = None
    rules: tuple[RuleFired, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    instructions: tuple[str, ...] = ()
    context_ids: tuple[UUID, ...] = ()
    facts: Mapping[str, Any] | None = None
    shadow: ShadowRouting | None = None
    summary_version: int | None = None

    def event(
        self, conversation_id: UUID, turn_id: UUID, user_message_id: UUID, assistant_message_id: UUID
    ) -> TurnRouted:
        """The decision as it is recorded."""
        return TurnRouted(
            conversation_id=conversation_id,
            turn_id=turn_id,
            user_message_id=user_message_id,
            assistant_message_id=assistant_message_id,
            model=self.model,
            backend=self.backend,
            adapters=list(self.adapters),
            policy_id=self.policy_id,
            policy_version=self.policy_version,
            rules=list(self.rules),
            seed=self.seed,
            sampling=dict(self.sampling),
            instructions=list(self.instructions),
            context_ids=list(self.context_ids),
            facts=None if self.facts is None else dict(self.facts),
            shadow=self.shadow,
            summary_version=self.summary_version,
        )

    def frame(self) -> frames.Routed:
        """The decision as clients see it."""
        return frames.Routed(
            model=self.model,
            adapters=[
                frames.AdapterUse(
                    adapter_id=use.adapter_id,
                    name=use.name,
                    version=use.version,
                    gate=use.gate,
                    content_hash=use.content_hash,
                )
                for use in self.adapters
            ],
            policy_version=self.policy_version or 0,
            seed=self.seed,
        )

    def trace(self, finish_reason: str, attempt: int, timings: Mapping[str, float | None]) -> dict[str, Any]:
        """What an answer says about how it was made (invariant I8)."""
        return {
            "model": self.model,
            "backend": self.backend,
            "adapters": [use.model_dump(mode="json") for use in self.adapters],
            "policy_id": self.policy_id,
            "policy_version": self.policy_version,
            "rules": [rule.model_dump(mode="json") for rule in self.rules],
            "seed": self.seed,
            "finish_reason": finish_reason,
            "attempt": attempt,
            "timings": dict(timings),
        }


def sampling_of(options: TurnOptions) -> dict[str, Any]:
    """The sampler's parameters that the person asked for; what is absent stays the model's own."""
    asked = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_tokens,
        "stop": options.stop,
    }
    extra = options.extra if isinstance(options.extra, dict) else {}
    more = extra.get("sampling")
    return {name: value for name, value in asked.items() if value is not None} | (
        dict(more) if isinstance(more, dict) else {}
    )


def route_to_base(turn_id: UUID, options: TurnOptions, model: str, backend: str) -> Routing:
    """The base model alone, with the sampling that was asked for."""
    seed = seed_of(turn_id) if options.seed is None else options.seed
    return Routing(model=model, backend=backend, seed=seed, sampling=sampling_of(options))


def recorded_routing(row: Mapping[str, Any] | None) -> Routing | None:
    """The decision that ``read.turns`` has of a turn, or None while there is none."""
    if row is None or row["seed"] is None:
        return None

    def parsed(name: str) -> Any:
        value = row[name]
        return orjson.loads(value) if isinstance(value, str) else value

    return Routing(
        model=row["model"],
        backend=row["backend"],
        seed=row["seed"],
        adapters=tuple(AdapterUse.model_validate(use) for use in parsed("adapters") or ()),
        policy_id=row["policy_id"],
        policy_version=row["policy_version"],
        rules=tuple(RuleFired.model_validate(rule) for rule in parsed("rules") or ()),
        sampling=parsed("sampling") or {},
        instructions=tuple(parsed("instructions") or ()),
        context_ids=tuple(row["context_ids"] or ()),
        summary_version=row["summary_version"],
    )

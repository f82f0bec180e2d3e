"""Why an answer is as it is, for the one who got it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from liminal.learning.errors import NoSuchMessage
from liminal.steering.facts import Facts
from liminal.storage.postgres import Pool

_ROUTING = """
    SELECT t.turn_id, t.model, t.backend, t.policy_id, t.policy_version, t.adapters, t.rules, t.instructions,
           t.context_ids, t.facts, t.seed, t.routed_at
    FROM read.messages m JOIN read.turns t USING (turn_id)
    WHERE m.message_id = $1 AND m.role = 'assistant' AND t.seed IS NOT NULL
"""


async def routing_of(pool: Pool, message_id: UUID) -> dict[str, Any]:
    """Adapters with gates and skills, rules that fired, instructions with where they come from.

    Raises NoSuchMessage for a message that is no answer, or one that came with an import.
    """
    row = await pool.fetchrow(_ROUTING, message_id)
    if row is None:
        raise NoSuchMessage("Nothing routed this message.", message_id=str(message_id))
    facts = Facts.model_validate(orjson.loads(row["facts"])) if row["facts"] else None
    candidates = {candidate.adapter_id: candidate for candidate in (facts.candidates if facts else ())}
    origins = {wish.text: wish.origin for wish in (facts.wishes if facts else ())}
    similarities = facts.measured.similarities if facts and facts.measured else {}
    adapters: list[dict[str, Any]] = []
    for use in orjson.loads(row["adapters"]):
        known = candidates.get(UUID(use["adapter_id"]))
        skill = None if known is None else known.skill_id
        adapters.append(
            {
                "adapter_id": use["adapter_id"],
                "name": use["name"],
                "version": use["version"],
                "gate": use["gate"],
                "kind": None if known is None else known.kind,
                "skill_id": skill,
                "label": (known.label or None) if known is not None else None,
                "similarity": similarities.get(str(skill)),
            }
        )
    return {
        "turn_id": row["turn_id"],
        "model": row["model"],
        "backend": row["backend"],
        "policy_id": row["policy_id"],
        "policy_version": row["policy_version"],
        "without_learning": bool(facts and facts.without_learning),
        "adapters": adapters,
        "rules": orjson.loads(row["rules"]),
        "instructions": [
            {"text": text, "origin": origins.get(text)}
            for text in orjson.loads(row["instructions"])
            if text is not None
        ],
        "context_ids": row["context_ids"],
        "seed": row["seed"],
        "routed_at": row["routed_at"],
    }

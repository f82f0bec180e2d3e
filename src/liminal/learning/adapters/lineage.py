"""From an answer to the feedback that shaped it, and from feedback to all that it influenced."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import orjson

from liminal.learning.errors import NoSuchMessage
from liminal.storage.postgres import Pool


@dataclass(frozen=True)
class FeedbackLink:
    """A piece of feedback in a chain."""

    feedback_id: UUID
    kind: str | None
    value: int | None
    text: str | None
    message_id: UUID | None
    conversation_id: UUID | None
    owner_id: UUID | None
    withdrawn: bool
    created_at: str | None


@dataclass(frozen=True)
class AdapterLink:
    """An adapter version in a chain: which run made it, how its gate went, what it learned from."""

    adapter_id: UUID
    name: str | None
    version: int
    gate: float
    content_hash: str
    kind: str | None = None
    skill_id: UUID | None = None
    state: str | None = None
    run_id: UUID | None = None
    dataset_hash: str | None = None
    base_model: str | None = None
    trained_at: str | None = None
    passed: bool | None = None
    figures: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    feedback: list[FeedbackLink] = field(default_factory=list[FeedbackLink])


@dataclass(frozen=True)
class Lineage:
    """Everything that made one answer (invariant I8)."""

    message_id: UUID
    conversation_id: UUID
    owner_id: UUID
    tenant_id: str
    turn_id: UUID
    position: str
    model: str | None
    policy_id: str | None
    policy_version: int | None
    rules: list[dict[str, Any]]
    seed: int | None
    adapters: list[AdapterLink]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return orjson.loads(orjson.dumps(asdict(self), default=str))

    def seen_by(self, account: UUID) -> dict[str, Any]:
        """Plain data for one account: words are those that it wrote itself."""
        plain = self.as_json()
        for name in ("owner_id", "tenant_id"):
            plain.pop(name)
        for adapter in plain["adapters"]:
            for item in adapter["feedback"]:
                item["mine"] = item.pop("owner_id") == str(account)
                item["text"] = item["text"] if item["mine"] else None
        return plain


async def lineage_of(pool: Pool, message_id: UUID) -> Lineage:
    """The chain behind an answer. Raises NoSuchMessage."""
    row = await pool.fetchrow(
        "SELECT message_id, conversation_id, owner_id, tenant_id::text AS tenant_id, turn_id, trace, "
        'partition, "offset" FROM read.messages WHERE message_id = $1',
        message_id,
    )
    if row is None:
        raise NoSuchMessage(f"There is no message {message_id}.", message_id=str(message_id))
    trace: dict[str, Any] = orjson.loads(row["trace"]) if row["trace"] else {}
    return Lineage(
        message_id=row["message_id"],
        conversation_id=row["conversation_id"],
        owner_id=row["owner_id"],
        tenant_id=row["tenant_id"],
        turn_id=row["turn_id"],
        position=f"{row['partition']}:{row['offset']}",
        model=trace.get("model"),
        policy_id=trace.get("policy_id"),
        rules=trace.get("rules") or [],
        policy_version=trace.get("policy_version"),
        seed=trace.get("seed"),
        adapters=[await _adapter(pool, use) for use in trace.get("adapters", [])],
    )


async def _adapter(pool: Pool, use: dict[str, Any]) -> AdapterLink:
    adapter_id, version = UUID(use["adapter_id"]), use["version"]
    link: dict[str, Any] = {
        "adapter_id": adapter_id,
        "name": use["name"],
        "version": version,
        "gate": use["gate"],
        "content_hash": use["content_hash"],
    }
    row = await pool.fetchrow(
        """
        SELECT a.kind, a.skill_id, v.state, v.run_id, v.dataset_hash, v.base_model, v.trained_at, v.passed,
               v.figures, v.feedback_ids
        FROM read.adapter_versions v LEFT JOIN read.adapters a USING (adapter_id)
        WHERE v.adapter_id = $1 AND v.version = $2
        """,
        adapter_id,
        version,
    )
    if row is None:
        return AdapterLink(**link)
    return AdapterLink(
        **link,
        kind=row["kind"],
        skill_id=row["skill_id"],
        state=row["state"],
        trained_at=row["trained_at"].isoformat() if row["trained_at"] else None,
        run_id=row["run_id"],
        dataset_hash=row["dataset_hash"],
        base_model=row["base_model"],
        passed=row["passed"],
        figures=orjson.loads(row["figures"]) if row["figures"] else [],
        feedback=await _feedback(pool, row["feedback_ids"] or []),
    )


async def _feedback(pool: Pool, ids: list[UUID]) -> list[FeedbackLink]:
    rows = await pool.fetch(
        "SELECT feedback_id, kind, value, text, message_id, conversation_id, owner_id, withdrawn, created_at "
        "FROM read.feedback WHERE feedback_id = ANY($1) ORDER BY created_at, feedback_id",
        ids,
    )
    return [
        FeedbackLink(
            row["feedback_id"],
            row["kind"],
            row["value"],
            row["text"],
            row["message_id"],
            row["conversation_id"],
            row["owner_id"],
            row["withdrawn"],
            row["created_at"].isoformat() if row["created_at"] else None,
        )
        for row in rows
    ]


async def influence_of(pool: Pool, feedback_id: UUID) -> list[dict[str, Any]]:
    """Every adapter version that learned from a piece of feedback, and how many answers each has made."""
    rows = await pool.fetch(
        """
        SELECT v.adapter_id, a.name, v.version, v.state, v.serving, v.trained_at,
               (SELECT count(*) FROM read.turns t
                WHERE t.adapters @> jsonb_build_array(
                    jsonb_build_object('adapter_id', v.adapter_id::text, 'version', v.version))) AS answers
        FROM read.adapter_versions v LEFT JOIN read.adapters a USING (adapter_id)
        WHERE $1 = ANY (v.feedback_ids) ORDER BY v.adapter_id, v.version
        """,
        feedback_id,
    )
    return [orjson.loads(orjson.dumps(dict(row), default=str)) for row in rows]

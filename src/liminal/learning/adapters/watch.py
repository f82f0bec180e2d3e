"""Live feedback: a promoted version that is liked less than the one before it, beyond chance, is rolled back.

Answers of two versions are compared by how many were corrected or disliked, among those that were judged at
all. Fisher's exact test, one-sided; it is made again with every bad answer, so the k-th look spends
level / (k (k + 1)) of the level, which sums to the level over all looks: a version that is as good as its
predecessor is rolled back by chance with at most that probability, ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from liminal.learning.adapters import library
from liminal.learning.adapters.commands import predecessor
from liminal.log.envelope import Meta
from liminal.log.events import AdapterVersionRolledBack
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.reaction import Delivery
from liminal.steering.artifacts import current_learning_policy

log = structlog.get_logger(__name__)

ACTOR = "watch"
TYPES = frozenset({"feedback.given", "feedback.changed"})

_USED = """
    SELECT m.trace -> 'adapters' FROM read.feedback f
    JOIN read.messages m ON m.message_id = f.message_id
    WHERE f.feedback_id = $1 AND NOT f.withdrawn
"""
# an answer is bad when it was corrected or disliked, whatever else was said of it
_JUDGED = """
    WITH judged AS (
        SELECT m.message_id, bool_or(f.kind = 'correction' OR f.value = -1) AS bad
        FROM read.feedback f
        JOIN read.messages m ON m.message_id = f.message_id
        CROSS JOIN LATERAL (SELECT coalesce(m.trace -> 'adapters', '[]') AS adapters) t
        WHERE NOT f.withdrawn AND f.kind IN ('thumb', 'correction') AND m.role = 'assistant'
          AND ($1 = 'user' AND f.owner_id::text = $2 OR $1 = 'tenant' AND f.tenant_id = $2)
          AND CASE WHEN $4::int IS NULL
              THEN NOT t.adapters @> jsonb_build_array(jsonb_build_object('adapter_id', $3::text))
              ELSE t.adapters @> jsonb_build_array(jsonb_build_object('adapter_id', $3::text, 'version', $4))
              END
        GROUP BY m.message_id
    )
    SELECT count(*) AS answers, count(*) FILTER (WHERE bad) AS bad FROM judged
"""


@dataclass(frozen=True)
class Judged:
    """Answers of one version that somebody judged, and how many of them were bad."""

    answers: int
    bad: int

    @property
    def share(self) -> float:
        """Of the judged answers, how many were bad."""
        return self.bad / self.answers if self.answers else 0.0


def worse_beyond_chance(now: Judged, before: Judged, level: float, least: int) -> float | None:
    """The p-value when ``now`` is worse than ``before`` at this look's share of the level, else None."""
    if now.answers < least or before.answers == 0 or now.bad == 0:
        return None
    from scipy import stats  # 60 MB that a process which only watches can do without until somebody objects

    table = [[now.bad, now.answers - now.bad], [before.bad, before.answers - before.bad]]
    result: Any = stats.fisher_exact(table, alternative="greater")
    p = float(result.pvalue)
    return p if p <= level / (now.bad * (now.bad + 1)) else None


class Watcher:
    """Looks at every version that took part in an answer that was judged."""

    def __init__(self, log_: Log) -> None:
        self._log = log_

    async def handle(self, delivery: Delivery) -> None:
        """Roll back what serves and turned out worse."""
        event = delivery.event
        await self._log.wait_for(delivery.position)
        used = await self._log.pool.fetchval(_USED, UUID(event["feedback_id"]))
        if used is None:
            return
        for use in library.parsed(used):
            await self._look(UUID(use["adapter_id"]), use["version"], event)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """The next feedback is looked at with all before it."""
        log.error("watch.given_up", position=str(delivery.position), error=str(error))

    async def _look(self, adapter_id: UUID, version: int, event: Mapping[str, Any]) -> None:
        adapter = await library.adapter(self._log.pool, adapter_id)
        if adapter.serving_version != version:
            return
        to = predecessor(adapter, version)
        policy = (await current_learning_policy(self._log, adapter.tenant_id)).body.rollback
        now = await self._judged(adapter, version)
        before = await self._judged(adapter, to)
        p = worse_beyond_chance(now, before, policy.level, policy.least_feedback)
        if p is None:
            return
        rolled_back = AdapterVersionRolledBack(
            adapter_id=adapter_id,
            adapter_version=version,
            to_version=to,
            by="rule",
            reason=(
                f"{now.bad} of {now.answers} judged answers were corrected or disliked, "
                f"{before.bad} of {before.answers} before it (p = {p:.2g})."
            ),
        )
        cause = UUID(event["_id"])
        meta = Meta(
            owner=adapter.subject,
            tenant=adapter.tenant_id,
            actor=ACTOR,
            stream=f"adapter-{adapter_id}",
            causation=cause,
            # of the version, so that two judgements that come together roll back once
            id=derived_id(adapter_id, f"rolled back {version} after {adapter.serving_since}"),
        )
        await self._log.wait_for(await self._log.append(rolled_back, meta))
        log.info("watch.rolled_back", adapter=str(adapter_id), version=version, to=to, p=p)

    async def _judged(self, adapter: library.AdapterRow, version: int | None) -> Judged:
        row = await self._log.pool.fetchrow(_JUDGED, adapter.scope, adapter.subject, str(adapter.id), version)
        assert row is not None
        return Judged(row["answers"], row["bad"])

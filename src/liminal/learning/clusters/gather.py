"""The gather reaction: evidence becomes clusters, pass by pass, and clusters become proposals.

A pass is decided once, as one versioned event that holds all that it changes (``clustering.decided``); the
events of its clusters, their labels and the map are derived from it, and ``clustering.completed`` says that
all of them are written. Whoever dies on the way is taken over at the last of these events: every id is
derived from the pass, so what was written already is written again as the same event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID

import orjson
import structlog

from liminal.learning.clusters.embeddings import Embeddings
from liminal.learning.clusters.passes import Pass, decided_event, due_in, method_for, method_of, run_pass
from liminal.learning.clusters.pieces import Scope, Snapshot, read_snapshot, read_standing
from liminal.learning.clusters.unfolding import Unfolder
from liminal.learning.clusters.workshop import Workshop
from liminal.learning.skills.proposals import Proposer
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.reaction import Delivery, Reaction
from liminal.steering.artifacts import current_learning_policy
from liminal.steering.learning_policy import Clustering

log = structlog.get_logger(__name__)

NAME = "gather"
EVIDENCE = frozenset(
    {
        "feedback.given", "feedback.changed", "feedback.withdrawn",
        "preference.detected", "preference.switched", "preference.deleted",
    }
)  # fmt: skip
TYPES = EVIDENCE | {
    "clustering.requested", "clustering.decided", "clustering.completed", "erasure.completed"
}  # fmt: skip
STUCK = 120.0
"""Seconds after which a pass that nobody completed is taken up again."""

_OPEN = """
    SELECT run_id, scope, subject, positions, algorithm, parameters, seed, points, clusters, changes
    FROM read.clustering_runs WHERE owner_id = $1 AND completed_at IS NULL ORDER BY decided_at LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose evidence: an account's or a tenant's."""

    scope: Scope
    id: str
    tenant: str


class Gatherer:
    """Runs passes when they are due."""

    def __init__(self, log_: Log, workshop: Workshop) -> None:
        self._log = log_
        self._workshop = workshop
        self._locks: dict[Subject, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._due: dict[Subject, asyncio.TimerHandle] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._made: dict[UUID, Pass] = {}
        self._asked: dict[Subject, Position] = {}
        self._proposer = Proposer(log_)

    async def handle(self, delivery: Delivery) -> None:
        """Do what one event asks for."""
        event = delivery.event
        match event["_type"]:
            case "clustering.requested":
                await self._log.wait_for(delivery.position)
                await self._pass(self._subject(event), asked=delivery.position)
            case "clustering.decided":
                await self._unfold(delivery)
            case "clustering.completed":
                await self._log.wait_for(delivery.position)
                await self._proposer.propose(event)
                subject = self._subject(event)
                if (asked := self._asked.pop(subject, None)) is not None:
                    await self._pass(subject, asked)
                await self._consider(subject)
            case "erasure.completed":
                await self._erase(event)
            case _:
                await self._log.wait_for(delivery.position)
                for subject in subjects_of(event):
                    await self._consider(subject)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """A pass that can't be made is tried again with the next piece; the reaction has logged the error."""

    async def catch_up(self) -> None:
        """Look at everybody who has evidence that no pass has seen: timers do not survive a restart."""
        rows = await self._log.pool.fetch(
            "SELECT DISTINCT owner_id::text AS owner, tenant_id AS tenant FROM read.evidence"
        )
        users = {Subject("user", row["owner"], row["tenant"]) for row in rows}
        tenants = {Subject("tenant", row["tenant"], row["tenant"]) for row in rows}
        for subject in sorted(users | tenants, key=lambda subject: (subject.scope, subject.id)):
            await self._consider(subject)

    async def aclose(self) -> None:
        """Stop timers and passes."""
        for timer in self._due.values():
            timer.cancel()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    @staticmethod
    def _subject(event: Mapping[str, Any]) -> Subject:
        return Subject(event["scope"], event["subject"], event["_tenant"])

    async def _consider(self, subject: Subject) -> None:
        """Run a pass if one is due, else come back when one is."""
        policy = (await current_learning_policy(self._log, subject.tenant)).body.clustering
        standing = await read_standing(self._log.pool, subject.scope, subject.id)
        now = datetime.now(UTC)
        if standing.open and standing.last is not None:
            wait = STUCK - (now - standing.last).total_seconds()
        else:
            wait = due_in(standing, policy, now)
        if wait is None:
            return
        if wait <= 0:
            await (self._finish(subject) if standing.open else self._pass(subject))
        elif subject not in self._due:
            loop = asyncio.get_running_loop()
            self._due[subject] = loop.call_later(wait, self._wake, subject)

    def _wake(self, subject: Subject) -> None:
        self._due.pop(subject, None)
        task = asyncio.create_task(self._consider_in_peace(subject), name=f"pass-{subject.id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _consider_in_peace(self, subject: Subject) -> None:
        try:
            await self._consider(subject)
        except Exception:  # nobody awaits a timer; the next piece of evidence tries again
            log.exception("gather.pass_failed", subject=subject.id)

    async def _pass(self, subject: Subject, asked: Position | None = None) -> None:
        async with self._locks[subject]:
            policy = await current_learning_policy(self._log, subject.tenant)
            snapshot = await read_snapshot(self._log.pool, subject.scope, subject.id)
            standing = snapshot.standing
            if standing.open:
                if asked is not None:
                    self._asked[subject] = asked
                return  # what completes it comes back here
            wait = due_in(standing, policy.body.clustering, datetime.now(UTC))
            if asked is not None:
                if standing.positions.get(asked.partition, 0) > asked.offset:
                    return  # done before a restart
            elif wait is None or wait > 0:
                return  # another pass took it along
            await self._decide(subject, snapshot, policy.body.clustering)

    async def _decide(self, subject: Subject, snapshot: Snapshot, policy: Clustering) -> None:
        number = snapshot.standing.runs + 1
        run_id = derived_id(NAMESPACE_OID, f"clustering {subject.id} {number}")
        method = method_for(len(snapshot.pieces), policy)
        made = await run_pass(snapshot, method, await self._embeddings(), self._workshop)
        meta = Meta(
            owner=subject.id,
            tenant=subject.tenant,
            actor=NAME,
            stream=f"clustering-{subject.id}",
            id=derived_id(run_id, "decided"),
            correlation=run_id,
        )
        self._made[run_id] = made
        try:
            decided = decided_event(snapshot, run_id, method, made)
            await self._log.append(decided, meta, expected_version=number - 1)
        except VersionConflict:
            del self._made[run_id]
            log.info("gather.decided_elsewhere", subject=subject.id)
            return
        log.info(
            "gather.decided",
            subject=subject.id,
            pieces=len(snapshot.pieces),
            clusters=made.clusters,
            algorithm=method.algorithm,
        )

    async def _unfold(self, delivery: Delivery) -> None:
        """Write what follows from a pass, unless it was refused, or written whole by another worker."""
        last = delivery.log_end - 1 if delivery.maybe_seen else delivery.position.offset
        await self._log.wait_for(Position(delivery.position.partition, last))
        await self._finish(self._subject(delivery.event))

    async def _finish(self, subject: Subject) -> None:
        """Write what follows from the pass that is decided and not complete, if there is one."""
        row = await self._log.pool.fetchrow(_OPEN, subject.id)
        if row is None:
            return
        run_id: UUID = row["run_id"]
        event: dict[str, Any] = {
            **dict(row),
            "positions": orjson.loads(row["positions"]),
            "parameters": orjson.loads(row["parameters"]),
            "changes": orjson.loads(row["changes"]),
            "_id": str(derived_id(run_id, "decided")),
            "_owner": subject.id,
            "_tenant": subject.tenant,
        }
        embeddings = await self._embeddings()
        snapshot = await read_snapshot(self._log.pool, subject.scope, subject.id)
        made = self._made.pop(run_id, None)
        if made is None:  # another worker found it; the map comes out the same for the same evidence
            made = await run_pass(snapshot, method_of(event), embeddings, self._workshop)
        policy = (await current_learning_policy(self._log, subject.tenant)).body
        await Unfolder(self._log, embeddings, event, policy).write(snapshot, made)

    async def _erase(self, event: Mapping[str, Any]) -> None:
        if event["scope"] == "account":
            await (await self._embeddings()).forget([UUID(event["subject"])])

    async def _embeddings(self) -> Embeddings:
        name = await self._workshop.encoder_name()
        return Embeddings(self._log.pool, name, self._workshop.embed)


def subjects_of(event: Mapping[str, Any]) -> list[Subject]:
    """Whose clusters a piece of evidence belongs to: its owner's, and the owner's tenant's."""
    owner, tenant = event["_owner"], event["_tenant"]
    return [Subject("user", owner, tenant), Subject("tenant", tenant, tenant)]


@asynccontextmanager
async def gather_reaction(log_: Log) -> AsyncGenerator[Reaction]:
    """The reaction, to be run alone or beside others, with its child process and its timers."""
    workshop = Workshop(log_.settings)
    gatherer = Gatherer(log_, workshop)
    started = asyncio.create_task(_catch_up(gatherer), name="gather-catch-up")
    try:
        yield Reaction(
            NAME,
            types=TYPES,
            handle=gatherer.handle,
            order_by=lambda event: str(event["_owner"]),
            decode=log_.decoder.decode,
            given_up=gatherer.given_up,
        )
    finally:
        started.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await started
        await gatherer.aclose()
        await workshop.aclose()


async def _catch_up(gatherer: Gatherer) -> None:
    try:
        await gatherer.catch_up()
    except Exception:  # the read models may not be there yet; every new piece looks again
        log.exception("gather.catch_up_failed")

"""The log: append, claim, wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from liminal.log.claims import PURPOSE, Claim, claim_hash, is_held
from liminal.log.decode import Decoder
from liminal.log.envelope import Envelope, Meta, check_meta, check_size, seal_event
from liminal.log.errors import ClaimTaken, VersionConflict
from liminal.log.event import Event, event_class
from liminal.log.events import ClaimMade, ClaimReleased
from liminal.log.ids import derived_id, new_id
from liminal.log.personal import personal_fields
from liminal.log.position import Position
from liminal.log.producer import Producer
from liminal.log.progress import Progress
from liminal.log.topic import ensure_topic
from liminal.settings import Settings
from liminal.storage.migrate import migrate
from liminal.storage.notify import Listener
from liminal.storage.postgres import Pool, connect_pool
from liminal.storage.vault import Vault


class Log:
    """An open log; make it with ``Log.open``.

    Attributes:
        settings: what it was opened with.
        pool: Postgres connections, for the caller's own reads too.
        listener: the process's one LISTEN connection.
        vault: the owners' data keys.
        decoder: turns records into flat dicts.
    """

    def __init__(
        self, settings: Settings, source: str, pool: Pool, listener: Listener, vault: Vault,
        producer: Producer, progress: Progress,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.pool = pool
        self.listener = listener
        self.vault = vault
        self.decoder = Decoder(vault)
        self._source = source
        self._producer = producer
        self._progress = progress

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, *, source: str = "liminal", pool: Pool | None = None
    ) -> AsyncGenerator[Log]:
        """Connect, run missing migrations, check the topic contract.

        ``source`` becomes the events' ``ce_source``; a ``pool`` that is passed stays the caller's to close.
        Raises DatabaseUnavailable, MigrationError, MasterKeyError, BrokerUnavailable, TopicContractBroken.
        """
        async with AsyncExitStack() as stack:
            if pool is None:
                pool = await connect_pool(settings)
                stack.push_async_callback(pool.close)
            await migrate(pool)
            listener = await stack.enter_async_context(Listener(settings))
            vault = await stack.enter_async_context(Vault.open(settings, pool, listener))
            await ensure_topic(settings)
            producer = Producer(settings)
            await producer.start()
            stack.push_async_callback(producer.stop)
            progress = await stack.enter_async_context(Progress(pool, listener))
            yield cls(settings, source, pool, listener, vault, producer, progress)

    async def append(self, event: Event, meta: Meta, expected_version: int | None = None) -> Position:
        """Append one event; returns its position once every replica has it.

        With ``expected_version`` (0: the stream does not exist yet) it also waits for the verdict: on return
        the event is accepted and the stream is at ``expected_version + 1``.

        Raises:
            MalformedEvent: data or meta does not fit; ``details["path"]`` says where. Nothing is written.
            EventTooLarge: over ``settings.max_event_bytes``. Nothing is written.
            OwnerErased: a personal field for an owner whose key was deleted. Nothing is written.
            BrokerUnavailable: no broker answered in time. Nothing is written.
            AppendRefused: the broker refused it. Nothing is written.
            AppendUnknown: handed over, but no ack came in time; the same ``Meta.id`` may be appended again.
            VersionConflict: another event took the version first; ``actual`` is the stream's version now.
            Stale: it is on the log, but no verdict came in time.
        """
        envelope = (await self._seal([(event, meta)], expected_version))[0]
        position = await self._producer.send(envelope, self.settings.append_timeout)
        if expected_version is not None:
            verdict = await self._progress.verdict(envelope.id, position, self.settings.verdict_timeout)
            if not verdict.accepted:
                raise VersionConflict(meta.stream, expected_version, verdict.version)
        return position

    async def append_many(self, events: Sequence[tuple[Event, Meta]]) -> list[Position]:
        """Append events in order, none of them versioned; returns their positions once all are acknowledged.

        All are checked before the first is written. Raises what ``append`` raises; of AppendUnknown,
        ``details["acknowledged"]`` says how many are known to be written.
        """
        envelopes = await self._seal(events, None)
        return await self._producer.send_all(envelopes, self.settings.append_timeout)

    async def claim(
        self,
        kind: str,
        value: str,
        holder: str,
        *,
        tenant: str = "system",
        actor: str | None = None,
        id: UUID | None = None,
        causation: UUID | None = None,
        correlation: UUID | None = None,
    ) -> Claim:
        """Make ``value`` the holder's own; upper and lower case and Unicode form do not matter.

        A caller that repeats one command passes the same ``id`` each time, and gets the same claim.
        Raises ClaimTaken, and what ``append`` raises.
        """
        hash_ = self.claim_hash(kind, value)
        attempt = id or new_id()
        expected = 0
        while True:
            meta = Meta(
                owner=hash_,
                tenant=tenant,
                actor=actor or holder,
                stream=f"claim-{hash_}",
                id=derived_id(attempt, f"claim {hash_} {expected}"),
                causation=causation,
                correlation=correlation,
            )
            try:
                await self.append(ClaimMade(claim=hash_, kind=kind, holder=holder), meta, expected)
                return Claim(hash_, kind, holder, expected + 1)
            except VersionConflict as conflict:
                if is_held(conflict.actual):
                    raise ClaimTaken(kind, hash_) from conflict
                expected = conflict.actual

    async def release(self, claim: Claim, *, tenant: str = "system", actor: str | None = None) -> None:
        """Give a claim up. Raises VersionConflict when it is no longer this holder's."""
        meta = Meta(
            owner=claim.hash, tenant=tenant, actor=actor or claim.holder, stream=f"claim-{claim.hash}"
        )
        event = ClaimReleased(claim=claim.hash, kind=claim.kind, holder=claim.holder)
        await self.append(event, meta, claim.version)

    def claim_hash(self, kind: str, value: str) -> str:
        """The hash under which a value is claimed."""
        return claim_hash(self.vault.subkey(PURPOSE), kind, value)

    async def wait_for(
        self,
        position: Position,
        projection: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  a Stale is raised, not a TimeoutError
    ) -> None:
        """Return once the position is folded into the live projection, or into every one.

        Woken, not polling. ``timeout`` is in seconds, by default ``settings.verdict_timeout``. Raises Stale.
        """
        await self._progress.wait_for(position, projection, timeout or self.settings.verdict_timeout)

    async def _seal(
        self, events: Sequence[tuple[Event, Meta]], expected_version: int | None
    ) -> list[Envelope]:
        valid: list[tuple[Event, Meta]] = []
        for event, meta in events:
            cls = event_class(event.type, event.version)
            check_meta(cls, meta)
            valid.append((cls.model_validate(event), meta))
        keys = await self.vault.make_keys(m.owner for e, m in valid if personal_fields(type(e)))
        envelopes: list[Envelope] = []
        for event, meta in valid:
            envelope = seal_event(
                event,
                meta,
                meta.id or new_id(),
                key=keys.get(meta.owner),
                source=self._source,
                expected_version=expected_version,
            )
            check_size(envelope, event.type, self.settings.max_event_bytes)
            envelopes.append(envelope)
        return envelopes

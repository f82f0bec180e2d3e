"""A storm: workers killed at random, the broker restarted, and afterwards every event folded exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.ground import start_projector
from liminal.bench.progress import progress_bar
from liminal.bench.traffic import CHUNK, Item, Traffic
from liminal.log.errors import AppendUnknown, BrokerUnavailable
from liminal.log.events import MessagePosted
from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.logging import configure_logging
from liminal.projector.generation import generations
from liminal.projector.reader import end_offsets
from liminal.projector.resources import Resources, open_resources
from liminal.projector.scratch import folded
from liminal.projector.verify import verify
from liminal.settings import SERVICE_VARIABLES, Settings, read_settings
from liminal.stack.embedded import embedded_children, prepared_home
from liminal.stack.supervisor import Supervisor

PARTITIONS = 8
WORKERS = 3
PAUSE = 8.0
"""Seconds that a paused worker lies still: longer than its session with the group."""

FENCED = """
SELECT coalesce(sum(fenced), 0)::int FROM (
    SELECT partition, max(fenced) AS fenced FROM liminal.checkpoints GROUP BY partition
) AS by_partition
"""

Restart = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How hard it blows.

    Attributes:
        events: messages appended, as fast as the log takes them but for ``rate``.
        rate: events a second at most.
        kill_every: seconds between kills of a random worker.
        kills: most kills.
        restarts: how often the broker is restarted, evenly over the events.
        pause_every: seconds between pauses of a random worker, which then meets its own past.
    """

    events: int
    rate: float = float("inf")
    kill_every: float = 5.0
    kills: int = 1_000_000
    restarts: int = 2
    pause_every: float = 20.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was left when it was over.

    Attributes:
        seconds: from the first event until all were folded.
        kills: workers killed.
        pauses: workers that were stopped until others had their partitions, and then went on.
        restarts: times that the broker was restarted.
        records: on the log; more than messages where an append was repeated because its ack was lost.
        lost: messages acknowledged and not in the read models.
        twice: records or messages that count more than once.
        differing: tables that are not as a fold by one worker, one partition after the other, makes them.
        fenced: batches that were folded by another worker already.
    """

    seconds: float
    kills: int
    pauses: int
    restarts: int
    records: int
    lost: int
    twice: int
    differing: list[str]
    fenced: int


def storm(
    events: Annotated[int, typer.Option(help="Messages.")] = 1_000_000,
    kill_every: Annotated[float, typer.Option(help="Seconds between kills of a random worker.")] = 5.0,
    restarts: Annotated[int, typer.Option(help="How often the broker is restarted.")] = 2,
    json: Json = False,
) -> None:
    """Fold with three workers over eight partitions while one is killed with -9 every few seconds.

    Now and then one is stopped (SIGSTOP) until its partitions are another's: what it then goes on with has to
    be fenced.

    It runs on a stack of its own, because the broker is killed too. Afterwards the rows are compared with
    those of one worker that folds one partition after the other.
    """
    plan = Plan(events=events, kill_every=kill_every, restarts=restarts)
    with tempfile.TemporaryDirectory(prefix="liminal-storm-") as folder:
        settings = read_settings(home=Path(folder), partitions=PARTITIONS).model_copy(
            update=dict.fromkeys(SERVICE_VARIABLES, "")
        )
        configure_logging(settings, "bench")
        with prepared_home(settings.home) as ports:
            children, resolved = embedded_children(settings, ports)
            supervisor = Supervisor(settings.home / "logs")
            supervisor.add(children)
            try:
                supervisor.start()
                outcome = asyncio.run(_on_own_stack(resolved, supervisor, plan))
            finally:
                supervisor.stop()
    report(figures(outcome, plan), json)
    if outcome.lost or outcome.twice or outcome.differing:
        raise typer.Exit(1)


def figures(outcome: Outcome, plan: Plan) -> list[Figure]:
    """The outcome as figures."""
    return [
        Figure(name="events", value=plan.events, unit="events"),
        Figure(name="lost", value=outcome.lost, unit="events").at_most(0),
        Figure(name="folded twice", value=outcome.twice, unit="events").at_most(0),
        Figure(name="tables unlike a single fold", value=len(outcome.differing), unit="tables").at_most(0),
        Figure(name="workers killed", value=outcome.kills, unit="kills"),
        Figure(name="workers paused past their session", value=outcome.pauses, unit="pauses"),
        Figure(name="broker restarts", value=outcome.restarts, unit="restarts"),
        Figure(name="batches fenced", value=outcome.fenced, unit="batches"),
        Figure(name="records repeated on the log", value=outcome.records - plan.events, unit="records"),
        Figure(name="until all is folded", value=outcome.seconds, unit="s"),
    ]


async def _on_own_stack(settings: Settings, supervisor: Supervisor, plan: Plan) -> Outcome:
    async def tick() -> None:
        while True:
            await asyncio.sleep(0.1)
            supervisor.tick()

    async def restart() -> None:
        process = supervisor.table["kafka"].process
        assert process is not None
        process.kill()

    ticking = asyncio.create_task(tick())
    try:
        return await run_storm(settings, plan, restart)
    finally:
        ticking.cancel()


async def run_storm(settings: Settings, plan: Plan, restart_broker: Restart) -> Outcome:
    """Raise it over these settings; ``restart_broker`` kills the broker and sees that it comes back."""
    async with Log.open(settings) as log, open_resources(settings) as resources:
        began = time.monotonic()
        async with _workers(settings) as workers:
            tasks = [
                asyncio.create_task(workers.kill_every(plan.kill_every, plan.kills)),
                asyncio.create_task(workers.pause_every(plan.pause_every)),
                asyncio.create_task(workers.keep()),
            ]
            with progress_bar("storm") as bar:
                messages = await _append(log, plan, restart_broker, bar)
            await _all_folded(resources)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        seconds = time.monotonic() - began
        return await _look(resources, plan, messages, seconds, workers)


class Workers:
    """Processes of ``liminal projector``, each under a name that it keeps when it is started again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._processes: list[asyncio.subprocess.Process] = []
        self._dice = random.Random(7)
        self.kills = 0
        self.pauses = 0

    async def start(self, count: int) -> None:
        """Start all of them."""
        for number in range(count):
            self._processes.append(await self._one(number))

    async def kill_every(self, seconds: float, most: int) -> None:
        """Kill a random one with -9 every so often."""
        while self.kills < most:
            await asyncio.sleep(seconds)
            victim = self._dice.choice(self._processes)
            if victim.returncode is None:
                victim.kill()
                self.kills += 1

    async def pause_every(self, seconds: float) -> None:
        """Stop a random one every so often until its partitions are another's, then let it go on."""
        while True:
            await asyncio.sleep(seconds)
            zombie = self._dice.choice(self._processes)
            if zombie.returncode is None:
                zombie.send_signal(signal.SIGSTOP)
                try:
                    await asyncio.sleep(PAUSE)
                finally:
                    if zombie.returncode is None:
                        zombie.send_signal(signal.SIGCONT)
                        self.pauses += 1

    async def keep(self) -> None:
        """Start again whoever ended, killed or because the broker was away, as a supervisor would."""
        while True:
            await asyncio.sleep(0.2)
            for number, process in enumerate(self._processes):
                if process.returncode is not None:
                    self._processes[number] = await self._one(number)

    async def stop(self) -> None:
        """End them in order."""
        for process in self._processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            await process.wait()

    async def _one(self, number: int) -> asyncio.subprocess.Process:
        return await start_projector(self._settings, instance=f"storm-{number}")


@contextlib.asynccontextmanager
async def _workers(settings: Settings) -> AsyncGenerator[Workers]:
    workers = Workers(settings)
    try:
        await workers.start(WORKERS)
        yield workers
    finally:
        await workers.stop()


async def _append(
    log: Log, plan: Plan, restart_broker: Restart, on_progress: Callable[[int, int], None]
) -> list[UUID]:
    """Append everything, again under the same ids where an ack was lost; returns the ids of the messages."""
    traffic = Traffic(people=400)
    items = chain(traffic.beginnings(), traffic.messages())
    restart_at = [plan.events * (n + 1) // (plan.restarts + 1) for n in range(plan.restarts)]
    messages: list[UUID] = []
    done, began = 0, time.monotonic()
    while done < plan.events:
        size = int(min(CHUNK, plan.rate / 4, plan.events - done)) or 1
        chunk = [(event, replace(meta, id=new_id())) for event, meta in islice(items, size)]
        if restart_at and done >= restart_at[0]:
            restart_at.pop(0)
            async with asyncio.TaskGroup() as group:
                group.create_task(restart_broker())
                group.create_task(_until_acknowledged(log, chunk))
        else:
            await _until_acknowledged(log, chunk)
        messages.extend(event.message_id for event, _ in chunk if isinstance(event, MessagePosted))
        done += size
        on_progress(done, plan.events)
        await asyncio.sleep(max(0.0, began + done / plan.rate - time.monotonic()))
    return messages


async def _until_acknowledged(log: Log, chunk: Sequence[Item]) -> None:
    while True:
        try:
            await log.append_many(chunk)
            return
        except (AppendUnknown, BrokerUnavailable):
            await asyncio.sleep(0.2)


async def _all_folded(resources: Resources) -> None:
    ends = await end_offsets(resources.settings, range(resources.settings.partitions))
    async with resources.pool.acquire() as connection:
        living = await generations(connection, states=["live"])
    while await folded(resources, living) < sum(ends.values()):  # noqa: ASYNC110  nothing wakes us
        await asyncio.sleep(0.1)


async def _look(
    resources: Resources, plan: Plan, messages: Sequence[UUID], seconds: float, workers: Workers
) -> Outcome:
    pool = resources.pool
    ends = await end_offsets(resources.settings, range(resources.settings.partitions))
    there = await pool.fetchval("SELECT count(*) FROM read.messages WHERE message_id = ANY($1)", messages)
    counted = await pool.fetchval("SELECT sum(message_count)::bigint FROM read.conversations")
    records = await pool.fetchval("SELECT sum(events)::bigint FROM read.log_counts")
    with progress_bar("folding once more, alone") as bar:
        results = await verify(resources, side_by_side=False, on_progress=bar)
    return Outcome(
        seconds=seconds,
        kills=workers.kills,
        pauses=workers.pauses,
        restarts=plan.restarts,
        records=sum(ends.values()),
        lost=len(messages) - there,
        twice=abs(counted - len(messages)) + abs(records - sum(ends.values())),
        differing=[f"{result.projection}.{table}" for result in results for table in result.differing],
        fenced=await pool.fetchval(FENCED),
    )

"""`liminal up`: one address, and nothing lost or left behind however it ends.

The tests share one stack and run in this order; those that kill it come last.
"""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import asyncpg
import psutil
import redis.asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from tests.stack.running import Stack, liminal, wait_until

from liminal.stack.embedded import Services
from liminal.stack.processes import reactions

KEPT = b"kept through every kill"
REACTIONS = tuple(process.name for process in reactions())
"""Left out where they prove nothing: their models take seconds to load."""


def test_one_address_is_printed_once_everything_answers(stack: Stack) -> None:
    said = [line.strip() for line in stack.output.splitlines() if "liminal is up" in line]
    assert said == [f"liminal is up: {stack.run.urls['web']}"]
    assert {child["state"] for child in stack.run.children.values()} == {"ready"}


def test_a_command_finds_the_stack_by_its_home(stack: Stack) -> None:
    shown = liminal("status", "--json", LIMINAL_HOME=str(stack.home))
    names = {process["name"] for process in json.loads(shown.stdout)["processes"]}
    assert names == {"supervisor", *stack.run.children}


def test_every_line_that_a_process_of_ours_logs_has_one_form(stack: Stack) -> None:
    ours = set(stack.run.children) - {"postgres", "kafka", "redis"}
    assert set(REACTIONS) <= ours
    for name in ours:
        for line in (stack.home / "logs" / f"{name}.log").read_text().splitlines():
            said = json.loads(line)
            assert said["process"] == name, line
            assert {"event", "level", "timestamp"} <= said.keys(), line


def test_only_the_owner_reads_the_passwords(stack: Stack) -> None:
    for file in ("run.json", "postgres.password", "redis.password", "redis/redis.conf"):
        assert (stack.home / file).stat().st_mode & 0o077 == 0
    assert stack.home.stat().st_mode & 0o077 == 0


def test_a_second_supervisor_may_not_share_the_home(stack: Stack) -> None:
    refused = liminal("up", LIMINAL_HOME=str(stack.home))
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(f"liminal: another stack runs in {stack.home}")


async def test_a_second_stack_with_servers_of_its_own_runs_beside_it_until_ctrl_c(
    stack: Stack, services: Services, database_url: str, tmp_path: Path
) -> None:
    second = Stack(
        tmp_path / "second",
        REACTIONS,
        environment={"DATABASE_URL": database_url, "REDIS_URL": services.redis_url},
    )
    second.start()
    family = second.family()
    assert not {"postgres", "redis"} & set(second.run.children)
    assert second.run.urls["database_url"] == database_url
    assert set(second.run.ports.values()).isdisjoint(stack.run.ports.values())
    await _write(second)
    second.send(signal.SIGINT)

    assert second.process and second.process.returncode == 0
    assert not psutil.wait_procs(family, timeout=0)[1]
    assert await _readable(stack) == [False, False, False]


def test_a_web_port_that_was_asked_for_and_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = liminal("up", LIMINAL_HOME=str(tmp_path / "home"), LIMINAL_PORT=str(port))
    said = f"liminal: LIMINAL_PORT can't be used: something listens on 127.0.0.1:{port} already."
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, said)


def test_a_child_that_ends_is_started_again_and_said_so(stack: Stack) -> None:
    killed = stack.run.children["redis"]["pid"]
    psutil.Process(killed).kill()
    wait_until(lambda: stack.run.children["redis"]["restarts"] == 1)
    wait_until(lambda: stack.run.children["redis"]["state"] == "ready")
    assert stack.run.children["redis"]["pid"] != killed
    ended = stack.events("child ended")[-1]
    assert (ended["child"], ended["how"], ended["restart_in_s"]) == ("redis", "SIGKILL", 0.5)


async def test_no_child_survives_the_supervisor_and_nothing_is_lost(stack: Stack) -> None:
    await _write(stack)
    family = stack.family()
    stack.send(signal.SIGKILL)
    assert not psutil.wait_procs(family, timeout=10)[1], "children are left"

    stack.without = REACTIONS
    stack.start()
    assert await _readable(stack) == [True, True, True]


async def test_after_kill_9_of_everything_it_starts_with_nothing_lost(stack: Stack) -> None:
    stack.kill_everything()
    stack.start()
    assert await _readable(stack) == [True, True, True]


async def _write(stack: Stack) -> None:
    """Leave one thing in each of the three services, acknowledged."""
    urls = stack.run.urls
    connection = await asyncpg.connect(urls["database_url"])
    await connection.execute("CREATE TABLE kept (what bytea)")
    await connection.execute("INSERT INTO kept VALUES ($1)", KEPT)
    await connection.close()
    client = redis.asyncio.from_url(urls["redis_url"])
    await client.set(_key(stack), KEPT)
    await client.aclose()
    async with AIOKafkaProducer(
        bootstrap_servers=urls["kafka_bootstrap_servers"], acks="all", enable_idempotence=True
    ) as producer:
        await producer.send_and_wait("liminal.events", KEPT, partition=0)


async def _readable(stack: Stack) -> list[bool]:
    """Whether Postgres, Redis and the log still hold what _write left."""
    urls = stack.run.urls
    connection = await asyncpg.connect(urls["database_url"])
    rows = await connection.fetchval("SELECT to_regclass('kept')") and await connection.fetchval(
        "SELECT what FROM kept"
    )
    await connection.close()
    client = redis.asyncio.from_url(urls["redis_url"])
    value = await client.get(_key(stack))
    await client.aclose()
    async with AIOKafkaConsumer(
        "liminal.events",
        bootstrap_servers=urls["kafka_bootstrap_servers"],
        auto_offset_reset="earliest",
    ) as consumer:
        batches = await consumer.getmany(timeout_ms=1000)
    values = {record.value for records in batches.values() for record in records}
    return [rows == KEPT, value == KEPT, KEPT in values]


def _key(stack: Stack) -> str:
    return f"kept:{stack.home}"

"""A child process as data: what runs, when it is ready, what it waits for, how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAUNCH = str(Path(__file__).with_name("launch.py"))


@dataclass(frozen=True)
class Step:
    """A command that must succeed before the child's own command runs."""

    command: tuple[str, ...]
    stdin: str = ""


def launch_command(
    command: Sequence[str],
    *,
    orphan_signal: signal.Signals = signal.SIGKILL,
    user: tuple[int, int] | None = None,
    first: Sequence[Step] = (),
) -> list[str]:
    """What to execute so that ``command`` becomes a child that ends with this process; see ``launch``."""
    plan = {
        "parent": os.getpid(),
        "orphan_signal": int(orphan_signal),
        "user": user,
        "first": [{"command": step.command, "stdin": step.stdin} for step in first],
        "command": command,
    }
    return [sys.executable, "-S", "-E", LAUNCH, json.dumps(plan)]


def nothing_first() -> Sequence[Step]:
    """No steps."""
    return ()


@dataclass(frozen=True)
class Child:
    """One row of the supervisor's table.

    first: steps before the command, asked for at every start.
    ready: answers within a second; raises OSError or returns False until the child serves.
    after: names of the children that must be ready before this one starts; it is stopped before them.
    optional: the others are worth starting without it.
    descriptors: open files it inherits under the same numbers.
    user: (uid, gid) to run as, None for our own.
    stop_signal: asks for an orderly end; SIGKILL follows after stop_within seconds.
    orphan_signal: what the kernel sends when the supervisor is gone.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    first: Callable[[], Sequence[Step]] = nothing_first
    after: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    optional: bool = False
    descriptors: tuple[int, ...] = ()
    user: tuple[int, int] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 10.0
    orphan_signal: signal.Signals = signal.SIGKILL


def answers_http(host: str, port: int, path: str) -> bool:
    """True when GET path answers 200."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def answers_postgres(pg_isready: str, port: int) -> bool:
    """True when Postgres accepts connections (pg_isready: 0 accepting, 1 starting, 2 silent)."""
    command = [pg_isready, "-q", "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    return subprocess.run(command, check=False).returncode == 0


def answers_redis(port: int, password: str) -> bool:
    """True when Redis answers PING, which it does not while it loads its file."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        reply = b""
        while reply.count(b"\r\n") < 2:
            received = connection.recv(256)
            if not received:
                return False
            reply += received
    return reply.endswith(b"+PONG\r\n")


def answers_kafka(port: int) -> bool:
    """True when the broker answers a Metadata request (v5) and names at least one live broker.

    An open port is too little: the broker accepts before it serves.
    """
    client = b"liminal"
    header = struct.pack(f">hhih{len(client)}s", 3, 5, 1, len(client), client)
    request = header + struct.pack(">i?", 0, False)
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.settimeout(1)
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            head = stream.read(4 + 12)
    if len(head) < 16:
        return False
    _, correlation, _, brokers = struct.unpack(">iiii", head)
    return correlation == 1 and brokers > 0

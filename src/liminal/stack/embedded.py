"""The embedded services of one home: which parts run, on which ports, with which passwords."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from liminal.settings import SERVICE_VARIABLES, Settings
from liminal.stack import kafka, postgres, redis
from liminal.stack.child import Child
from liminal.stack.home import Run, last_run, locked, write_run
from liminal.stack.supervisor import Supervisor, end_leftovers


@dataclass(frozen=True)
class Services:
    """Where the three services answer."""

    database_url: str
    kafka_bootstrap_servers: str
    redis_url: str


class Ports:
    """Free ports of 127.0.0.1; the number of the last run is taken again while it is free."""

    def __init__(self, preferred: dict[str, int]) -> None:
        self._preferred = preferred
        self.chosen: dict[str, int] = {}

    def choose(self, name: str) -> int:
        """A port nobody listens on now; the same one for the same name."""
        if name not in self.chosen:
            self.chosen[name] = free_port(self.last(name))
        return self.chosen[name]

    def last(self, name: str) -> int:
        """The port of that name in the last run; 0 when there was none."""
        return self._preferred.get(name, 0)


def free_port(preferred: int = 0) -> int:
    """The preferred port of 127.0.0.1 if it is free, else any that is."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
    raise OSError("no port of 127.0.0.1 is free")


def embedded_children(settings: Settings, ports: Ports) -> tuple[list[Child], Settings]:
    """The children for each service whose URL is not set, and the settings with all three URLs."""
    home = settings.home
    children: list[Child] = []
    urls: dict[str, str] = {}
    if not settings.database_url:
        port, password = ports.choose("postgres"), _secret(home / "postgres.password")
        children.append(postgres.server(home, port, password))
        urls["database_url"] = f"postgresql://{postgres.USER}:{password}@127.0.0.1:{port}/{postgres.DATABASE}"
    if not settings.kafka_bootstrap_servers:
        port = ports.choose("kafka")
        children.append(kafka.broker(home, settings.cache, port, ports.choose("kafka_controller")))
        urls["kafka_bootstrap_servers"] = f"127.0.0.1:{port}"
    if not settings.redis_url:
        port, password = ports.choose("redis"), _secret(home / "redis.password")
        children.append(redis.server(home, settings.cache, port, password))
        urls["redis_url"] = f"redis://:{password}@127.0.0.1:{port}/0"
    return children, settings.model_copy(update=urls)


@contextlib.contextmanager
def prepared_home(home: Path) -> Generator[Ports]:
    """Hold the home, with whatever a killed predecessor left running ended."""
    with locked(home):
        before = last_run(home)
        if before:
            end_leftovers(before.children)
        yield Ports(before.ports if before else {})


@contextlib.contextmanager
def embedded_services(settings: Settings) -> Generator[Services]:
    """Run only the services, as tests and single tools need them; blocks until they answer.

    They end with the context, and with the thread that entered it.
    """
    with prepared_home(settings.home) as ports:
        children, resolved = embedded_children(settings, ports)
        urls = {name: getattr(resolved, name) for name in SERVICE_VARIABLES}

        def save() -> None:
            write_run(settings.home, Run(os.getpid(), urls, ports.chosen, supervisor.children()))

        supervisor = Supervisor(settings.home / "logs", save)
        supervisor.add(children)
        try:
            supervisor.start()
            yield Services(**urls)
        finally:
            supervisor.stop()


def _secret(file: Path) -> str:
    """A password made once and kept with mode 0600."""
    if not file.exists():
        new = file.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(24))
        new.replace(file)
    return file.read_text()

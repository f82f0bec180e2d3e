"""``liminal up``: the whole stack under one supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Collection, Generator
from types import FrameType

import structlog

from liminal.engine.choice import chosen_name
from liminal.engine.default_model import NAME, fetch_default_model
from liminal.memory import give_memory_back
from liminal.settings import SERVICE_VARIABLES, Settings
from liminal.stack.boot import boot
from liminal.stack.embedded import embedded_children, prepared_home
from liminal.stack.errors import PortInUse, StackError
from liminal.stack.home import Run, write_run
from liminal.stack.processes import own_children, own_processes
from liminal.stack.supervisor import Supervisor

log = structlog.get_logger("liminal.stack")

WATCH_EVERY = 0.2
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _End(BaseException):
    """A signal asked the supervisor to end; not an Exception, so that no handler on the way swallows it."""


def run_stack(settings: Settings, without: Collection[str] = ()) -> None:
    """Run until a signal asks for the end; prints the address once everything answers.

    ``without`` names processes of liminal that run elsewhere. Raises HomeInUse, PortInUse, and ChildFailed
    when a child can't start at all.
    """
    settings = settings.model_copy(
        update={"home": settings.home.absolute(), "cache": settings.cache.absolute()}
    )
    began = time.monotonic()
    bring_default_model(settings)
    processes = own_processes(without)
    with prepared_home(settings.home) as ports, web_socket(settings, ports.last("web")) as web:
        ports.chosen["web"] = web.getsockname()[1]
        services, resolved = embedded_children(settings, ports)
        urls = {name: getattr(resolved, name) for name in SERVICE_VARIABLES}
        urls["web"] = address = web_address(settings.host, ports.chosen["web"])

        def save() -> None:
            write_run(settings.home, Run(os.getpid(), urls, ports.chosen, supervisor.children()))

        supervisor = Supervisor(settings.home / "logs", save)
        with ending_in_order(supervisor):
            supervisor.add(services)
            supervisor.start()
            asyncio.run(boot(resolved))
            supervisor.add(own_children(processes, resolved, [child.name for child in services], web))
            missing = supervisor.start()
            log.info("stack up", seconds=round(time.monotonic() - began, 1), missing=missing)
            print(f"\n  liminal is up: {address}", flush=True)
            for name in missing:
                print(f"  but {name} does not run; it is tried again and again: {supervisor.log_file(name)}")
            print("  Ctrl-C stops it.\n", flush=True)
            give_memory_back()
            while True:
                time.sleep(WATCH_EVERY)
                supervisor.tick()


def bring_default_model(settings: Settings) -> None:
    """Fetch the default model where it will answer and is not here. Raises BackendUnavailable."""
    if settings.backend == "jax" and chosen_name(settings) == NAME:
        fetch_default_model(settings.cache, lambda line: print(line, flush=True))


def web_socket(settings: Settings, preferred: int = 0) -> socket.socket:
    """Listen for the web: on the port asked for, else on the last one, on 8800, or on any that is free.

    Raises PortInUse when the one that was asked for is taken, and StackError when the host isn't ours.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    ports = [settings.port] if settings.port_is_fixed else [preferred, settings.port, 0]
    for port in ports:
        try:
            return socket.create_server((settings.host, port), family=family, backlog=1024)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise StackError(f"nothing can listen on {settings.host}:{port}: {error.strerror}") from error
    raise PortInUse(
        f"LIMINAL_PORT can't be used: something listens on {settings.host}:{settings.port} already.",
        port=settings.port,
    )


def web_address(host: str, port: int) -> str:
    """The address to open in a browser on this machine."""
    reachable = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://{reachable}:{port}"


@contextlib.contextmanager
def ending_in_order(supervisor: Supervisor) -> Generator[None]:
    """Stop the children in order when the block ends, by a signal or otherwise; a second signal kills."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise _End(signal.Signals(number).name)

    def kill(_number: int, _frame: FrameType | None) -> None:
        supervisor.kill()

    before = {number: signal.signal(number, end) for number in ENDING_SIGNALS}
    try:
        yield
    except _End as reason:
        log.info("stopping", signal=str(reason))
    finally:
        for number in ENDING_SIGNALS:
            signal.signal(number, kill)
        supervisor.stop()
        log.info("stopped")
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stderr.flush()

"""liminal's own processes, as data: a row per process, and a row per file or folder in consumers/.

compose.yaml runs the same commands, one a container; a test compares the two.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from liminal.settings import SERVICE_VARIABLES, Settings
from liminal.stack.child import Child, answers_http
from liminal.stack.errors import StackError
from liminal.stack.ready import withdraw_ready

ROOT = Path(__file__).resolve().parents[3]
"""The checkout: consumers/, projections/ and ui/ lie beside src/."""


@dataclass(frozen=True)
class Process:
    """One of liminal's own processes.

    module, arguments: ``python -m module arguments``.
    web: it gets the listening web socket; the supervisor holds it, so that while this process is started
        again a browser waits and is not refused.
    ready_path: path that must answer 200 on the web port once the process has announced itself (stack.ready).
    after: processes that must be ready before it, besides the services.
    optional: liminal is worth starting without it.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    web: bool = False
    ready_path: str | None = None
    after: tuple[str, ...] = ()
    optional: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """The command line for this Python."""
        return (sys.executable, "-m", self.module, *self.arguments)


PROCESSES: tuple[Process, ...] = (
    Process("projector", "liminal.cli", ("projector", "--instance", "%h")),
    Process("api", "liminal.cli", ("api",), web=True, ready_path="/readyz"),
)


def reactions(folder: Path = ROOT / "consumers") -> list[Process]:
    """A process per reaction: every ``<name>.py`` or folder with a ``__main__.py`` in consumers/."""
    files = [file.stem for file in folder.glob("*.py")]
    packages = [file.parent.name for file in folder.glob("*/__main__.py")]
    names = sorted(name for name in (*files, *packages) if not name.startswith("_"))
    return [Process(name, f"consumers.{name}", after=("projector",), optional=True) for name in names]


def own_processes(without: Collection[str] = ()) -> list[Process]:
    """Every process of liminal but those that run elsewhere.

    Raises StackError when one of those names is unknown.
    """
    processes = [*PROCESSES, *reactions()]
    unknown = set(without) - {process.name for process in processes}
    if unknown:
        names = ", ".join(process.name for process in processes)
        raise StackError(f"there is no process {', '.join(sorted(unknown))}; there are {names}")
    return [process for process in processes if process.name not in without]


def own_children(
    processes: Sequence[Process], settings: Settings, services: Sequence[str], web: socket.socket
) -> list[Child]:
    """The processes as children of this stack, after the services that were started here.

    ``settings`` hold the resolved service URLs; ``web`` is the listening web socket.
    """
    shared = {
        **{variable: getattr(settings, field) for field, variable in SERVICE_VARIABLES.items()},
        "LIMINAL_HOME": str(settings.home),
        "LIMINAL_CACHE": str(settings.cache),
        "LIMINAL_PORT": str(web.getsockname()[1]),
    }
    here = {process.name for process in processes}
    return [
        _child(process, settings, [*services, *(here & set(process.after))], web, shared)
        for process in processes
    ]


def _child(
    process: Process,
    settings: Settings,
    after: Sequence[str],
    web: socket.socket,
    shared: Mapping[str, str],
) -> Child:
    announced, port = settings.home / "ready" / process.name, web.getsockname()[1]
    environment = {**shared, "LIMINAL_READY_FILE": str(announced)}
    if process.web:
        environment["LIMINAL_WEB_FD"] = str(web.fileno())

    def forget() -> tuple[()]:
        withdraw_ready(announced)
        return ()

    def ready() -> bool:
        path = process.ready_path
        return announced.exists() and (path is None or answers_http(settings.host, port, path))

    return Child(
        name=process.name,
        command=process.command,
        first=forget,
        ready=ready,
        after=tuple(after),
        environment=environment,
        optional=process.optional,
        descriptors=(web.fileno(),) if process.web else (),
    )

"""The commands that run a stack and look at it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from liminal.logging import configure_logging
from liminal.settings import Settings, load_settings, read_settings, variable
from liminal.stack.errors import StackError
from liminal.stack.home import ChildRun, Run, running

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table.")]


def up(
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="PROCESS", help="Leave out a process that runs elsewhere; may be repeated."),
    ] = None,
) -> None:
    """Start everything here and print one address.

    Kafka, Postgres and Redis start from liminal's own packages, each unless KAFKA_BOOTSTRAP_SERVERS,
    DATABASE_URL or REDIS_URL names a server; then the projector, the reactions and the web server. All state
    lies in LIMINAL_HOME, each process writes to LIMINAL_HOME/logs, and a process that ends is started again.
    Ctrl-C stops all of it in order.
    """
    from liminal.stack.up import run_stack

    settings = read_settings()
    configure_logging(settings, "supervisor")
    run_stack(settings, without or ())


def down(
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the end.")] = 60.0,
) -> None:
    """Stop the stack that runs in LIMINAL_HOME, and wait until it has ended."""
    settings = read_settings()
    run = running(settings.home)
    if run is None:
        typer.echo(f"No stack runs in {settings.home}.")
        return
    os.kill(run.pid, signal.SIGTERM)
    end = time.monotonic() + timeout
    while running(settings.home):
        if time.monotonic() > end:
            raise StackError(f"the stack in {settings.home} (pid {run.pid}) still runs after {timeout:g} s")
        time.sleep(0.1)
    typer.echo("Stopped.")


def init() -> None:
    """Create the log's topic and the schemas where they are absent, and check them where they are not.

    `liminal up` does it by itself; it is for servers of your own, once before the other processes start.
    """
    from liminal.stack.boot import boot

    settings = load_settings()
    configure_logging(settings, "init")
    asyncio.run(boot(settings))
    typer.echo(f"The topic {settings.topic} and the schemas are in place.")


def status(as_json: Json = False) -> None:
    """Show what runs, where it answers and what it weighs.

    Memory is the proportional set size of each process and its descendants: what the machine would get back.
    """
    settings = read_settings()
    run = running(settings.home)
    found: dict[str, Any] = {"home": str(settings.home), "running": run is not None}
    if run:
        found["web"] = run.urls.get("web")
        found["processes"] = rows = [
            {
                "name": name,
                "pid": child["pid"],
                "state": child["state"],
                "restarts": child["restarts"],
                "memory_mb": memory(child["pid"], descendants=name != "supervisor"),
            }
            for name, child in {"supervisor": _supervisor(run), **run.children}.items()
        ]
        found["memory_mb"] = round(sum(float(row["memory_mb"]) for row in rows), 1)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not run:
        typer.echo(f"No stack runs in {settings.home}; start one with `liminal up`.")
    else:
        _print_status(found)


def _supervisor(run: Run) -> ChildRun:
    return ChildRun(pid=run.pid, started=0.0, state="ready", restarts=0)


def _print_status(found: dict[str, Any]) -> None:
    table = Table("process", "pid", "state", "restarts", "MB", title=f"{found['home']}  {found['web']}")
    for row in found["processes"]:
        table.add_row(*(str(row[key]) for key in ("name", "pid", "state", "restarts", "memory_mb")))
    table.add_section()
    table.add_row("together", "", "", "", str(found["memory_mb"]))
    Console().print(table)


def memory(pid: int, *, descendants: bool) -> float:
    """Proportional set size of a process in MB (10^6 bytes), with its descendants if asked for."""
    try:
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if descendants else [])]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for member in family:
        try:
            total += getattr(member.memory_full_info(), "pss", 0)
        except psutil.NoSuchProcess:
            continue
    return round(total / 1e6, 1)


def show_settings(as_json: Json = False) -> None:
    """Show every setting, its value and where the value comes from; secrets stay hidden.

    docs/configuration.md says what each one is for.
    """
    settings = read_settings()
    rows = [
        {
            "variable": variable(name),
            "value": _shown(getattr(settings, name)),
            "source": "environment" if name in settings.model_fields_set else "default",
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("variable", "value", "source", "what it is")
    for row in rows:
        table.add_row(*(str(row[key]) for key in ("variable", "value", "source", "description")))
    Console().print(table)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(hidden)" if value.get_secret_value() else ""
    text = "" if value is None else str(value)
    if "://" in text:
        parts = urlsplit(text)
        if parts.password:
            text = urlunsplit(
                parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":(hidden)@"))
            )
    return text

"""``liminal training``: runs as they stand, calling them off, pausing, proof that they can be repeated."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.table import Table

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.learning.adapters import commands, library
from liminal.learning.adapters.library import RunRow
from liminal.learning.training import pausing
from liminal.log.log import Log
from liminal.settings import load_settings
from liminal.storage.postgres import connect_pool

app = typer.Typer(help="Show training runs, call them off, pause learning.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print plain JSON.")]
Tenant = Annotated[str, typer.Option(help="The tenant.")]
Run = Annotated[UUID, typer.Argument(help="A run's id.")]
SYSTEM = UUID(int=0)


@app.command("list")
def list_runs(tenant: Tenant = SYSTEM_TENANT, limit: int = 20, json: Json = False) -> None:
    """List runs: those that are open first, then the newest."""

    async def read() -> list[RunRow]:
        pool = await connect_pool(load_settings(), max_size=2)
        try:
            return await library.runs_of_tenant(pool, tenant, None, limit)
        finally:
            await pool.close()

    rows = asyncio.run(read())
    if json:
        typer.echo(orjson.dumps(rows, default=str, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table("run", "adapter", "version", "state", "step", "data", "why", "seconds", "ended as")
    for row in rows:
        step = f"{row.step}/{row.steps}" if row.step is not None else ""
        data = ", ".join(f"{count} {name}" for name, count in row.methods.items())
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        ended = row.decision or row.error_code or ""
        version = str(row.version)
        table.add_row(
            str(row.id), row.adapter or "", version, row.state, step, data, row.reason, seconds, ended
        )
    Console().print(table)


@app.command()
def cancel(run: Run) -> None:
    """Call a run off that has not ended."""

    async def call_off() -> None:
        async with Log.open(load_settings(), source="liminal/cli") as log:
            await commands.cancel(log, await library.run(log.pool, run), "cli", "admin")

    asyncio.run(call_off())
    typer.echo(f"{run} is called off.")


@app.command()
def pause(tenant: Tenant = SYSTEM_TENANT) -> None:
    """Let every run of a tenant stand still where it is; feedback is still gathered."""
    asyncio.run(_pause(tenant, True))
    typer.echo("Learning is paused.")


@app.command()
def resume(tenant: Tenant = SYSTEM_TENANT) -> None:
    """Let the runs go on."""
    asyncio.run(_pause(tenant, False))
    typer.echo("Learning goes on.")


async def _pause(tenant: str, paused: bool) -> None:
    async with Log.open(load_settings(), source="liminal/cli") as log:
        await pausing.set_paused(log, tenant, SYSTEM, paused)


@app.command()
def verify(
    run: Annotated[list[UUID] | None, typer.Argument(help="Runs; all that are done otherwise.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.")] = 5,
    json: Json = False,
) -> None:
    """Train runs again from what the log says of them, and compare the weights; status 1 when they differ.

    Weights that were lost from the blob store are put back.
    """
    # what follows imports JAX, which the other commands can do without
    from liminal.learning.training.verify import verify_runs

    found = asyncio.run(verify_runs(load_settings(), run, limit))
    if json:
        typer.echo(orjson.dumps(found, default=str, option=orjson.OPT_INDENT_2).decode())
    else:
        table = Table("run", "adapter", "version", "weights", "result")
        for item in found:
            table.add_row(
                str(item.run_id), str(item.adapter_id), str(item.version), item.recorded[:16], item.said
            )
        Console().print(table)
    if any(item.equal is False for item in found):
        raise typer.Exit(1)

"""``liminal replay``: look at the read models of a past moment."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from liminal.log.position import Position
from liminal.log.read import parse_since
from liminal.projector.resources import open_resources
from liminal.projector.scratch import drop_scratch
from liminal.replay.until import Replayed, replay_until, replays
from liminal.settings import load_settings

app = typer.Typer(
    help="The read models as they stood at a time, in a schema of their own, to be queried with SQL.",
    no_args_is_help=True,
)
console = Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="Print plain JSON.")]


@app.callback(invoke_without_command=True)
def replay(
    context: typer.Context,
    until: Annotated[
        str | None,
        typer.Option(
            help="A time (2026-11-23T17:00, 2h for two hours ago) or a position (partition:offset)."
        ),
    ] = None,
    into: Annotated[str | None, typer.Option(help="Name of the schema to make.")] = None,
    projection: Annotated[
        list[str] | None, typer.Option(help="Only this read model; may be given more than once.")
    ] = None,
    json: Json = False,
) -> None:
    """Fold the log up to a moment into a schema of its own; what lives is not touched.

    The schema holds the same views as `read`: SELECT * FROM <name>.conversations. Drop it with
    `liminal replay drop <name>`.
    """
    if context.invoked_subcommand is not None:
        return
    if until is None or into is None:
        raise typer.BadParameter("give both --until and --into", ctx=context)
    moment = parse_since(until)

    async def run() -> Replayed:
        async with open_resources(load_settings()) as resources:
            with _bar() as bar:
                task = bar.add_task("folding", total=None)
                return await replay_until(
                    resources,
                    moment,
                    into,
                    projection,
                    on_progress=lambda done, total: bar.update(task, completed=done, total=total),
                )

    done = asyncio.run(run())
    if json:
        typer.echo(orjson.dumps(done, option=orjson.OPT_NON_STR_KEYS).decode())
    else:
        typer.echo(
            f"{done.events:,} events folded into {done.schema}: {', '.join(done.projections)}.\n"
            f"Query it (SELECT * FROM {done.schema}.conversations), then: liminal replay drop {done.schema}"
        )


@app.command("what-if")
def what_if_(
    policy: Annotated[
        str, typer.Option(help="A policy in a file (TOML or JSON), or a version: policy.routing@2.")
    ],
    since: Annotated[str | None, typer.Option(help="Turns routed from then on: a time, or 2h.")] = None,
    until: Annotated[str | None, typer.Option(help="Turns routed before then.")] = None,
    owner: Annotated[UUID | None, typer.Option(help="Turns of one account.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The newest so many turns.")] = None,
    json: Json = False,
) -> None:
    """Route past turns again by another policy and show which would have gone otherwise.

    It reads, compares and changes nothing. `--policy shadow` shows what the artifact policy.routing.shadow,
    which is asked beside the live policy, would have done.
    """
    from liminal.replay.comparing import compare, print_comparison

    found = compare(policy, _time(since), _time(until), owner, limit)
    if json:
        typer.echo(orjson.dumps(found.as_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        print_comparison(found)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = parse_since(text)
    if isinstance(moment, Position):
        raise typer.BadParameter("turns are found by time, not by position")
    return moment


@app.command("list")
def list_(json: Json = False) -> None:
    """List the schemas that hold read models of the past."""

    async def run() -> list[str]:
        async with open_resources(load_settings()) as resources:
            return await replays(resources)

    names = asyncio.run(run())
    typer.echo(orjson.dumps(names).decode() if json else "\n".join(names) or "There are none.")


@app.command()
def drop(name: Annotated[str, typer.Argument(help="The schema to drop.")]) -> None:
    """Drop what a replay made."""

    async def run() -> bool:
        async with open_resources(load_settings()) as resources:
            return await drop_scratch(resources, name)

    if not asyncio.run(run()):
        typer.echo(f"No replay made a schema {name}; `liminal replay list` shows those that did.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{name} is dropped.")


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )

"""``liminal projections``: see, rebuild, switch, prove the read models. ``liminal projector``: fold them."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from liminal.logging import configure_logging
from liminal.projector.admin import Projections
from liminal.projector.garbage import collected_seldom
from liminal.projector.rebuild import Progress as Rebuilt
from liminal.projector.rebuild import plan_rebuild, run_rebuild
from liminal.projector.resources import Resources, open_resources
from liminal.projector.switch import rollback, switch
from liminal.projector.verify import hash_live, verify
from liminal.projector.worker import Worker
from liminal.settings import Settings, load_settings
from liminal.stack.ready import announce_ready

app = typer.Typer(
    help="The read models: how far they are, rebuilding them, switching, and proving them against the log.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
console, bars = Console(), Console(stderr=True)
Result = TypeVar("Result")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table.")]
Name = Annotated[str, typer.Argument(help="The read model, for example conversations.")]
Names = Annotated[list[str] | None, typer.Argument(help="Read models; all of them when none is given.")]


def _run(work: Callable[[Resources], Awaitable[Result]]) -> Result:
    settings = load_settings()
    configure_logging(settings, "projections")

    async def inside() -> Result:
        async with collected_seldom(), open_resources(settings) as resources:
            return await work(resources)

    return asyncio.run(inside())


def _print_json(value: Any) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        numeric = column.endswith(("events", "position", "end", "seconds", "fenced", "rows", "lag"))
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    return table


@contextmanager
def _bar(description: str) -> Generator[Callable[[int, int], None]]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=bars,
        transient=True,
    ) as progress:
        task = progress.add_task(description, total=None, note="")
        yield lambda done, total: progress.update(task, completed=done, total=total)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the read models: what lives, what is built or kept beside it, and how far each is."""
    found = _run(lambda resources: Projections(resources).list())
    if json:
        return _print_json(found)
    table = _table("projection", "version", "schema", "state", "events", "lag", "parked", "")
    for item in found:
        for number, version in enumerate(item["versions"]):
            lives = version["state"] == "live"
            note = "its folder has changed: rebuild it" if lives and item["changed"] else ""
            table.add_row(
                item["name"] if number == 0 else "",
                str(version["version"]),
                version["schema_name"],
                version["state"],
                f"{version['events']:,}",
                f"{item['lag_events']:,}" if lives else "",
                str(item["parked"] or "") if lives else "",
                note,
            )
    return console.print(table)


@app.command()
def lag(json: Json = False) -> None:
    """Show how far each read model is behind the log, in events and in seconds, by partition.

    The seconds are the age of the oldest event that is not folded yet. Fenced batches came too late, because
    another worker had folded them: they changed nothing.
    """
    found = _run(lambda resources: Projections(resources).lag())
    if json:
        return _print_json([item.as_dict() for item in found])
    table = _table(
        "projection", "state", "partition", "position", "end", "lag events", "lag seconds", "fenced"
    )
    for item in found:
        table.add_row(
            item.projection,
            item.state,
            str(item.partition),
            f"{item.position:,}",
            f"{item.end:,}",
            f"{item.events:,}",
            f"{item.seconds:.1f}",
            str(item.fenced),
        )
    return console.print(table)


@app.command()
def rebuild(
    names: Names = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the partitions; one a core by default.", min=1)
    ] = None,
    park: Annotated[
        bool, typer.Option(help="Park the streams of events that can't be folded, instead of stopping.")
    ] = False,
    then_switch: Annotated[
        bool, typer.Option("--switch", help="Switch to them when they are ready.")
    ] = False,
    json: Json = False,
) -> None:
    """Fold read models anew from the beginning of the log, beside the live ones.

    What lives goes on being read and folded; `switch` shows the new one. An interrupted rebuild resumes where
    it was. An event of a type that this version of liminal does not know stops it; its position is named.
    """

    async def work(resources: Resources) -> Rebuilt:
        last: list[Rebuilt] = []
        with _bar("rebuilding") as bar:

            def show(progress: Rebuilt) -> None:
                last.append(progress)
                bar(progress.done, progress.total)

            plan = await plan_rebuild(resources, names)
            await run_rebuild(resources, plan, workers=workers, park=park, on_progress=show)
        if then_switch:
            for generation in plan.generations:
                await switch(resources, generation.projection)
        return last[-1]

    done = _run(work)
    if json:
        return _print_json({**done.as_dict(), "switched": then_switch})
    names_done = ", ".join(done.projections)
    after = "they live now" if then_switch else "show them with: liminal projections switch"
    return console.print(
        f"{done.total:,} events folded at {done.rate:,.0f} a second into {names_done}; {after}"
    )


@app.command("switch")
def switch_(
    names: Names = None,
    version: Annotated[int | None, typer.Option(help="Refuse to switch to another version.")] = None,
) -> None:
    """Show rebuilt read models in place of the live ones, each in one transaction; by default all that are.

    No read fails meanwhile. The one before is kept for `rollback`.
    """

    async def work(resources: Resources) -> list[str]:
        wanted = names or await _in_state(resources, "ready")
        return [(await switch(resources, name, version)).schema for name in wanted]

    _say_live(_run(work), "Nothing is ready; begin with: liminal projections rebuild")


@app.command("rollback")
def rollback_(name: Name) -> None:
    """Show the version before again, at once; it catches up by itself. A second rollback goes forward."""

    async def work(resources: Resources) -> list[str]:
        return [(await rollback(resources, name)).schema]

    _say_live(_run(work), "")


def _say_live(schemas: Sequence[str], otherwise: str) -> None:
    for schema in schemas:
        typer.echo(f"{schema} is live.")
    if not schemas:
        typer.echo(otherwise)


async def _in_state(resources: Resources, state: str) -> list[str]:
    rows = await resources.pool.fetch(
        "SELECT projection FROM liminal.generations WHERE state = $1 ORDER BY projection", state
    )
    return [row["projection"] for row in rows]


@app.command("verify")
def verify_(names: Names = None, json: Json = False) -> None:
    """Prove that the rows are what the log says: fold it again, aside, and compare the hash of every table.

    The live read models are hashed as they stand at one moment, and go on. The status is 1 when one differs.
    """

    async def work(resources: Resources) -> list[Any]:
        with _bar("folding aside") as bar:
            return await verify(resources, names, on_progress=bar)

    found = _run(work)
    if json:
        _print_json([result.as_dict() for result in found])
    else:
        table = _table("projection", "equal", "rows", "events", "hash", "")
        for result in found:
            note = ", ".join(result.differing) or (f"{result.parked} streams parked" if result.parked else "")
            equal = "[green]yes[/]" if result.equal else "[red]no[/]"
            table.add_row(
                result.projection, equal, f"{result.rows:,}", f"{result.events:,}", result.hash[:16], note
            )
        console.print(table)
    if not all(result.equal for result in found):
        raise typer.Exit(1)


@app.command("hash")
def hash_(names: Names = None, json: Json = False) -> None:
    """Print one hash over all rows of each live read model, each at its own checkpoints.

    Two installations that folded the same log to the same place have the same hashes.
    """
    found = _run(lambda resources: hash_live(resources, names))
    if json:
        return _print_json(found)
    table = _table("projection", "hash")
    for name, value in found.items():
        table.add_row(name, value)
    return console.print(table)


@app.command()
def parked(json: Json = False) -> None:
    """List the streams that wait behind an event that could not be folded, and why."""
    found = _run(lambda resources: Projections(resources).parked())
    if json:
        return _print_json(found)
    if not found:
        return console.print("Nothing is parked.")
    table = _table("stream", "projection", "first", "type", "events", "error")
    for item in found:
        table.add_row(
            item["stream"],
            item["projection"],
            item["first_position"],
            item["type"],
            str(item["events"]),
            item["error"],
        )
    return console.print(table)


@app.command()
def retry(
    stream: Annotated[str | None, typer.Argument(help="The stream, as `parked` names it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every parked stream.")] = False,
    json: Json = False,
) -> None:
    """Fold a parked stream again, in order, in one transaction for each read model that lacks it."""
    if (stream is None) is not every:
        raise typer.BadParameter("name a stream, or say --all")
    done = _run(lambda resources: Projections(resources).retry(stream=stream))
    if json:
        _print_json(done)
    elif not done["streams"]:
        typer.echo("Nothing of that name is parked." if stream else "Nothing is parked.")
    for item in [] if json else done["streams"]:
        outcome = item["error"] or f"{item['events']} events folded"
        typer.echo(f"{item['stream']}: {item['projection']}: {outcome}")
    if any(item["error"] for item in done["streams"]):
        raise typer.Exit(1)


def projector(
    instance: Annotated[
        str | None,
        typer.Option(
            help="A name that no other worker has: whoever comes back under it goes on with its partitions "
            "at once. %h stands for this machine's name."
        ),
    ] = None,
) -> None:
    """Fold the log into the read models as it grows, until SIGTERM or Ctrl-C.

    Run as many as there are partitions: they share them out. One that is killed is missed after six seconds;
    nothing is lost or folded twice, because every batch moves a checkpoint in the transaction of its rows.
    """
    settings = load_settings()
    configure_logging(settings, "projector")
    asyncio.run(_project(settings, instance and instance.replace("%h", socket.gethostname())))


async def _project(settings: Settings, instance: str | None) -> None:
    async with _worker(settings, instance) as worker:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, worker.stop)
        await worker.run()


@asynccontextmanager
async def _worker(settings: Settings, instance: str | None) -> AsyncGenerator[Worker]:
    async with collected_seldom(), open_resources(settings) as resources:
        yield Worker(resources, instance=instance, on_ready=lambda: announce_ready(settings))

"""``liminal lineage``: which events shaped an answer. ``liminal adapters``: what serves, and what should."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.learning.adapters import commands, library
from liminal.learning.adapters.library import AdapterRow
from liminal.learning.adapters.lineage import Lineage, lineage_of
from liminal.log.log import Log
from liminal.settings import load_settings
from liminal.storage.blobs import BlobStore
from liminal.storage.postgres import connect_pool

app = typer.Typer(help="Show which events shaped an answer.", invoke_without_command=True)


@app.callback()
def lineage(
    message: Annotated[UUID, typer.Argument(help="An answer's message id.")],
    json: Annotated[bool, typer.Option("--json", help="Print plain JSON.")] = False,
) -> None:
    """Print the chain answer → adapter versions and gates → training run → feedback.

    The ids are those of the log: `liminal log inspect` shows any of the events in full.
    """
    chain = asyncio.run(_read(message))
    if json:
        typer.echo(orjson.dumps(chain.as_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(_tree(chain))


async def _read(message: UUID) -> Lineage:
    pool = await connect_pool(load_settings(), max_size=2)
    try:
        return await lineage_of(pool, message)
    finally:
        await pool.close()


def _tree(chain: Lineage) -> Tree:
    tree = Tree(f"answer [bold]{chain.message_id}[/] at {chain.position}")
    tree.add(f"model {chain.model}, seed {chain.seed}, policy version {chain.policy_version or '—'}")
    if not chain.adapters:
        tree.add("no adapter took part: the base model alone")
    for adapter in chain.adapters:
        branch = tree.add(f"adapter [bold]{adapter.name}[/] version {adapter.version}, gate {adapter.gate:g}")
        branch.add(f"weights {adapter.content_hash}")
        branch.add(f"training run {adapter.run_id}, data set {adapter.dataset_hash}")
        gate = branch.add("gate passed" if adapter.passed else "gate not passed")
        for figure in adapter.figures:
            gate.add(f"{figure['name']}: {figure['candidate']:.4f} against {figure['baseline']:.4f}")
        feedback = branch.add(f"{len(adapter.feedback)} pieces of feedback")
        for item in adapter.feedback:
            words = (item.text or "").replace("\n", " ")[:70] or (f"{item.value:+d}" if item.value else "")
            feedback.add(f"{item.kind} [dim]{item.feedback_id}[/] {words}")
    return tree


adapters = typer.Typer(help="List adapters, take them in and out, roll versions back.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print plain JSON.")]

_LIST = """
    SELECT a.name, a.kind, a.scope, a.subject, a.serving_version, v.version, v.state, v.content_hash,
           cardinality(v.feedback_ids) AS feedback
    FROM read.adapters a LEFT JOIN read.adapter_versions v USING (adapter_id)
    ORDER BY a.name, v.version
"""


@adapters.command("list")
def list_adapters(json: Json = False) -> None:
    """List every adapter with its versions."""

    async def run() -> list[dict[str, Any]]:
        pool = await connect_pool(load_settings(), max_size=2)
        try:
            return [dict(row) for row in await pool.fetch(_LIST)]
        finally:
            await pool.close()

    rows = asyncio.run(run())
    if json:
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table("adapter", "kind", "of", "version", "state", "serves", "feedback", "content")
    for row in rows:
        serves = "yes" if row["version"] is not None and row["version"] == row["serving_version"] else ""
        table.add_row(
            row["name"],
            row["kind"],
            f"{row['scope']} {row['subject']}",
            str(row["version"] or ""),
            row["state"],
            serves,
            str(row["feedback"] or 0),
            (row["content_hash"] or "")[:12],
        )
    Console().print(table)


@adapters.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A PEFT folder.", exists=True, file_okay=False)],
    name: Annotated[str, typer.Option(help="What requests call it.")],
    tenant: Annotated[str, typer.Option(help="The tenant that may use it.")] = SYSTEM_TENANT,
    budget: Annotated[
        float, typer.Option(help="Share by which the likelihood of general answers may fall.")
    ] = 0.02,
    json: Json = False,
) -> None:
    """Take in an adapter that was made elsewhere; it serves if it passes the gate.

    It is then asked for by `model: "<base>+<name>"` or by `liminal: {adapters: {<name>: <gate>}}` in
    /v1/chat/completions.
    """
    # what follows imports JAX, which the other commands can do without
    from liminal.learning.adapters.imports import Imported, import_adapter
    from liminal.learning.training.workbench import Workbench

    settings = load_settings()

    async def run() -> Imported:
        bench = await asyncio.to_thread(Workbench.load, settings)
        async with aclosing(bench), Log.open(settings, source="liminal/cli") as log:
            return await import_adapter(
                log,
                BlobStore.open(settings),
                bench.model,
                folder,
                (await bench.general("held_out")).one_form,
                name=name,
                tenant=tenant,
                actor="cli",
                budget=budget,
            )

    done = asyncio.run(run())
    figure = done.figures[0]
    if json:
        found = {"adapter_id": done.adapter_id, "version": done.version, "passed": done.passed}
        typer.echo(orjson.dumps(found | {"figures": [f.model_dump() for f in done.figures]}).decode())
    else:
        said = "passed its gate and serves" if done.passed else "did not pass its gate and does not serve"
        typer.echo(
            f"{name} version {done.version} {said}: general NLL {figure.candidate:.4f} against "
            f"{figure.baseline:.4f} of the base model."
        )
    if not done.passed:
        raise typer.Exit(1)


Adapter = Annotated[str, typer.Argument(help="An adapter's id, or its name where that is one adapter's.")]


@adapters.command("export")
def export(
    adapter: Adapter,
    folder: Annotated[Path | None, typer.Argument(help="A PEFT folder to write.", file_okay=False)] = None,
    gguf: Annotated[Path | None, typer.Option(help="A GGUF file to write, for llama.cpp.")] = None,
    version: Annotated[
        int | None, typer.Option(help="Which; by default the one that serves, else the newest.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Write an adapter for others: a folder that PEFT and vLLM load, or a file that llama.cpp loads.

    [dim]$ liminal adapters export brief --gguf brief.gguf[/]
    """
    if (folder is None) == (gguf is None):
        raise typer.BadParameter("Say either a folder or --gguf FILE.")
    # what follows imports JAX, which the other commands can do without
    from liminal.engine.choice import choose_base
    from liminal.engine.source import open_model
    from liminal.learning.adapters import exports

    settings = load_settings()

    async def run() -> int:
        pool, blobs = await connect_pool(settings, max_size=2), BlobStore.open(settings)
        try:
            row = await library.find(pool, adapter)
            chosen = exports.exported_version(row, version)
            if folder is not None:
                await exports.export_peft(pool, blobs, row, chosen, folder)
            elif gguf is not None:
                config = open_model(choose_base(settings).path).config
                await exports.export_gguf(pool, blobs, row, chosen, gguf, config)
            return chosen
        finally:
            await pool.close()

    written, target = asyncio.run(run()), str(folder or gguf)
    if json:
        typer.echo(orjson.dumps({"adapter": adapter, "version": written, "path": target}).decode())
    else:
        typer.echo(f"{adapter} version {written} is in {target}.")


Version = Annotated[int, typer.Argument(help="A version.", min=1)]


@adapters.command("rollback")
def rollback(
    adapter: Adapter,
    to: Annotated[int | None, typer.Option(help="The version that serves again.", min=1)] = None,
    reason: Annotated[str | None, typer.Option(help="Why; the words go to the log.")] = None,
    json: Json = False,
) -> None:
    """Let the version before serve again, or the base model alone where none served before."""

    async def decide(log: Log, row: AdapterRow) -> None:
        await commands.roll_back(log, row, "cli", "admin", to=to, reason=reason)

    _say(asyncio.run(_decided(adapter, decide)), json)


@adapters.command("promote")
def promote(adapter: Adapter, version: Version, json: Json = False) -> None:
    """Let a version serve that passed its gate."""

    async def decide(log: Log, row: AdapterRow) -> None:
        await commands.promote(log, row, version, "cli", "admin")

    _say(asyncio.run(_decided(adapter, decide)), json)


@adapters.command("reject")
def reject(adapter: Adapter, version: Version, json: Json = False) -> None:
    """Turn a version down that does not serve."""

    async def decide(log: Log, row: AdapterRow) -> None:
        await commands.reject(log, row, version, "cli", "admin")

    _say(asyncio.run(_decided(adapter, decide)), json)


async def _decided(named: str, decide: Callable[[Log, AdapterRow], Awaitable[None]]) -> AdapterRow:
    async with Log.open(load_settings(), source="liminal/cli") as log:
        row = await library.find(log.pool, named)
        await decide(log, row)
        return await library.adapter(log.pool, row.id)


def _say(row: AdapterRow, json: bool) -> None:
    if json:
        found = {"adapter_id": row.id, "name": row.name, "serving_version": row.serving_version}
        typer.echo(orjson.dumps(found, default=str).decode())
    else:
        serves = f"version {row.serving_version}" if row.serving_version else "the base model alone"
        typer.echo(f"{row.name}: {serves} serves.")

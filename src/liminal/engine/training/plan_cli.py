"""The command ``liminal train plan``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from liminal.engine.choice import named_model
from liminal.engine.config import ModelConfig, read_config
from liminal.engine.default_model import NAME
from liminal.engine.memory import readable
from liminal.engine.params import parameter_count
from liminal.engine.source import open_model
from liminal.engine.training.bank import TrainingBank, fresh_adapter
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.encoding import Encoded, joined
from liminal.engine.training.outlook import (
    compile_seconds,
    fitted,
    product_speed,
    run_memory,
    run_seconds,
    run_work,
)
from liminal.engine.training.plan import Item, Job, Kind, Plan

console = Console()
CHANGED = 4
"""Of so many tokens of a correction one is changed; the others are held to the base."""


def imagined_plan(
    config: ModelConfig,
    settings: TrainConfig,
    *,
    steps: int,
    corrections: int,
    prompt: int,
    answer: int,
    folds: int,
) -> tuple[Plan, TrainingBank]:
    """A run over corrections of that many tokens, replay included.

    Each fold learns all but its share, and together the folds take as many steps as the run.
    """
    rng = np.random.default_rng(0)

    def sequence(learned: int, changed: int) -> Encoded:
        tokens = rng.integers(0, config.vocab_size, prompt + learned).astype(np.int32)
        whole = joined(tokens[:prompt], tokens[prompt:])
        held = whole.learn & (np.cumsum(whole.learn) % changed != 1) if changed else whole.learn
        return Encoded(whole.tokens, whole.learn, held)

    taught = [sequence(answer, CHANGED) for _ in range(corrections)]
    general = [sequence(answer // 2, 0) for _ in range(4 * corrections)]
    jobs: list[Job] = []
    for number in range(1 + folds):
        kept = [i for i in range(corrections) if number == 0 or i % folds != number - 1] or [0]
        items = tuple(Item(number, Kind.ANSWER, (taught[i],)) for i in kept)
        replay = tuple(Item(number, Kind.ANSWER, (one,), replayed=True) for one in general)
        own = steps if number == 0 else max(1, steps // folds)
        places = tuple(place % len(items) for place in range(own * settings.batch_size))
        jobs.append(Job(str(number), items, replay, places, reference=1 + folds))
    bank = TrainingBank.of([fresh_adapter(config, settings)] * len(jobs), config)
    return fitted(Plan(jobs, settings), bank), bank


def config_of(model: str, home: Path, cache: Path) -> ModelConfig:
    """Of a model that is here; a folder may hold its config.json alone."""
    if (Path(model) / "config.json").is_file():
        return read_config(model)
    return open_model(named_model(model, home, cache)).config


# long: one line an option
def plan_command(
    model: Annotated[str, typer.Argument(help=f"A pulled model, a folder (config.json will do), or {NAME}.")],
    corrections: Annotated[int, typer.Option(min=1, max=10_000, help="How many are learned.")] = 10,
    prompt: Annotated[int, typer.Option(min=1, max=100_000, help="Tokens before an answer.")] = 48,
    answer: Annotated[int, typer.Option(min=2, max=100_000, help="Tokens of an answer.")] = 64,
    layers: Annotated[int, typer.Option(min=1, max=1000, help="Adapt the last so many layers.")] = 10,
    steps: Annotated[int, typer.Option(min=1, max=100_000, help="Optimizer steps.")] = 12,
    folds: Annotated[int, typer.Option(min=0, max=16, help="Adapters trained beside it, to judge by.")] = 2,
    replay: Annotated[float, typer.Option(min=0, max=16, help="Replayed for each of a step's own.")] = 0.8,
    micro_tokens: Annotated[int, typer.Option(min=64, max=1 << 20, help="Tokens of a pass.")] = 2048,
    memory: Annotated[float, typer.Option(min=0.1, max=4096, help="GiB beside the weights.")] = 2.0,
    home: Annotated[Path, typer.Option(envvar="LIMINAL_HOME", help="Pulled models.")] = Path(".liminal"),
    cache: Annotated[Path, typer.Option(envvar="LIMINAL_CACHE", help="Compiled programs.")] = Path(".cache"),
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Say what time and memory training will take here, before it is begun.

    The work follows from the model's shape and the run's batches; the speed is that of a product of the
    model's own shape, measured now.

    [dim]$ liminal train plan smollm2-135m-instruct --corrections 10 --answer 100[/]
    """
    config = config_of(model, home, cache)
    settings = TrainConfig(
        layers=layers,
        epochs=1,
        batch_size=min(corrections, 10),
        micro_tokens=micro_tokens,
        memory_bytes=int(memory * 2**30),
        max_length=prompt + answer,
        replay_ratio=replay,
    )
    plan, bank = imagined_plan(
        config,
        settings,
        steps=steps,
        corrections=corrections,
        prompt=prompt,
        answer=answer,
        folds=folds,
    )
    work, bytes_, speed = run_work(plan, bank), run_memory(plan, bank), product_speed(config)
    figures = {
        "seconds": run_seconds(work, speed),
        "compile_seconds": compile_seconds(bank),
        "gflop": work.total / 1e9,
        "gflop_once": (work.lower + work.teachers) / 1e9,
        "gflops_here": speed / 1e9,
        "tokens": work.tokens,
        "padded_tokens": work.padded,
        "micro_tokens": plan.config.micro_tokens,
        "memory_bytes": bytes_.total,
        "weights_bytes": 4 * parameter_count(config),
    }
    if as_json:
        typer.echo(json.dumps(figures))
        return
    table = Table(show_header=False, box=None)
    table.add_row(
        "time", f"{figures['seconds']:.0f} s, and once {figures['compile_seconds']:.0f} s to compile"
    )
    table.add_row("work", f"{work.total / 1e9:.0f} GFLOP at {speed / 1e9:.0f} GFLOP/s of a bare product here")
    table.add_row("tokens", f"{work.tokens} forward and backward, {work.padded} with padding")
    passes = f"passes of {plan.config.micro_tokens} tokens"
    weights = readable(4 * parameter_count(config))
    table.add_row("memory", f"{readable(bytes_.total)} beside {weights} of weights ({passes})")
    console.print(table)

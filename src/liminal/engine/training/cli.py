"""The command ``liminal train``."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from typer.core import TyperGroup

from liminal.engine.choice import named_model
from liminal.engine.compile_cache import keep_compiled
from liminal.engine.default_model import NAME
from liminal.engine.params import TARGETS
from liminal.engine.peft import load_adapter
from liminal.engine.training.base import BaseModel
from liminal.engine.training.config import TrainConfig
from liminal.engine.training.examples import read_examples
from liminal.engine.training.plan_cli import plan_command
from liminal.engine.training.progress import Progress
from liminal.engine.training.train import train


class Schedule(StrEnum):
    """How the learning rate falls after the warm-up."""

    constant = "constant"
    linear = "linear"
    cosine = "cosine"


class Unpaired(StrEnum):
    """The loss of thumbs."""

    auto = "auto"
    kto = "kto"
    apo_zero = "apo_zero"


DEFAULT = TrainConfig()
console = Console(stderr=True)


# long: one line an option
def train_command(
    model: Annotated[str, typer.Argument(help=f"A pulled model, a Hugging Face folder, or {NAME}.")],
    data: Annotated[
        Path, typer.Argument(help="Examples in one of TRL's formats: .jsonl, .json or .parquet.")
    ],
    out: Annotated[Path, typer.Option(help="The PEFT folder to write; a killed run goes on from it.")],
    replay: Annotated[Path | None, typer.Option(help="Answers that must not be forgotten.")] = None,
    start: Annotated[Path | None, typer.Option("--continue", help="An adapter to continue.")] = None,
    rank: Annotated[int, typer.Option(help="LoRA's r.")] = DEFAULT.rank,
    alpha: Annotated[float, typer.Option(help="LoRA's α.")] = DEFAULT.alpha,
    targets: Annotated[str, typer.Option(help="Linears to adapt, with commas.")] = ",".join(TARGETS),
    layers: Annotated[
        int | None, typer.Option(help="Adapt the last layers alone: faster.", min=1)
    ] = DEFAULT.layers,
    learning_rate: Annotated[
        float, typer.Option("--lr", help="AdamW's largest rate.")
    ] = DEFAULT.learning_rate,
    schedule: Annotated[Schedule, typer.Option(help="The rate after warm-up.")] = Schedule.linear,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = DEFAULT.epochs,
    max_steps: Annotated[int | None, typer.Option(help="End after so many steps.")] = None,
    batch_size: Annotated[int, typer.Option(help="Examples in a step.")] = DEFAULT.batch_size,
    micro_tokens: Annotated[int, typer.Option(help="Tokens in a pass.")] = DEFAULT.micro_tokens,
    max_length: Annotated[int, typer.Option(help="Longest example in tokens.")] = DEFAULT.max_length,
    beta: Annotated[float, typer.Option(help="Strength of the reference in DPO, KTO.")] = DEFAULT.beta,
    unpaired: Annotated[Unpaired, typer.Option(help="Loss of thumbs.")] = Unpaired.auto,
    kl_weight: Annotated[float, typer.Option(help="Weight of the KL to the base.")] = DEFAULT.kl_weight,
    packing: Annotated[bool, typer.Option(help="Several examples in a row.")] = DEFAULT.packing,
    remat: Annotated[bool, typer.Option(help="Recompute layers: slower, less memory.")] = DEFAULT.remat,
    seed: Annotated[int, typer.Option(help="Same data, same seed: same bytes.")] = DEFAULT.seed,
    checkpoint_every: Annotated[int, typer.Option(help="Steps.")] = DEFAULT.checkpoint_every,
    home: Annotated[Path, typer.Option(envvar="LIMINAL_HOME", help="Pulled models.")] = Path(".liminal"),
    cache: Annotated[Path, typer.Option(envvar="LIMINAL_CACHE", help="Compiled programs.")] = Path(".cache"),
    as_json: Annotated[bool, typer.Option("--json", help="A JSON line a step, for a program.")] = False,
) -> None:
    """Train a LoRA adapter and write it as a PEFT folder.

    The data's columns choose the loss: prompt+completion, messages or text are learned as they are,
    prompt+chosen+rejected by DPO, prompt+completion+label by KTO. Kinds may be mixed.

    [dim]$ liminal train .liminal/models/my-model corrections.jsonl --out adapters/brief --rank 16[/]
    """
    config = TrainConfig(
        rank=rank,
        alpha=alpha,
        targets=tuple(name.strip() for name in targets.split(",")),
        layers=layers,
        learning_rate=learning_rate,
        schedule=schedule.value,
        epochs=epochs,
        max_steps=max_steps,
        batch_size=batch_size,
        micro_tokens=micro_tokens,
        max_length=max_length,
        beta=beta,
        unpaired=unpaired.value,
        kl_weight=kl_weight,
        packing=packing,
        remat=remat,
        seed=seed,
        checkpoint_every=checkpoint_every,
    )
    examples = read_examples(data)
    keep_compiled(cache / "compiled")
    base = BaseModel.load(named_model(model, home, cache))
    continued = None if start is None else load_adapter(start, base.config)
    replayed = [] if replay is None else read_examples(replay)
    with Steps(as_json) as steps:
        adapter = train(base, examples, config, out, start=continued, replay=replayed, on_progress=steps.show)
    if as_json:
        typer.echo(json.dumps({"adapter": str(out), "content_hash": adapter.content_hash}))
    else:
        console.print(f"{len(examples)} examples are in [bold]{out}[/] ({adapter.content_hash[:12]})")


class TrainOrPlan(TyperGroup):
    """``train MODEL DATA`` needs no further name; ``train plan`` has one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the command's name before arguments that begin with none."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=TrainOrPlan,
    help="Train a LoRA adapter from a file of examples: [bold]train MODEL DATA --out FOLDER[/].",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.command("run")(train_command)
app.command("plan")(plan_command)


class Steps:
    """A bar for a person, or a JSON line a step for a program."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=console,
            disable=as_json,
        )
        self._task = self._bar.add_task("training", total=None, figures="compiling")

    def __enter__(self) -> Steps:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """One more step."""
        if self._as_json:
            typer.echo(json.dumps(asdict(progress)))
            return
        left = "" if progress.eta_seconds is None else f", {progress.eta_seconds:.0f} s left"
        figures = f"loss {progress.loss:.3f}, {progress.tokens_per_second:.0f} tokens/s{left}"
        self._bar.update(self._task, completed=progress.step, total=progress.steps, figures=figures)

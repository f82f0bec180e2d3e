"""``liminal bundled``: make, examine and describe the model that ships with liminal."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="The demonstration model that ships with liminal.", no_args_is_help=True)


@app.command()
def info() -> None:
    """What the bundled model is, as JSON."""
    from liminal.engine.bundled.folder import bundled_info

    print(json.dumps(bundled_info(), indent=1))


@app.command()
def show(
    count: Annotated[int, typer.Option(help="How many conversations.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the corpus.")] = 1,
) -> None:
    """Print conversations of the training corpus."""
    from itertools import islice

    from liminal.engine.bundled.corpus import training_conversations

    for conversation in islice(training_conversations(seed), count):
        for message in conversation.messages():
            print(f"{message['role']}: {message['content']}")
        print()


@app.command()
def make(
    run: Annotated[
        Path, typer.Option(help="Folder of the tokenizer and the checkpoint; a run in it is resumed.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write; by default the package's own.")] = None,
    steps: Annotated[int, typer.Option(help="Steps in all.")] = 9800,
    cooldown: Annotated[int, typer.Option(help="How many of the last steps lower the rate to zero.")] = 5800,
    seed: Annotated[int, typer.Option(help="Seed of weights and corpus.")] = 1,
) -> None:
    """Train tokenizer and model from the generated corpus, and write the Hugging Face folder.

    A step takes half a second of one core with AVX-512 BF16, so the default is an hour and a half.
    """
    from tokenizers import Tokenizer

    from liminal.engine.bundled.folder import card, model_path, write_folder
    from liminal.engine.bundled.network import Shape
    from liminal.engine.bundled.pretrain import Plan, pretrain
    from liminal.engine.bundled.tokenizer import train_tokenizer

    run.mkdir(parents=True, exist_ok=True)
    file = run / "tokenizer.json"
    if not file.exists():
        train_tokenizer(seed).save(str(file))
    tokenizer = Tokenizer.from_file(str(file))
    shape = Shape()
    plan = Plan(steps=steps, cooldown=cooldown, seed=seed)

    def report(row: dict[str, float]) -> None:
        print(time.strftime("%H:%M:%S"), json.dumps(row), flush=True)

    weights = pretrain(tokenizer, shape, plan, run / "checkpoint.npz", report)
    parameters = sum(value.size for value in weights.values())
    write_folder(out or model_path(), shape, weights, tokenizer, card(shape, parameters))


@app.command()
def evaluate(
    folder: Annotated[Path | None, typer.Option(help="A model folder; by default the bundled one.")] = None,
    count: Annotated[int, typer.Option(help="Held-out prompts of each category.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed of the prompts.")] = 1,
    wrong: Annotated[int, typer.Option(help="Wrong answers to print of each group.")] = 2,
) -> None:
    """Examine a model on held-out prompts and print the share of right answers by category."""
    from liminal.engine.bundled.evaluate import answers, examine, load
    from liminal.engine.bundled.folder import model_path

    model = load(folder or model_path())
    began = time.monotonic()
    scores = examine(lambda chats: answers(model, chats), seed, count)
    table = Table("held-out prompts", "asked", "right", "share", "word for word")
    for group, score in scores.items():
        shares = f"{score.right / score.asked:.1%}", f"{score.exact / score.asked:.1%}"
        table.add_row(group, str(score.asked), str(score.right), *shares)
    asked = sum(score.asked for score in scores.values())
    right = sum(score.right for score in scores.values())
    table.add_section()
    table.add_row("all", str(asked), str(right), f"{right / asked:.1%}", "")
    console = Console()
    for group, score in scores.items():
        for prompt, text, faults in score.wrong[:wrong]:
            console.print(f"[{group}] {prompt!r} → {text!r}: {'; '.join(faults)}", markup=False, style="dim")
    console.print(table)
    console.print(f"{time.monotonic() - began:.0f} s", style="dim")

"""``liminal bench``: a table of measurements, each loaded when it is called.

A room adds its benchmark with one line in BENCHES; see liminal.bench.figures.
"""

from __future__ import annotations

import signal
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from liminal.cli import load_command


class Bench(NamedTuple):
    """Where a benchmark lives (``module:function``) and its line in the list."""

    target: str
    help: str


BENCHES: dict[str, Bench] = {
    "append": Bench("liminal.bench.append:append", "Events a second onto the log, and how long one takes."),
    "fold": Bench("liminal.bench.fold:fold", "Catching up on one connection, against a bare insert."),
    "rebuild": Bench("liminal.bench.rebuild:rebuild", "A rebuild of every read model over all partitions."),
    "lag": Bench(
        "liminal.bench.lag:lag", "From append to visible, waiting, and verdicts among many writers."
    ),
    "route": Bench("liminal.bench.route:route", "Deciding what answers a turn, with and without skills."),
    "turns": Bench(
        "liminal.bench.turns:turns", "What the system adds to the engine, over the chat websocket."
    ),
    "decode": Bench("liminal.bench.engine:decode", "Tokens a second of the engine, in f32 and int8."),
    "speed": Bench("liminal.bench.engine:speed", "Steps and prompts of a model's files, as they are served."),
    "perplexity": Bench(
        "liminal.bench.engine:perplexity", "What rounded weights cost on the prose of docs/."
    ),
    "adapters": Bench("liminal.bench.engine:adapters", "What adapters cost, and a thousand of them."),
    "accelerator": Bench(
        "liminal.bench.engine:accelerator", "Tokens a second on a GPU, of Qwen3-8B's shape in bf16."
    ),
    "embed": Bench("liminal.bench.engine:embed", "Texts a second of the sentence encoder."),
    "clusters": Bench(
        "liminal.bench.clusters:clusters", "Clusters of CLINC150 against its intents, and how they keep."
    ),
    "train": Bench("liminal.bench.train:train", "The SFT step, against a bare matrix product."),
    "habits": Bench(
        "liminal.bench.habits:habits_bench", "Habits of ten corrections each: learned, judged, kept."
    ),
    "sample": Bench("liminal.bench.sample:sample", "A file of made-up conversations, to import."),
    "learn": Bench("liminal.bench.learn:learn", "From a correction to a promoted adapter; what turns pay."),
    "people": Bench(
        "liminal.bench.people:people", "People with habits, learned from and judged by checkers."
    ),
    "storm": Bench("liminal.bench.storm:storm", "Killed workers and brokers: nothing lost, nothing twice."),
}


class Benches(TyperGroup):
    """A group whose commands are rows of BENCHES, imported only when called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the table's order."""
        return list(BENCHES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that knows its line of help; what runs is loaded by resolve_command."""
        bench = BENCHES.get(cmd_name)
        return None if bench is None else TyperCommand(cmd_name, help=bench.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command; misspelt names get a suggestion."""
        self.commands = dict.fromkeys(BENCHES)  # pyright: ignore[reportAttributeAccessIssue]
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and load_command(BENCHES[str(name)].target), rest


app = typer.Typer(
    cls=Benches,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=(
        "Measure. Each bench makes a database and a topic of its own on the stack that runs, or on one that "
        "it starts in a temporary folder, and removes them. Figures are a table, or a list with --json."
    ),
)


@app.callback()
def root() -> None:
    """Its help is above."""
    # who is terminated ends what it started, as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)

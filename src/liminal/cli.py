"""The command ``liminal``: a table of rooms, each loaded when it is called.

A room adds its Typer app, or a single command's function, with one line in COMMANDS. Nothing of a room is
imported to show the list, so that ``liminal --help`` answers at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from liminal import __doc__ as SUMMARY
from liminal.errors import LiminalError


class Entry(NamedTuple):
    """Where a command lives (``module:attribute``), its line in the list, and the panel it stands in."""

    target: str
    help: str
    panel: str


RUN, LOOK = "Run", "Look"

COMMANDS: dict[str, Entry] = {
    "up": Entry("liminal.stack.cli:up", "Start everything here and print one address.", RUN),
    "api": Entry("liminal.api.cli:app", "Serve HTTP and websockets; `api spec` prints OpenAPI.", RUN),
    "down": Entry("liminal.stack.cli:down", "Stop the stack that runs in LIMINAL_HOME.", RUN),
    "init": Entry("liminal.stack.cli:init", "Create the log's topic and the schemas, once.", RUN),
    "backup": Entry("liminal.stack.backup_cli:backup", "Copy log, vault and blobs into a folder.", RUN),
    "restore": Entry("liminal.stack.backup_cli:restore", "Bring a backup into a fresh installation.", RUN),
    "status": Entry("liminal.stack.cli:status", "Show what runs, where it answers, what it weighs.", LOOK),
    "projector": Entry("liminal.projector.cli:projector", "Fold the log into the read models.", RUN),
    "log": Entry("liminal.log.cli:app", "Read the log, export it, import it.", LOOK),
    "admin": Entry("liminal.identity.cli:app", "Make, list and suspend accounts; rotate signing keys.", RUN),
    "model": Entry("liminal.engine.cli:app", "Pull, list, measure and choose base models.", RUN),
    "bundled": Entry("liminal.engine.bundled.cli:app", "Make, examine and describe the bundled model.", RUN),
    "train": Entry("liminal.engine.training.cli:app", "Train a LoRA adapter from a file of examples.", RUN),
    "projections": Entry(
        "liminal.projector.cli:app", "See, rebuild, switch and prove the read models.", LOOK
    ),
    "replay": Entry("liminal.replay.cli:app", "Look at the read models of a past moment.", LOOK),
    "bench": Entry("liminal.bench.cli:app", "Measure, and hold the figures against their goals.", LOOK),
    "adapters": Entry("liminal.learning.adapters.cli:adapters", "List adapters, take in PEFT folders.", LOOK),
    "training": Entry("liminal.learning.training.cli:app", "Training runs: list, call off, pause.", LOOK),
    "lineage": Entry("liminal.learning.adapters.cli:app", "Show which events shaped an answer.", LOOK),
    "learned": Entry(
        "liminal.learning.clusters.cli:learned", "Show what liminal has learned about an account.", LOOK
    ),
    "clusters": Entry(
        "liminal.learning.clusters.cli:clusters", "See how evidence gathers; run and verify passes.", LOOK
    ),
    "artifacts": Entry("liminal.steering.cli:app", "Read, patch and roll back what steers answers.", LOOK),
    "settings": Entry(
        "liminal.stack.cli:show_settings", "Show every setting, its value and its source.", LOOK
    ),
}

HELP = " ".join(
    (
        f"{SUMMARY}\n\nStart with [bold]liminal up[/]; it prints the address to open. Every command explains",
        "itself with [bold]--help[/]; those that read take [bold]--json[/]. They find the stack that runs in",
        "[bold]LIMINAL_HOME[/] (.liminal by default), or the servers named by [bold]DATABASE_URL[/],",
        "[bold]KAFKA_BOOTSTRAP_SERVERS[/] and [bold]REDIS_URL[/].",
    )
)


class Rooms(TyperGroup):
    """A group whose commands are rows of COMMANDS, imported only when called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that knows its line of help; what runs is loaded by resolve_command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return TyperCommand(cmd_name, help=entry.help, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command; misspelt names get a suggestion."""
        self.commands = dict.fromkeys(COMMANDS)  # pyright: ignore[reportAttributeAccessIssue]
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and load_command(COMMANDS[str(name)].target), rest


def load_command(target: str) -> Any:
    """Import ``module:attribute``, a Typer app or the function of one command, as a command."""
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, rich_markup_mode="rich")
        found.command()(function)
    return typer.main.get_command(found)


app = typer.Typer(cls=Rooms, help=HELP, no_args_is_help=True, rich_markup_mode="rich")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("liminal"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Its help is HELP."""


def main() -> None:
    """Run a command; an error of ours is one sentence and status 1, not a traceback."""
    try:
        app()
    except LiminalError as error:
        print(f"liminal: {error.message}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()

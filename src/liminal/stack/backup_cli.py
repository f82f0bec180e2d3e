"""``liminal backup`` and ``liminal restore``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from liminal.log.meter import Meter
from liminal.settings import load_settings
from liminal.stack import backup as backups


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder.", file_okay=False)],
) -> None:
    """Copy the log, the vault and the blobs into a folder, while everything runs.

    The master key is not among them: keep LIMINAL_MASTER_KEY, or the file master.key, somewhere else.
    """
    done = asyncio.run(backups.backup(load_settings(), folder, Meter))
    rows = sum(done.tables.values())
    typer.echo(f"{done.events:,} events, {rows:,} rows of the vault and {done.blobs:,} blobs in {folder}")


def restore(
    folder: Annotated[Path, typer.Argument(help="What `liminal backup` made.", exists=True, file_okay=False)],
) -> None:
    """Bring a backup into a fresh installation that has the same master key."""
    done = asyncio.run(backups.restore(load_settings(), folder, Meter))
    rows = sum(done.tables.values())
    typer.echo(f"{done.events:,} events, {rows:,} rows of the vault and {done.blobs:,} blobs are here")

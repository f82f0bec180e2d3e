"""Data keys outside a running log: for a person who holds the master key, and for exports that carry them."""

from __future__ import annotations

import base64
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import typer
from pydantic import SecretStr

from liminal.settings import Settings
from liminal.storage.errors import MasterKeyError
from liminal.storage.master_key import decode_master_key
from liminal.storage.migrate import migrate
from liminal.storage.notify import Listener
from liminal.storage.postgres import connect_pool
from liminal.storage.vault import Vault


def ask_master_key(settings: Settings) -> Settings:
    """Settings with the master key that a person gave: LIMINAL_MASTER_KEY, else typed in unseen.

    The key file is not used by itself, so that nothing is decrypted by accident. Raises MasterKeyError.
    """
    if settings.master_key.get_secret_value():
        return settings
    if not sys.stdin.isatty():
        raise MasterKeyError(
            "--decrypt needs the master key: set LIMINAL_MASTER_KEY "
            f'(of this stack: LIMINAL_MASTER_KEY="$(cat {settings.home / "master.key"})")'
        )
    text = typer.prompt("Master key (base64)", hide_input=True, err=True).strip()
    decode_master_key(text, "the master key")
    return settings.model_copy(update={"master_key": SecretStr(text)})


@asynccontextmanager
async def open_vault(settings: Settings) -> AsyncGenerator[Vault]:
    """The vault alone, without the log. Raises DatabaseUnavailable, MigrationError or MasterKeyError."""
    pool = await connect_pool(settings, max_size=2)
    try:
        await migrate(pool)
        async with Listener(settings) as listener, Vault.open(settings, pool, listener) as vault:
            yield vault
    finally:
        await pool.close()


async def export_keys(vault: Vault, owners: Iterable[str]) -> list[dict[str, Any]]:
    """The wrapped keys of these owners as JSON values; ``wrapped`` None for an erased one."""
    return [
        {"owner": owner, "wrapped": None if wrapped is None else base64.b64encode(wrapped).decode()}
        for owner, wrapped in (await vault.wrapped_keys(owners)).items()
    ]


async def import_keys(vault: Vault, lines: Iterable[dict[str, Any]]) -> int:
    """Add wrapped keys that the vault does not have; returns how many. Raises MasterKeyError."""
    return await vault.add_wrapped_keys(
        {
            line["owner"]: None if line["wrapped"] is None else base64.b64decode(line["wrapped"])
            for line in lines
        }
    )

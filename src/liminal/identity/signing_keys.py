"""Keys that sign access tokens: Ed25519, in the vault, sealed by the master key, rotated by command."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from liminal.storage.postgres import Pool
from liminal.storage.vault import DataKey, Vault

RELOAD = 5.0
"""Seconds between looks into the vault for a key that is not known here; garbage tokens cost no more."""
_LOCK = 0x6C6D6B79


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair; ``retired_at`` is set once another one signs."""

    kid: str
    private: Ed25519PrivateKey
    retired_at: datetime | None

    @property
    def public(self) -> Ed25519PublicKey:
        """What verifies its signatures."""
        return self.private.public_key()


class SigningKeys:
    """The keys of this installation, as all its processes share them."""

    def __init__(self, pool: Pool, vault: Vault) -> None:
        self._pool = pool
        self._seal = DataKey(vault.subkey("token signing keys"))
        self._keys: dict[str, SigningKey] = {}
        self._loaded_at = float("-inf")

    async def current(self) -> SigningKey:
        """The key that signs; the first one is made when there is none."""
        await self._reload_if_older_than(RELOAD)
        if key := self._signing():
            return key
        await self._create_first()
        await self._reload()
        key = self._signing()
        assert key is not None
        return key

    async def find(self, kid: str) -> SigningKey | None:
        """The key of a token's header; None when there is no such key (any more)."""
        if kid not in self._keys:
            await self._reload_if_older_than(RELOAD)
        return self._keys.get(kid)

    async def rotate(self, verify_for: timedelta) -> str:
        """Sign with a new key from now on; forget keys retired longer than ``verify_for`` ago."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(
                "UPDATE vault.signing_keys SET retired_at = now() WHERE retired_at IS NULL"
            )
            await connection.execute(
                "DELETE FROM vault.signing_keys WHERE retired_at < now() - $1::interval", verify_for
            )
            kid, sealed = self._new()
            await connection.execute(
                "INSERT INTO vault.signing_keys (kid, private_key) VALUES ($1, $2)", kid, sealed
            )
        await self._reload()
        return kid

    def _signing(self) -> SigningKey | None:
        return next((key for key in self._keys.values() if key.retired_at is None), None)

    def _new(self) -> tuple[str, str]:
        kid = secrets.token_hex(8)
        raw = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return kid, self._seal.seal(raw, kid.encode())

    async def _create_first(self) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if not await connection.fetchval("SELECT 1 FROM vault.signing_keys WHERE retired_at IS NULL"):
                kid, sealed = self._new()
                await connection.execute(
                    "INSERT INTO vault.signing_keys (kid, private_key) VALUES ($1, $2)", kid, sealed
                )

    async def _reload_if_older_than(self, seconds: float) -> None:
        if time.monotonic() - self._loaded_at >= seconds:
            await self._reload()

    async def _reload(self) -> None:
        rows = await self._pool.fetch("SELECT kid, private_key, retired_at FROM vault.signing_keys")
        self._keys = {
            row["kid"]: SigningKey(
                row["kid"],
                Ed25519PrivateKey.from_private_bytes(
                    self._seal.open(row["private_key"], row["kid"].encode())
                ),
                row["retired_at"],
            )
            for row in rows
        }
        self._loaded_at = time.monotonic()

"""The vault: one data key per owner, wrapped by the master key, deleted to forget.

Keys are cached while the process hears of erasures (``LISTEN liminal_vault``); when it may have missed one,
the cache is empty until it hears again.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liminal.settings import Settings
from liminal.storage.errors import MasterKeyError, OwnerErased
from liminal.storage.master_key import load_master_key, subkey
from liminal.storage.notify import Listener, Subscription
from liminal.storage.postgres import Pool

CHANNEL = "liminal_vault"
NONCE = 12
CACHED = 20_000
"""Most keys held in memory."""


class DataKey:
    """One owner's AES-256-GCM key (NIST SP 800-38D, 96-bit random nonces)."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plaintext: bytes, context: bytes) -> str:
        """``nonce | ciphertext | tag`` in unpadded base64url; ``context`` is authenticated, not stored."""
        nonce = os.urandom(NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, plaintext, context)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, token: str, context: bytes) -> bytes:
        """The plaintext of ``seal``. Raises ValueError for what this key did not seal in this context."""
        try:
            sealed = binascii.a2b_base64(token.encode().translate(_STANDARD) + b"==")
            return self._cipher.decrypt(sealed[:NONCE], sealed[NONCE:], context)
        except (InvalidTag, ValueError) as error:
            raise ValueError("it was not sealed by this key in this place") from error


_STANDARD = bytes.maketrans(b"-_", b"+/")


class Vault:
    """The data keys of all owners."""

    def __init__(self, pool: Pool, listener: Listener, master: bytes) -> None:
        self._pool = pool
        self._listener = listener
        self._master = master
        self._wrapping = AESGCM(master)
        self._cache: dict[str, DataKey] = {}
        self._epoch = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, pool: Pool, listener: Listener) -> AsyncGenerator[Vault]:
        """The vault of a migrated database. Makes the master key when vault and key file are both new.

        Raises MasterKeyError when the key is missing, unsafe or not the one that this vault began with.
        """
        known = await pool.fetchval("SELECT fingerprint FROM vault.master_key")
        master = load_master_key(settings, create=known is None)
        vault = cls(pool, listener, master)
        fingerprint = subkey(master, "liminal master key fingerprint")[:16]
        await pool.execute("INSERT INTO vault.master_key VALUES (1, $1) ON CONFLICT DO NOTHING", fingerprint)
        stored = await pool.fetchval("SELECT fingerprint FROM vault.master_key")
        if not hmac.compare_digest(stored, fingerprint):
            raise MasterKeyError("the master key is not the one that this vault was made with")
        subscription = Subscription(CHANNEL, vault._erased, vault._forget)
        await listener.subscribe(subscription)
        try:
            yield vault
        finally:
            listener.unsubscribe(subscription)

    def subkey(self, purpose: str) -> bytes:
        """A key derived from the master key for one purpose."""
        return subkey(self._master, purpose)

    async def data_key(self, owner: str) -> DataKey:
        """The owner's key, made at first use. Raises OwnerErased."""
        return (await self.make_keys([owner]))[owner]

    async def make_keys(self, owners: Iterable[str]) -> dict[str, DataKey]:
        """The keys of all these owners, made where missing. Raises OwnerErased for one that was erased."""
        wanted = set(owners)
        found = {owner: self._cache[owner] for owner in wanted if owner in self._cache}
        missing = sorted(wanted - found.keys())
        if missing:
            fresh = [self._wrap(owner, AESGCM.generate_key(256)) for owner in missing]
            await self._pool.execute(
                "INSERT INTO vault.data_keys (owner, wrapped) "
                "SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING",
                missing,
                fresh,
            )
            for owner, key in (await self._fetch(missing)).items():
                if key is None:
                    raise OwnerErased(owner)
                found[owner] = key
        return found

    async def data_keys(self, owners: Iterable[str]) -> dict[str, DataKey | None]:
        """The keys of these owners; None for one that was erased or never had a key."""
        cache = self._cache
        found: dict[str, DataKey | None] = {owner: cache.get(owner) for owner in owners}
        if missing := [owner for owner, key in found.items() if key is None]:
            found.update(await self._fetch(missing))
        return found

    async def erase(self, owner: str) -> bool:
        """Delete the owner's key for good, in every process. False when it was already gone.

        Postgres keeps the old row in dead pages and in its backups until they are cleaned or expire.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            changed = await connection.fetchval(
                "INSERT INTO vault.data_keys AS k (owner, wrapped, erased_at) VALUES ($1, NULL, now()) "
                "ON CONFLICT (owner) DO UPDATE SET wrapped = NULL, erased_at = now() "
                "WHERE k.erased_at IS NULL RETURNING true",
                owner,
            )
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, owner)
        self._erased(owner)
        return bool(changed)

    async def wrapped_keys(self, owners: Iterable[str]) -> dict[str, bytes | None]:
        """The keys of these owners as the vault holds them; None for an erased one, nothing for none."""
        rows = await self._pool.fetch(
            "SELECT owner, wrapped FROM vault.data_keys WHERE owner = ANY($1::text[]) ORDER BY owner",
            list(owners),
        )
        return {row["owner"]: row["wrapped"] for row in rows}

    async def add_wrapped_keys(self, keys: Mapping[str, bytes | None]) -> int:
        """Add keys wrapped by this master key, and erasures, for owners that have neither; returns how many.

        Raises MasterKeyError, and adds none, for one that another master key wrapped.
        """
        for owner, wrapped in keys.items():
            if wrapped is not None:
                self._unwrap(owner, wrapped)
        rows = await self._pool.fetch(
            "INSERT INTO vault.data_keys (owner, wrapped, erased_at) "
            "SELECT owner, wrapped, CASE WHEN wrapped IS NULL THEN now() END "
            "FROM unnest($1::text[], $2::bytea[]) AS k (owner, wrapped) ON CONFLICT DO NOTHING RETURNING 1",
            list(keys),
            list(keys.values()),
        )
        return len(rows)

    async def _fetch(self, owners: list[str]) -> dict[str, DataKey | None]:
        epoch = self._epoch
        rows = await self._pool.fetch(
            "SELECT owner, wrapped FROM vault.data_keys WHERE owner = ANY($1::text[])", owners
        )
        found: dict[str, DataKey | None] = {
            row["owner"]: None if row["wrapped"] is None else self._unwrap(row["owner"], row["wrapped"])
            for row in rows
        }
        if epoch == self._epoch and self._listener.connected:
            if len(self._cache) + len(found) > CACHED:
                self._cache.clear()
            self._cache.update((owner, key) for owner, key in found.items() if key is not None)
        return found

    def _wrap(self, owner: str, key: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._wrapping.encrypt(nonce, key, owner.encode())

    def _unwrap(self, owner: str, wrapped: bytes) -> DataKey:
        try:
            return DataKey(self._wrapping.decrypt(wrapped[:NONCE], wrapped[NONCE:], owner.encode()))
        except InvalidTag as error:
            raise MasterKeyError(f"the data key of {owner} was not wrapped by this master key") from error

    def _erased(self, owner: str) -> None:
        self._epoch += 1
        self._cache.pop(owner, None)

    def _forget(self) -> None:
        self._epoch += 1
        self._cache.clear()

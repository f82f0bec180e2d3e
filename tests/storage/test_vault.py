"""The vault: one key per owner however many ask, and none any more once it is erased."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from liminal.settings import Settings
from liminal.storage.errors import MasterKeyError, OwnerErased
from liminal.storage.master_key import FILE
from liminal.storage.migrate import migrate
from liminal.storage.notify import Listener, Subscription
from liminal.storage.postgres import Pool, connect_pool
from liminal.storage.vault import CHANNEL, DataKey, Vault

CONTEXT = b"a place"


@pytest.fixture
async def pool(settings: Settings) -> AsyncGenerator[Pool]:
    """A pool on a migrated database."""
    made = await connect_pool(settings)
    await migrate(made)
    yield made
    await made.close()


@pytest.fixture
async def vault(settings: Settings, pool: Pool) -> AsyncGenerator[Vault]:
    """A vault."""
    async with Listener(settings) as listener, Vault.open(settings, pool, listener) as opened:
        yield opened


@given(plaintext=st.binary(max_size=500), context=st.binary(max_size=50))
def test_what_a_key_sealed_it_opens_in_the_same_context_alone(plaintext: bytes, context: bytes) -> None:
    key = DataKey(os.urandom(32))
    token = key.seal(plaintext, context)
    assert key.open(token, context) == plaintext
    with pytest.raises(ValueError, match="not sealed"):
        key.open(token, context + b"!")
    with pytest.raises(ValueError, match="not sealed"):
        DataKey(os.urandom(32)).open(token, context)


@given(st.text())
def test_what_no_key_sealed_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="not sealed"):
        DataKey(os.urandom(32)).open(token, CONTEXT)


async def test_fifty_first_uses_at_once_get_one_key(settings: Settings, pool: Pool) -> None:
    owner = str(uuid.uuid4())
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(Listener(settings))
        opening = [Vault.open(settings, pool, listener) for _ in range(50)]
        vaults = [await stack.enter_async_context(vault) for vault in opening]
        keys = await asyncio.gather(*(vault.data_key(owner) for vault in vaults))
    token = keys[0].seal(b"words", CONTEXT)
    assert {key.open(token, CONTEXT) for key in keys} == {b"words"}


async def test_an_owner_who_never_wrote_has_no_key_and_reading_makes_none(vault: Vault, pool: Pool) -> None:
    assert await vault.data_keys(["nobody"]) == {"nobody": None}
    assert await pool.fetchval("SELECT count(*) FROM vault.data_keys") == 0


async def test_no_key_lies_in_the_database_in_the_clear(
    vault: Vault, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []

    class Watched(DataKey):
        def __init__(self, key: bytes) -> None:
            made.append(key)
            super().__init__(key)

    monkeypatch.setattr("liminal.storage.vault.DataKey", Watched)
    await vault.data_key("owner")
    wrapped = await pool.fetchval("SELECT wrapped FROM vault.data_keys")
    assert len(made) == 1
    assert made[0] not in wrapped


async def test_an_erased_owner_has_no_key_and_gets_none_again(vault: Vault) -> None:
    await vault.data_key("owner")
    assert await vault.erase("owner") is True
    assert await vault.data_keys(["owner"]) == {"owner": None}
    with pytest.raises(OwnerErased):
        await vault.data_key("owner")
    assert await vault.erase("owner") is False


async def test_an_owner_can_be_erased_before_the_first_key(vault: Vault) -> None:
    assert await vault.erase("owner") is True
    with pytest.raises(OwnerErased):
        await vault.data_key("owner")


async def test_an_erasure_reaches_a_vault_that_holds_the_key_in_memory(
    vault: Vault, settings: Settings, pool: Pool
) -> None:
    async with Listener(settings) as listener, Vault.open(settings, pool, listener) as other:
        await other.data_key("owner")
        await vault.erase("owner")
        async with asyncio.timeout(5):
            while (await other.data_keys(["owner"]))["owner"] is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the notification is under way


async def test_a_vault_that_hears_nothing_remembers_no_key(settings: Settings, pool: Pool) -> None:
    async with Listener(settings) as listener, Vault.open(settings, pool, listener) as vault:
        await vault.data_key("owner")
        pid = await pool.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        await pool.execute("SELECT pg_terminate_backend($1)", pid)
        async with asyncio.timeout(5):
            while listener.connected:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        # the erasure that nobody hears of
        await pool.execute("UPDATE vault.data_keys SET wrapped = NULL, erased_at = now()")
        assert await vault.data_keys(["owner"]) == {"owner": None}


async def test_a_key_that_was_being_read_when_an_erasure_was_heard_is_not_remembered(
    settings: Settings, pool: Pool
) -> None:
    heard = asyncio.Event()
    async with Listener(settings) as listener, Vault.open(settings, pool, listener) as vault:
        await listener.subscribe(Subscription(CHANNEL, lambda _: heard.set(), lambda: None))
        async with Vault.open(settings, pool, listener) as other:
            await other.data_key("owner")
        async with pool.acquire() as connection, connection.transaction(), asyncio.timeout(5):
            await connection.execute("LOCK TABLE vault.data_keys")
            reading = asyncio.create_task(vault.data_keys(["owner"]))
            await asyncio.sleep(0.05)
            await pool.execute("SELECT pg_notify($1, 'owner')", CHANNEL)
            await heard.wait()
        assert (await reading)["owner"] is not None
        await pool.execute("UPDATE vault.data_keys SET wrapped = NULL, erased_at = now()")
        assert await vault.data_keys(["owner"]) == {"owner": None}


async def test_a_master_key_is_made_once_with_mode_0600(vault: Vault, settings: Settings) -> None:
    file = settings.home / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(vault.subkey("anything")) == 32


async def test_a_master_key_file_that_others_may_read_is_refused(
    vault: Vault, settings: Settings, pool: Pool
) -> None:
    (settings.home / FILE).chmod(0o644)
    with pytest.raises(MasterKeyError, match="mode 644"):
        await reopen(settings, pool)


async def test_another_master_key_than_the_vaults_is_refused(
    vault: Vault, settings: Settings, pool: Pool
) -> None:
    other = settings.model_copy(update={"master_key": SecretStr("A" * 43 + "=")})
    with pytest.raises(MasterKeyError, match="not the one that this vault was made with"):
        await reopen(other, pool)


async def test_a_lost_master_key_is_not_made_anew(vault: Vault, settings: Settings, pool: Pool) -> None:
    (settings.home / FILE).unlink()
    with pytest.raises(MasterKeyError, match="put the file back"):
        await reopen(settings, pool)
    assert not (settings.home / FILE).exists()


async def test_wrapped_keys_of_another_master_key_are_refused(vault: Vault) -> None:
    with pytest.raises(MasterKeyError, match="not wrapped by this master key"):
        await vault.add_wrapped_keys({"owner": os.urandom(60)})


async def test_added_keys_never_bring_an_erased_owner_back(vault: Vault, pool: Pool) -> None:
    await vault.data_key("owner")
    kept = await vault.wrapped_keys(["owner"])
    await vault.erase("owner")
    assert await vault.add_wrapped_keys(kept) == 0
    assert await vault.data_keys(["owner"]) == {"owner": None}


async def reopen(settings: Settings, pool: Pool) -> None:
    async with Listener(settings) as listener, Vault.open(settings, pool, listener):
        raise AssertionError("it opened")


async def test_the_database_holds_no_key_that_is_neither_wrapped_nor_erased(vault: Vault, pool: Pool) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("INSERT INTO vault.data_keys (owner) VALUES ('owner')")

"""Passwords: policy, hashes, and time that tells nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Generator

import pytest

from liminal.identity.errors import WeakPassword
from liminal.identity.passwords import AT_ONCE, Passwords, check_password_policy


@pytest.fixture
def passwords() -> Generator[Passwords]:
    made = Passwords()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "too_short"),
        ("x" * 257, "too_long"),
        ("password1234", "guessable"),
        ("qwertyuiop123", "guessable"),
        ("aaaaaaaaaaaaaaaa", "guessable"),
        ("ada.lovelace@example.org", "guessable"),
        ("ada.lovelace1", "guessable"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused_with_its_reason(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        check_password_policy(password, "ada.lovelace@example.org", "Ada")
    assert refused.value.details["reason"] == reason


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "ein langer Satz mit Ümlauten",
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. " * 3,
    ],
)
def test_any_characters_and_long_sentences_are_passwords(password: str) -> None:
    check_password_policy(password, "ada.lovelace@example.org")


async def test_the_hash_is_argon2id_and_verifies_only_its_password(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse battery staple")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "correct horse battery staple")
    assert not await passwords.verify(stored, "correct horse battery stable")
    assert not await passwords.verify("not a hash", "correct horse battery staple")


async def test_composed_and_decomposed_letters_are_the_same_password(passwords: Passwords) -> None:
    stored = await passwords.hash("caf\u00e9 au lait, please")
    assert await passwords.verify(stored, "cafe\u0301 au lait, please")


async def test_an_account_that_does_not_exist_takes_as_long_as_a_wrong_password(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse battery staple")

    async def work(hash_: str | None) -> float:  # the processor's seconds: others' load does not count
        started = time.process_time()
        assert not await passwords.verify(hash_, "wrong")
        return time.process_time() - started

    known, unknown = [], []
    for _ in range(15):
        known.append(await work(stored))
        unknown.append(await work(None))
    assert statistics.median(unknown) == pytest.approx(statistics.median(known), rel=0.5)


async def test_hashing_leaves_the_event_loop_free_and_runs_few_at_a_time(passwords: Passwords) -> None:
    work = [asyncio.create_task(passwords.hash(f"password number {n}")) for n in range(6)]
    turns = 0
    while not all(task.done() for task in work):
        await asyncio.sleep(0.001)
        turns += 1
        assert len(passwords._pool._threads) <= AT_ONCE
    assert turns > len(work)

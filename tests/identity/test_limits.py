"""Rates and slots, decided in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from liminal.identity.errors import RateLimited, TooManyAtOnce
from liminal.identity.limits import Bucket, Limits, Rate


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def limits(redis: Redis) -> Limits:
    return Limits(redis, f"test.{uuid4().hex}")


async def test_a_burst_passes_and_the_next_request_is_told_how_long_to_wait(limits: Limits) -> None:
    bucket = Bucket("b", Rate(per_minute=60, burst=3))
    for _ in range(3):
        await limits.take(bucket)
    with pytest.raises(RateLimited) as refused:
        await limits.take(bucket)
    assert 0 < refused.value.details["retry_after"] <= 1


async def test_after_the_time_that_was_told_the_request_passes(limits: Limits) -> None:
    bucket = Bucket("b", Rate(per_minute=600, burst=1))
    await limits.take(bucket)
    with pytest.raises(RateLimited) as refused:
        await limits.take(bucket)
    await asyncio.sleep(refused.value.details["retry_after"] + 0.01)
    await limits.take(bucket)


async def test_many_at_once_get_no_more_than_the_burst(limits: Limits) -> None:
    bucket = Bucket("b", Rate(per_minute=1, burst=10))

    async def passes() -> bool:
        try:
            await limits.take(bucket)
        except RateLimited:
            return False
        return True

    assert sum(await asyncio.gather(*(passes() for _ in range(50)))) == 10


async def test_one_full_bucket_leaves_the_others_untouched(limits: Limits) -> None:
    full, roomy = Bucket("full", Rate(1, 1)), Bucket("roomy", Rate(1, 2))
    await limits.take(full)
    for _ in range(5):
        with pytest.raises(RateLimited):
            await limits.take(full, roomy)
    await limits.take(roomy)
    await limits.take(roomy)


async def test_what_is_given_back_can_be_taken_again(limits: Limits) -> None:
    bucket = Bucket("b", Rate(1, 1))
    for _ in range(5):
        await limits.take(bucket)
        await limits.give_back(bucket)
    await limits.take(bucket)
    with pytest.raises(RateLimited):
        await limits.take(bucket)


async def test_slots_are_refused_when_all_are_held_and_free_again_afterwards(limits: Limits) -> None:
    async with limits.slot("s", 2, lease=60), limits.slot("s", 2, lease=60):
        with pytest.raises(TooManyAtOnce):
            async with limits.slot("s", 2, lease=60):
                pass
    async with limits.slot("s", 2, lease=60):
        pass


async def test_the_slot_of_a_holder_that_died_frees_itself(limits: Limits) -> None:
    dead = limits.slot("s", 1, lease=0.2)
    await dead.__aenter__()
    with pytest.raises(TooManyAtOnce):
        async with limits.slot("s", 1, lease=60):
            pass
    await asyncio.sleep(0.25)
    async with limits.slot("s", 1, lease=60):
        pass


async def test_a_factor_of_zero_switches_rates_off(redis: Redis) -> None:
    off = Limits(redis, f"test.{uuid4().hex}", factor=0)
    for _ in range(100):
        await off.take(Bucket("b", Rate(1, 1)))

"""Repeated requests, too many requests."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator

import httpx
import pytest
from tests.api.installation import PASSWORD, Installation, Person, fresh_email, signup

from liminal.api.app import create_app
from liminal.api.services import Services
from liminal.identity.limits import LOGIN_OF_PAIR, PLANS


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


async def test_a_repeated_post_gets_the_first_answer_and_is_done_once(person: Person) -> None:
    headers = key()
    first = await person.browser.post("/v1/conversations", json={"title": "once"}, headers=headers)
    again = await person.browser.post("/v1/conversations", json={"title": "once"}, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len((await person.browser.get("/v1/conversations")).json()["items"]) == 1


async def test_a_key_with_another_body_is_refused(person: Person) -> None:
    headers = key()
    await person.browser.post("/v1/conversations", json={"title": "one"}, headers=headers)
    other = await person.browser.post("/v1/conversations", json={"title": "two"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["error"]["code"] == "idempotency_key_reused"


async def test_while_the_first_runs_the_second_is_told_to_wait(person: Person) -> None:
    headers, body = key(), {"name": "k", "scopes": ["models"]}
    replies = await asyncio.gather(
        *(person.browser.post("/v1/auth/api-keys", json=body, headers=headers) for _ in range(6))
    )
    statuses = [reply.status_code for reply in replies]
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len({reply.json()["key"] for reply in replies if reply.status_code == 201}) == 1
    for reply in replies:
        if reply.status_code == 409:
            assert reply.json()["error"]["code"] == "idempotency_in_progress"
            assert int(reply.headers["Retry-After"]) >= 1
    assert len((await person.browser.get("/v1/auth/api-keys")).json()["items"]) == 1


async def test_one_callers_key_is_nothing_to_another(person: Person, stranger: Person) -> None:
    headers = key()
    mine = await person.browser.post("/v1/conversations", json={"title": "mine"}, headers=headers)
    theirs = await stranger.browser.post("/v1/conversations", json={"title": "mine"}, headers=headers)
    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine.json()["id"]


async def test_a_kept_answer_that_holds_a_secret_is_not_readable_in_redis(person: Person) -> None:
    body = {"name": "k", "scopes": ["models"]}
    made = (await person.browser.post("/v1/auth/api-keys", json=body, headers=key())).json()["key"]
    redis = person.installation.services.redis
    prefix = f"{person.installation.settings.topic}:idempotency:*"
    names = [name async for name in redis.scan_iter(prefix)]
    assert names
    for name in names:
        assert made.encode() not in b"".join((await redis.hgetall(name)).values())


async def test_a_refused_request_keeps_its_answer_too(
    installation: Installation, founders: list[Person]
) -> None:
    headers, client = key(), installation.browser()
    body = {"email": fresh_email(), "password": "password1234"}
    replies = [await client.post("/v1/auth/signup", json=body, headers=headers) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [422, 422]


async def test_a_malformed_key_is_refused(person: Person) -> None:
    for bad in ("short", "x" * 129, "white space here"):
        reply = await person.browser.post("/v1/conversations", json={}, headers={"Idempotency-Key": bad})
        assert reply.status_code == 422


@pytest.fixture(scope="module")
async def strict(installation: Installation, founders: list[Person]) -> AsyncGenerator[Installation]:
    """The same installation with its rate limits on."""
    settings = installation.settings.model_copy(update={"rate_factor": 1.0})
    async with Services.open(settings) as services:
        app = create_app(settings, services)
        app.state.services = services
        yield Installation(settings, services, app)


async def _statuses(client: httpx.AsyncClient, path: str, count: int) -> list[httpx.Response]:
    return await asyncio.gather(*(client.get(path) for _ in range(count)))


async def test_an_account_that_asks_too_often_is_told_when_to_come_back(strict: Installation) -> None:
    hasty = await signup(strict)
    burst = PLANS["free"].requests.burst
    replies = await _statuses(hasty.browser, "/v1/auth/me", burst + 60)
    refused = [reply for reply in replies if reply.status_code == 429]
    assert 10 <= len(refused) <= 60
    for reply in refused:
        assert reply.json()["error"]["code"] == "rate_limited"
        assert int(reply.headers["Retry-After"]) >= 1
    patient = await signup(strict)
    assert (await patient.browser.get("/v1/auth/me")).status_code == 200


async def test_guessing_one_password_is_slowed_down_and_its_owner_elsewhere_is_not(
    strict: Installation,
) -> None:
    victim = await signup(strict)
    guess = {"email": victim.email, "password": "a wrong guess"}
    replies = [
        await strict.browser().post("/v1/auth/login", json=guess) for _ in range(LOGIN_OF_PAIR.burst + 1)
    ]
    assert [reply.status_code for reply in replies] == [*[401] * LOGIN_OF_PAIR.burst, 429]
    right = await strict.browser().post("/v1/auth/login", json={**guess, "password": PASSWORD})
    assert right.status_code == 429
    elsewhere = httpx.AsyncClient(
        transport=httpx.ASGITransport(strict.app, client=("198.51.100.7", 1)), base_url="http://localhost"
    )
    assert (await elsewhere.post("/v1/auth/login", json={**guess, "password": PASSWORD})).status_code == 200


async def test_signing_in_often_with_the_right_password_is_no_guessing(strict: Installation) -> None:
    regular = await signup(strict)
    for _ in range(LOGIN_OF_PAIR.burst + 3):
        reply = await strict.browser().post(
            "/v1/auth/login", json={"email": regular.email, "password": PASSWORD}
        )
        assert reply.status_code == 200


async def test_one_address_cannot_make_accounts_without_end(strict: Installation) -> None:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(strict.app, client=("198.51.100.8", 1)), base_url="http://localhost"
    )
    replies = await asyncio.gather(
        *(client.post("/v1/auth/signup", json={"email": "taken", "password": "x"}) for _ in range(25))
    )
    assert {reply.status_code for reply in replies} == {422}, "a malformed signup counts as a request only"
    body = {"password": "password1234"}
    replies = [await client.post("/v1/auth/signup", json={**body, "email": fresh_email()}) for _ in range(25)]
    assert [reply.status_code for reply in replies].count(429) == 5


async def test_nobody_is_counted_by_address_and_a_wrong_token_like_nobody(strict: Installation) -> None:
    for number, headers in enumerate(({}, {"Authorization": "Bearer lik_guess"})):
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(strict.app, client=(f"198.51.100.{10 + number}", 1)),
            base_url="http://localhost",
            headers=headers,
        )
        replies = await _statuses(client, "/v1/auth/me", 150)
        assert {reply.status_code for reply in replies} == {401, 429}
        assert (await client.get("/healthz", headers={"Authorization": ""})).status_code in (200, 401, 429)

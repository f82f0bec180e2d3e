"""Sessions, API keys, second factors, suspension and tickets, over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

from tests.api.installation import PASSWORD, Installation, Person, signup
from tests.api.signing_in import api_login, bearer, code_of, events_of, with_second_factor

from liminal.identity.sessions import MOST


async def test_an_account_keeps_its_fifty_most_recent_sessions(person: Person) -> None:
    sessions = person.installation.services.identity.sessions
    for number in range(MOST + 5):
        await sessions.open(uuid.UUID(person.id), f"client {number}", "127.0.0.1")
    alive = await sessions.of_account(uuid.UUID(person.id))
    assert len(alive) == MOST
    assert {row.user_agent for row in alive} == {f"client {number}" for number in range(5, MOST + 5)}


async def test_sessions_are_listed_and_one_can_be_ended(person: Person) -> None:
    await api_login(person)
    other = person.installation.browser()
    await other.post(
        "/v1/auth/login",
        json={"email": person.email, "password": PASSWORD},
        headers={"User-Agent": "Elsewhere/1"},
    )
    items = (await person.browser.get("/v1/auth/sessions")).json()["items"]
    assert sorted(item["kind"] for item in items) == ["session", "session", "token"]
    assert [item["current"] for item in items].count(True) == 1
    elsewhere = next(item for item in items if item["user_agent"] == "Elsewhere/1")
    assert (await person.browser.delete(f"/v1/auth/sessions/{elsewhere['id']}")).status_code == 204
    assert (await other.get("/v1/auth/me")).status_code == 401
    assert len((await person.browser.get("/v1/auth/sessions")).json()["items"]) == 2


async def test_an_api_key_does_what_its_scopes_say_until_it_is_revoked(person: Person) -> None:
    made = await person.browser.post(
        "/v1/auth/api-keys", json={"name": "export", "scopes": ["conversations:read"], "expires_in_days": 1}
    )
    assert made.status_code == 201, made.text
    key, item = made.json()["key"], made.json()["item"]
    assert key.startswith(item["hint"])
    listed = await person.browser.get("/v1/auth/api-keys")
    assert [entry["id"] for entry in listed.json()["items"]] == [item["id"]]
    assert key not in listed.text
    client = person.installation.client(**bearer(key))
    assert (await client.get("/v1/conversations")).status_code == 200
    refused = await client.post("/v1/conversations", json={})
    assert refused.status_code == 403
    assert code_of(refused) == "insufficient_scope"
    assert (
        await client.post("/v1/auth/api-keys", json={"name": "more", "scopes": ["chat"]})
    ).status_code == 403
    assert (await person.browser.delete(f"/v1/auth/api-keys/{item['id']}")).status_code == 204
    assert (await client.get("/v1/conversations")).status_code == 401


async def test_a_plain_users_key_cannot_be_given_the_admin_scope(person: Person) -> None:
    reply = await person.browser.post("/v1/auth/api-keys", json={"name": "k", "scopes": ["admin"]})
    assert reply.status_code == 403


async def test_with_a_second_factor_a_password_alone_signs_nobody_in(person: Person) -> None:
    totp, _ = await with_second_factor(person)
    assert code_of(await api_login(person)) == "second_factor_required"
    assert code_of(await api_login(person, otp="000000")) == "invalid_second_factor"
    code = totp.now()
    assert (await api_login(person, otp=code)).status_code == 200
    assert code_of(await api_login(person, otp=code)) == "invalid_second_factor"
    assert (await person.browser.get("/v1/auth/me")).json()["account"]["second_factor"] is True


async def test_a_recovery_code_replaces_the_one_time_code_once(person: Person) -> None:
    _, codes = await with_second_factor(person)
    assert len(set(codes)) == 10
    written = codes[0].lower().replace("-", " ")
    assert (await api_login(person, otp=written)).status_code == 200
    assert code_of(await api_login(person, otp=codes[0])) == "invalid_second_factor"
    types = [event.type for event in await events_of(person.installation, person.id)]
    assert types.count("account.second_factor.recovered") == 1


async def test_the_second_factor_is_set_up_once_and_can_be_removed(person: Person) -> None:
    assert code_of(await person.browser.delete("/v1/auth/second-factor")) == "second_factor_inactive"
    early = await person.browser.post("/v1/auth/second-factor/confirm", json={"code": "000000"})
    assert code_of(early) == "second_factor_inactive"
    await with_second_factor(person)
    assert code_of(await person.browser.post("/v1/auth/second-factor")) == "second_factor_active"
    assert (await person.browser.delete("/v1/auth/second-factor")).status_code == 204
    assert (await api_login(person)).status_code == 200


async def test_credentials_change_only_after_the_password_was_entered_recently(person: Person) -> None:
    await person.installation.services.log.pool.execute(
        "UPDATE vault.sessions SET authenticated_at = now() - interval '1 hour' WHERE account_id = $1",
        person.id,
    )
    body = {"name": "k", "scopes": ["models"]}
    stale = await person.browser.post("/v1/auth/api-keys", json=body)
    assert stale.status_code == 403
    assert code_of(stale) == "reauthentication_required"
    wrong = await person.browser.post("/v1/auth/reauthenticate", json={"password": "wrong"})
    assert code_of(wrong) == "invalid_credentials"
    assert (
        await person.browser.post("/v1/auth/reauthenticate", json={"password": PASSWORD})
    ).status_code == 204
    assert (await person.browser.post("/v1/auth/api-keys", json=body)).status_code == 201


async def test_a_suspended_account_is_out_at_once_with_all_its_credentials(
    admin: Person, person: Person
) -> None:
    tokens = (await api_login(person)).json()
    key = (await person.browser.post("/v1/auth/api-keys", json={"name": "k", "scopes": ["models"]})).json()[
        "key"
    ]
    heard: list[Any] = []
    stop = person.installation.services.identity.signals.listen(heard.append)
    reply = await admin.browser.post(f"/v1/admin/accounts/{person.id}/suspend", json={"reason": "spam"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["suspended"] is True
    client = person.installation.client()
    assert (await person.browser.get("/v1/auth/me")).status_code == 401
    for token in (tokens["access_token"], key):
        assert (await client.get("/v1/models", headers=bearer(token))).status_code == 401
    refreshed = await client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401
    assert code_of(await api_login(person)) == "account_suspended"
    assert [str(revocation.account_id) for revocation in heard] == [person.id]
    stop()
    await admin.browser.post(f"/v1/admin/accounts/{person.id}/reinstate", json={})
    assert (await api_login(person)).status_code == 200


async def test_a_socket_ticket_stands_for_its_credential_once(person: Person) -> None:
    identity = person.installation.services.identity
    ticket = (await person.browser.post("/v1/auth/ws-ticket")).json()["ticket"]
    actor = await identity.actor_of_ticket(ticket)
    assert actor is not None
    assert str(actor.account_id) == person.id
    assert await identity.actor_of_ticket(ticket) is None
    late = (await person.browser.post("/v1/auth/ws-ticket")).json()["ticket"]
    await person.browser.post("/v1/auth/logout")
    assert await identity.actor_of_ticket(late) is None


async def test_sessions_end_when_unused_for_long_and_are_purged(installation: Installation) -> None:
    person = await signup(installation)
    pool, sessions = installation.services.log.pool, installation.services.identity.sessions
    await pool.execute(
        "UPDATE vault.sessions SET last_used_at = now() - interval '8 days' WHERE account_id = $1",
        person.id,
    )
    assert (await person.browser.get("/v1/auth/me")).status_code == 401
    assert await sessions.purge() >= 1

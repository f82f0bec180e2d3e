"""Signup, login, sessions, tokens, keys and the second factor, over HTTP."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import httpx
import jwt
import pytest
from tests.api.installation import PASSWORD, Installation, Person, fresh_email
from tests.api.signing_in import api_login, bearer, code_of, events_of, with_second_factor

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.identity.tokens import ACCESS_LIFETIME


async def test_the_first_account_and_only_the_first_is_the_admin(founders: list[Person]) -> None:
    assert sorted(person.account["role"] for person in founders) == ["admin", *["user"] * 5]
    assert {person.account["tenant_id"] for person in founders} == {SYSTEM_TENANT}


async def test_who_signs_up_is_signed_in_and_reads_its_own_account(person: Person) -> None:
    reply = await person.browser.get("/v1/auth/me")
    assert reply.json() == {"account": person.account}
    assert person.account["second_factor"] is False


async def test_an_address_has_one_account_however_it_is_written(
    installation: Installation, person: Person
) -> None:
    reply = await installation.browser().post(
        "/v1/auth/signup", json={"email": f" {person.email.upper()} ".strip(), "password": PASSWORD}
    )
    assert reply.status_code == 409
    assert code_of(reply) == "email_taken"


async def test_of_many_who_want_one_address_at_once_one_gets_it(
    installation: Installation, founders: list[Person]
) -> None:
    body = {"email": fresh_email(), "password": PASSWORD}
    replies = await asyncio.gather(
        *(installation.browser().post("/v1/auth/signup", json=body) for _ in range(6))
    )
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 5]


async def test_a_signup_that_died_half_way_leaves_the_address_to_the_next(
    installation: Installation, founders: list[Person]
) -> None:
    email, accounts = fresh_email(), installation.services.identity.accounts
    pool = installation.services.log.pool
    held = (
        await installation.services.log.claim("email", email, dead := "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f")
    ).hash
    await pool.execute(
        """INSERT INTO vault.credentials (account_id, email_hash, password_hash, created_at)
           VALUES ($1::text::uuid, $2, 'dead', now() - interval '2 minutes')""",
        dead,
        accounts.email_hash(email),
    )
    reply = await installation.browser().post("/v1/auth/signup", json={"email": email, "password": PASSWORD})
    assert reply.status_code == 201, reply.text
    assert reply.json()["account"]["id"] == dead
    assert held


async def test_the_tenant_of_the_installation_came_to_be_once(admin: Person) -> None:
    rows = await admin.installation.services.log.pool.fetch("SELECT tenant_id, name FROM read.tenants")
    assert ("liminal", SYSTEM_TENANT) in {(row["name"], row["tenant_id"]) for row in rows}
    assert len({row["tenant_id"] for row in rows}) == len(rows)


async def test_events_carry_the_correlation_id_of_their_request(person: Person) -> None:
    own = "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f"
    await person.browser.post("/v1/conversations", json={}, headers={"X-Correlation-Id": own})
    assert (await events_of(person.installation, person.id))[-1].correlation == own


async def test_the_password_and_the_address_in_the_clear_never_enter_the_log(
    installation: Installation, person: Person
) -> None:
    events = await events_of(installation, person.id)
    assert [event.type for event in events] == ["account.created", "account.session.created"]
    text = repr([event.as_dict() for event in events])
    assert person.email not in text
    assert PASSWORD not in text


@pytest.mark.parametrize("password", ["short", "password1234"])
async def test_a_weak_password_is_refused_with_a_reason(installation: Installation, password: str) -> None:
    reply = await installation.browser().post(
        "/v1/auth/signup", json={"email": fresh_email(), "password": password}
    )
    assert reply.status_code == 422
    assert code_of(reply) == "weak_password"


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(person: Person) -> None:
    client = person.installation.browser()
    wrong = await client.post("/v1/auth/login", json={"email": person.email, "password": "not the password"})
    unknown = await client.post(
        "/v1/auth/login", json={"email": fresh_email(), "password": "not the password"}
    )
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert code_of(wrong) == "invalid_credentials"


async def test_logout_ends_this_session_and_no_other(person: Person) -> None:
    other = person.installation.browser()
    await other.post("/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    stolen = dict(person.browser.cookies)
    assert (await person.browser.post("/v1/auth/logout")).status_code == 204
    assert not person.browser.cookies
    thief = person.installation.browser()
    thief.cookies.update(stolen)
    assert (await thief.get("/v1/auth/me")).status_code == 401
    assert (await other.get("/v1/auth/me")).status_code == 200


async def test_logout_all_ends_every_session_and_token(person: Person) -> None:
    tokens = (await api_login(person)).json()
    assert (await person.browser.post("/v1/auth/logout-all")).status_code == 204
    client = person.installation.client()
    assert (await client.get("/v1/auth/me", headers=bearer(tokens["access_token"]))).status_code == 401
    refreshed = await client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401


async def test_an_access_token_is_short_signed_and_names_its_family(person: Person) -> None:
    tokens = (await api_login(person)).json()
    assert tokens["expires_in"] == ACCESS_LIFETIME.total_seconds()
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["sub"] == person.id
    assert claims["exp"] - claims["iat"] == ACCESS_LIFETIME.total_seconds()
    me = await person.installation.client().get("/v1/auth/me", headers=bearer(tokens["access_token"]))
    assert me.json() == {"account": person.account}


async def test_a_token_that_is_not_ours_is_refused_in_every_form(person: Person) -> None:
    good = (await api_login(person)).json()["access_token"]
    head, claims, signature = good.split(".")
    payload = jwt.decode(good, options={"verify_signature": False})
    header = {"kid": jwt.get_unverified_header(good)["kid"]}
    unsigned = jwt.encode(payload, None, "none", headers=header)
    by_public_key = jwt.encode(payload, "x" * 32, "HS256", headers=header)
    expired = await _signed(person, {**payload, "exp": int(time.time()) - 1})
    elsewhere = await _signed(person, {**payload, "aud": "someone else"})
    for token in (
        "garbage",
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[:-4]}AAAA",
        unsigned,
        by_public_key,
        expired,
        elsewhere,
    ):
        reply = await person.installation.client().get("/v1/auth/me", headers=bearer(token))
        assert reply.status_code == 401, token
        assert code_of(reply) == "invalid_token"


async def _signed(person: Person, claims: dict[str, Any]) -> str:
    key = await person.installation.services.identity.signing_keys.current()
    return jwt.encode(claims, key.private, "EdDSA", headers={"kid": key.kid})


async def test_after_a_rotation_old_tokens_still_verify_and_new_ones_have_the_new_key(person: Person) -> None:
    before = (await api_login(person)).json()["access_token"]
    kid = await person.installation.services.identity.signing_keys.rotate(ACCESS_LIFETIME)
    after = (await api_login(person)).json()["access_token"]
    assert jwt.get_unverified_header(before)["kid"] != kid
    assert jwt.get_unverified_header(after)["kid"] == kid
    for token in (before, after):
        reply = await person.installation.client().get("/v1/auth/me", headers=bearer(token))
        assert reply.status_code == 200


async def test_a_refresh_token_works_once_and_its_replay_ends_the_family_and_is_an_event(
    person: Person,
) -> None:
    client = person.installation.client()
    first = (await api_login(person)).json()
    second = await client.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert second.status_code == 200
    assert (await client.get("/v1/auth/me", headers=bearer(second.json()["access_token"]))).status_code == 200
    for _ in range(3):
        replayed = await client.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
        assert replayed.status_code == 401
        assert code_of(replayed) == "token_replayed"
    assert (await client.get("/v1/auth/me", headers=bearer(second.json()["access_token"]))).status_code == 401
    honest = await client.post("/v1/auth/refresh", json={"refresh_token": second.json()["refresh_token"]})
    assert honest.status_code == 401
    types = [event.type for event in await events_of(person.installation, person.id)]
    assert types.count("account.refresh.reused") == 1


async def test_of_two_refreshes_with_one_token_at_once_at_most_one_succeeds(person: Person) -> None:
    client = person.installation.client()
    first = (await api_login(person)).json()
    body = {"refresh_token": first["refresh_token"]}
    replies = await asyncio.gather(*(client.post("/v1/auth/refresh", json=body) for _ in range(8)))
    assert sum(reply.status_code == 200 for reply in replies) == 1


async def test_neither_passwords_nor_tokens_nor_keys_lie_in_the_database(person: Person) -> None:
    tokens = (await api_login(person)).json()
    key = (await person.browser.post("/v1/auth/api-keys", json={"name": "k", "scopes": ["models"]})).json()[
        "key"
    ]
    cookie = next(iter(person.browser.cookies.values()))
    pool = person.installation.services.log.pool
    tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'vault'")
    for table in tables:
        rows = await pool.fetch(f'SELECT t::text FROM vault."{table["tablename"]}" t')
        text = "\n".join(row[0] for row in rows)
        for secret in (PASSWORD, person.email, tokens["refresh_token"], key, cookie):
            assert secret not in text, table["tablename"]


async def test_a_new_password_ends_the_other_sessions_and_replaces_the_old(person: Person) -> None:
    other = person.installation.browser()
    await other.post("/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    new = "an entirely different sentence"
    wrong = await person.browser.post("/v1/auth/password", json={"current": "wrong", "new": new})
    assert code_of(wrong) == "invalid_credentials"
    changed = await person.browser.post("/v1/auth/password", json={"current": PASSWORD, "new": new})
    assert changed.status_code == 204, changed.text
    assert (await other.get("/v1/auth/me")).status_code == 401
    assert (await person.browser.get("/v1/auth/me")).status_code == 200
    client = person.installation.browser()
    for password, status in ((PASSWORD, 401), (new, 200)):
        reply = await client.post("/v1/auth/login", json={"email": person.email, "password": password})
        assert reply.status_code == status


async def test_entering_the_password_again_changes_the_session_token(person: Person) -> None:
    seen = [dict(person.browser.cookies)]
    await person.browser.post("/v1/auth/reauthenticate", json={"password": PASSWORD})
    seen.append(dict(person.browser.cookies))
    await person.browser.post("/v1/auth/login", json={"email": person.email, "password": PASSWORD})
    assert len({str(cookies) for cookies in [*seen, dict(person.browser.cookies)]}) == 3
    assert (await person.browser.get("/v1/auth/me")).status_code == 200
    for old in seen:
        thief = person.installation.browser()
        thief.cookies.update(old)
        assert (await thief.get("/v1/auth/me")).status_code == 401


async def _reset(person: Person, token: str, **more: Any) -> httpx.Response:
    body = {"token": token, "new": "an entirely different sentence", **more}
    return await person.installation.client().post("/v1/auth/reset-password", json=body)


async def test_a_reset_token_sets_a_new_password_once(person: Person) -> None:
    token = await person.installation.services.identity.tickets.issue_reset(uuid.UUID(person.id))
    weak = await _reset(person, token, new="password1234")
    assert code_of(weak) == "weak_password"
    assert (await _reset(person, token)).status_code == 200
    assert (await person.browser.get("/v1/auth/me")).status_code == 401
    assert code_of(await api_login(person)) == "invalid_credentials"
    assert (await api_login(person, password="an entirely different sentence")).status_code == 200
    for used in (token, "lip_garbage", "garbage"):
        assert code_of(await _reset(person, used)) == "invalid_token"


async def test_a_reset_asks_for_the_second_factor_too(person: Person) -> None:
    totp, _ = await with_second_factor(person)
    token = await person.installation.services.identity.tickets.issue_reset(uuid.UUID(person.id))
    assert code_of(await _reset(person, token)) == "second_factor_required"
    assert code_of(await _reset(person, token, otp="000000")) == "invalid_second_factor"
    assert (await _reset(person, token, otp=totp.now())).status_code == 200


async def test_a_ticket_for_a_socket_resets_no_password_and_a_reset_token_opens_no_socket(
    person: Person,
) -> None:
    ticket = (await person.browser.post("/v1/auth/ws-ticket")).json()["ticket"]
    assert code_of(await _reset(person, ticket)) == "invalid_token"
    identity = person.installation.services.identity
    token = await identity.tickets.issue_reset(uuid.UUID(person.id))
    assert await identity.actor_of_ticket(token) is None

"""Every endpoint, asked by everybody who may not: generated from the table, so that none is forgotten."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from starlette.routing import Route, WebSocketRoute
from tests.api.installation import PASSWORD, Belongings, Installation, Person, make_account, signup
from tests.api.signing_in import api_login, code_of, with_second_factor

from liminal.api.app import create_app
from liminal.api.endpoint import Endpoint
from liminal.api.services import Services
from liminal.api.site import site_folder, site_routes
from liminal.api.table import ENDPOINTS
from liminal.identity.actor import Role
from liminal.identity.authorize import RULES, Audience

REFUSED = {401, 403, 404}

BODIES: dict[str, Any] = {
    "signup": {"email": "x@example.org", "password": PASSWORD},
    "login": {"email": "x@example.org", "password": PASSWORD},
    "refresh": {"refresh_token": "x"},
    "reauthenticate": {"password": PASSWORD},
    "change_password": {"current": PASSWORD, "new": PASSWORD},
    "create_api_key": {"name": "k", "scopes": ["models"]},
    "confirm_second_factor": {"code": "000000"},
    "create_conversation": {"title": "t"},
    "change_conversation": {"title": "t"},
    "create_chat_completion": {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
    "create_completion": {"model": "m", "prompt": "hello"},
    "give_feedback": {"kind": "thumb", "value": 1},
    "change_feedback": {"value": -1},
    "change_settings": {"theme": "dark"},
    "suspend_account": {},
    "reinstate_account": {},
    "merge_skill": {"into": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e62"},
    "switch_projection": {"version": 1},
    "retry_parked": {},
}
"""Valid bodies of endpoints whose schema has no example: a refusal must not come from the body."""

QUERIES = {"search_conversations": {"q": "tea"}}


def _wrong_callers(endpoint: Endpoint) -> list[str]:
    """Who must be refused by the endpoint's rule."""
    rule = RULES[endpoint.action]
    outsiders = ["nobody", "garbage", "suspended"]
    if rule.scope != "models":
        outsiders.append("key without scope")
    match rule.audience:
        case Audience.PUBLIC:
            return []
        case Audience.ACCOUNT:
            return outsiders
        case Audience.OWNER:
            return [*outsiders, "user", "foreign user", "foreign admin", "admin"]
        case Audience.TENANT_ADMIN:
            strangers = ["foreign admin"] if "{id" in endpoint.path else []
            return [*outsiders, "user", "foreign user", *strangers]
        case Audience.OPERATOR:
            return [*outsiders, "user", "foreign user", "foreign admin"]


WALK = [(endpoint, caller) for endpoint in ENDPOINTS for caller in _wrong_callers(endpoint)]


def valid_body(endpoint: Endpoint) -> Any:
    """A body that the endpoint takes: from the table above, else the first example of its schema."""
    assert endpoint.json is not None
    examples = endpoint.json.model_json_schema().get("examples", [])
    if endpoint.name not in BODIES and not examples:
        pytest.fail(f"{endpoint.name}: give its body an example, or add a valid one to BODIES")
    return BODIES.get(endpoint.name) or (examples or [{}])[0]


async def ask(client: httpx.AsyncClient, endpoint: Endpoint, belongings: Belongings) -> httpx.Response:
    """Call an endpoint about the belongings, with a body that it would take."""
    path = endpoint.path.replace("{name:slug}", "conversations").replace("{position:position}", "0:0")
    path = path.replace("{name:artifact}", "policy.routing")
    path = path.replace("{version:int}", "1")
    if "{id:uuid}" in path:
        prefix = path.split("{", 1)[0]
        path = path.replace("{id:uuid}", belongings.ids[prefix])
    body = valid_body(endpoint) if endpoint.json is not None else None
    return await client.request(endpoint.method, path, json=body, params=QUERIES.get(endpoint.name))


@pytest.mark.parametrize(
    ("endpoint", "caller"), WALK, ids=[f"{e.method} {e.path} as {caller}" for e, caller in WALK]
)
async def test_who_may_not_is_refused(
    endpoint: Endpoint, caller: str, callers: dict[str, httpx.AsyncClient], belongings: Belongings
) -> None:
    reply = await ask(callers[caller], endpoint, belongings)
    assert reply.status_code in REFUSED, reply.text
    assert "private" not in reply.text
    assert belongings.owner.email not in reply.text
    if caller in ("nobody", "garbage", "suspended"):
        assert reply.status_code == 401


@pytest.mark.parametrize("caller", ["user", "foreign user", "foreign admin", "admin"])
async def test_a_turn_in_someone_elses_conversation_is_refused(
    caller: str, callers: dict[str, httpx.AsyncClient], belongings: Belongings
) -> None:
    conversation, message = belongings.ids["/v1/conversations/"], belongings.ids["/v1/messages/"]
    for body in (
        {"content": "x", "conversation_id": conversation},
        {"content": "x", "conversation_id": conversation, "parent_id": message},
    ):
        reply = await callers[caller].post("/v1/chat", json=body)
        assert reply.status_code == 404, reply.text


async def test_after_all_that_the_owners_things_are_as_they_were(belongings: Belongings) -> None:
    browser, ids = belongings.owner.browser, belongings.ids
    conversation = await browser.get(f"/v1/conversations/{ids['/v1/conversations/']}")
    assert conversation.json()["title"] == "private"
    messages = await browser.get(f"/v1/conversations/{ids['/v1/conversations/']}/messages")
    assert [item["feedback"][0]["value"] for item in messages.json()["items"]] == [1]
    assert [key["id"] for key in (await browser.get("/v1/auth/api-keys")).json()["items"]] == [
        ids["/v1/auth/api-keys/"]
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/conversations",
        "/v1/conversations/search?q=tea",
        "/v1/feedback",
        "/v1/auth/sessions",
        "/v1/auth/api-keys",
    ],
)
@pytest.mark.parametrize("caller", ["user", "foreign user", "foreign admin", "admin"])
async def test_lists_hold_nothing_of_others(
    path: str, caller: str, callers: dict[str, httpx.AsyncClient], belongings: Belongings
) -> None:
    reply = await callers[caller].get(path)
    assert reply.status_code == 200
    assert not set(belongings.ids.values()) & {item.get("id") for item in reply.json()["items"]}
    assert "private" not in reply.text


async def test_a_tenants_admin_sees_the_accounts_of_that_tenant_alone(
    callers: dict[str, httpx.AsyncClient], belongings: Belongings
) -> None:
    reply = await callers["foreign admin"].get("/v1/admin/accounts")
    assert sorted(item["role"] for item in reply.json()["items"]) == ["admin", "user"]
    assert belongings.owner.email not in reply.text


async def test_who_owes_the_second_factor_may_set_it_up_and_nothing_else(
    installation: Installation, admin: Person, belongings: Belongings
) -> None:
    demanding = installation.settings.model_copy(update={"second_factor": "admins"})
    async with Services.open(demanding) as services:
        app = create_app(demanding, services)
        app.state.services = services
        strict = Installation(demanding, services, app)
        at_a_password = await make_account(strict, Role.ADMIN, str(uuid.uuid4()))
        key = await at_a_password.browser.post("/v1/auth/api-keys", json={"name": "k", "scopes": ["models"]})
        assert code_of(key) == "second_factor_missing"
        for endpoint in ENDPOINTS:
            rule = RULES[endpoint.action]
            if not rule.unproven and rule.audience is not Audience.PUBLIC:
                reply = await ask(at_a_password.browser, endpoint, belongings)
                assert code_of(reply) == "second_factor_missing", endpoint.path
        me = (await at_a_password.browser.get("/v1/auth/me")).json()["account"]
        assert me["owes_second_factor"]
        totp, _ = await with_second_factor(at_a_password)
        me = (await at_a_password.browser.get("/v1/auth/me")).json()["account"]
        assert not me["owes_second_factor"]
        assert (await at_a_password.browser.get("/v1/admin/accounts")).status_code == 200
        assert (await api_login(at_a_password, otp=totp.now())).status_code == 200
        plain = await signup(strict)
        assert (await plain.browser.get("/v1/conversations")).status_code == 200


def test_every_route_of_the_application_stands_in_the_table(installation: Installation) -> None:
    declared = {endpoint.path for endpoint in ENDPOINTS} | {
        route.path for route in site_routes(site_folder())
    }
    for route in installation.app.routes:
        assert isinstance(route, Route | WebSocketRoute)
        if isinstance(route, Route):
            assert route.path in declared, f"{route.path} has no endpoint, so no rule"


def test_an_endpoint_whose_action_has_no_rule_cannot_be_declared() -> None:
    from liminal.api.endpoint import Noun

    with pytest.raises(LookupError, match="no row in the table"):

        @Noun("test").route("GET", "/v1/test", action="universe.destroy")
        async def forgotten() -> None: ...

    with pytest.raises(LookupError, match="needs to see a resource"):

        @Noun("test").route("GET", "/v1/test", action="conversation.read")
        async def blind() -> None: ...

"""Artifacts over HTTP: versions, patches, back-tests, rollback, and who may."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tests.api.installation import Installation, Person, make_account
from tests.steering.conftest import NamedBackend, Somebody

from liminal.chat.answering import Answerer
from liminal.engine.embedder import Embedder
from liminal.identity.actor import Role
from liminal.log.log import Log
from liminal.log.reaction import reactions_app
from liminal.replay.backtest import backtest, backtest_reaction
from liminal.steering.catalogue import patch

ROUTING = "/v1/admin/artifacts/policy.routing"
BRIEF = {"name": "brief", "then": [{"action": "add_instruction", "text": "Be brief."}]}
ADD = {"op": "add", "path": "/rules/0", "value": BRIEF}


@pytest.fixture
async def own(foreign_admin: Person) -> AsyncGenerator[Person]:
    """The admin of a tenant that has a routing policy of its own, at version 1."""
    reply = await foreign_admin.browser.post(
        "/v1/admin/artifacts", json={"id": "policy.routing", "body": {"rules": []}}
    )
    assert reply.status_code == 201, reply.text
    yield foreign_admin


async def ok(person: Person, method: str, path: str, json: Any = None, status: int = 200) -> Any:
    """The reply's body."""
    reply = await person.browser.request(method, path, json=json)
    assert reply.status_code == status, reply.text
    return reply.json()


async def refused(person: Person, method: str, path: str, json: Any, status: int) -> dict[str, Any]:
    """The error of a request that is refused."""
    reply = await person.browser.request(method, path, json=json)
    assert reply.status_code == status, reply.text
    return reply.json()["error"]


async def test_a_tenant_sees_the_installations_policy_until_it_has_its_own(
    foreign_admin: Person, log: Log, answerer: Answerer
) -> None:
    seen = await ok(foreign_admin, "GET", ROUTING)
    assert (seen["version"], seen["inherited"]) == (1, True)
    error = await refused(foreign_admin, "PUT", ROUTING, {"version": 1, "operations": [ADD]}, 404)
    assert "of its own" in error["message"]
    made = await ok(foreign_admin, "POST", "/v1/admin/artifacts", {"id": "policy.routing"}, 201)
    assert (made["inherited"], made["body"]) == (False, seen["body"])
    await ok(foreign_admin, "PUT", ROUTING, {"version": 1, "operations": [ADD]})
    somebody = Somebody(log, tenant=foreign_admin.account["tenant_id"])
    assert (await answerer.route(somebody.question("hello"))).instructions == ("Be brief.",)
    assert (await answerer.route(Somebody(log).question("hello"))).instructions == ()
    error = await refused(foreign_admin, "POST", "/v1/admin/artifacts", {"id": "policy.routing"}, 409)
    assert error["code"] == "artifact_exists"
    await ok(foreign_admin, "POST", f"{ROUTING}/archive")
    assert (await answerer.route(somebody.question("hello"))).instructions == ()


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        ({"rules": [{**BRIEF, "when": "lenght(question) > 3"}]}, "/rules/0/when", "did you mean length?"),
        ({"rules": [{**BRIEF, "when": "question"}]}, "/rules/0/when", "expected a boolean here"),
        ({"rules": [{**BRIEF, "when": "flag('beta')"}]}, "/rules/0/when", "there is no flag 'beta'"),
        ({"rules": [{"name": "a", "then": [{"action": "scale", "by": "adapter"}]}]}, "/rules/0/then/0/by",
         "expected a number here, found a text"),
        ({"rules": [{"name": "a", "then": [{"action": "set_gate"}]}]}, "/rules/0/then/0/gate", "required"),
        ({"rules": [{"name": "a", "then": [{"action": "explode"}]}]}, "/rules/0/then/0", "explode"),
        ({"rules": [{"name": "a", "then": [{"action": "add_instruction"}]}]}, "/rules/0/then/0/source",
         "either a text or a source"),
        ({"rules": [BRIEF, BRIEF]}, "/rules", "two rules are called brief"),
        ({"rules": [{"name": "a", "then": [{"action": "require_context", "context_id": str(uuid.uuid4())}]}]},
         "/rules/0/then/0/context_id", "no knowledge context"),
        ({"rules": [{"name": "a", "then": [{"action": "choose_backend", "backend": "openai"}]}]},
         "/rules/0/then/0/backend", "no backend 'openai'"),
        ({"guards": {"sum": 99}}, "/guards/sum", "less than or equal to 8"),
        ({"rulez": []}, "/rulez", "not permitted"),
    ],
)  # fmt: skip
async def test_a_policy_that_does_not_fit_is_refused_with_the_place(
    own: Person, body: dict[str, Any], path: str, reason: str
) -> None:
    error = await refused(own, "PUT", ROUTING, {"version": 1, "body": body}, 422)
    assert error["code"] == "artifact_invalid"
    [problem] = error["details"]["problems"]
    assert problem["path"] == path
    assert reason in problem["message"]
    checked = await ok(own, "POST", "/v1/admin/policies/check", {"body": body})
    assert [found["path"] for found in checked["problems"]] == [path]
    assert (await ok(own, "GET", ROUTING))["version"] == 1


async def test_a_patch_is_tried_on_past_turns_before_it_may_be_approved(
    own: Person, installation: Installation, log: Log, answerer: Answerer, embedder: Embedder
) -> None:
    somebody = Somebody(log, tenant=own.account["tenant_id"])
    await somebody.turn(answerer, "hello")
    proposed = await ok(
        own, "POST", f"{ROUTING}/patches", {"operations": [ADD], "rationale": "Shorter."}, 201
    )
    path = f"/v1/admin/patches/{proposed['id']}"
    assert (proposed["state"], proposed["backtest"]) == ("proposed", None)
    assert (await refused(own, "POST", f"{path}/approve", None, 409))["code"] == "patch_not_backtested"
    for _ in range(2):  # a reaction may get its event twice
        row = await patch(log.pool, uuid.UUID(proposed["id"]))
        await backtest(log, installation.services.blobs, embedder, row)
    tried = await ok(own, "GET", path)
    assert tried["backtest"] == {"turns": 1, "changed": 1}
    report = await ok(own, "GET", f"{path}/backtest")
    assert report["by_rule"] == {"brief": 1}
    assert report["shown"][0]["differs"] == ["instructions"]
    applied = await ok(own, "POST", f"{path}/approve")
    assert (applied["state"], applied["applied_version"]) == ("applied", 2)
    assert (await answerer.route(somebody.question("hello"))).instructions == ("Be brief.",)
    assert (await refused(own, "POST", f"{path}/approve", None, 409))["code"] == "patch_decided"
    [newest, _] = (await ok(own, "GET", f"{ROUTING}/versions"))["items"]
    assert (newest["patch_id"], newest["origin"], newest["operations"]) == (proposed["id"], "patched", [
        {"op": "add", "path": "/rules/0", "value": newest["body"]["rules"][0]}])  # fmt: skip


async def test_an_approval_that_broke_off_goes_on_and_applies_once(
    own: Person, installation: Installation, log: Log, embedder: Embedder
) -> None:
    from liminal.log.envelope import Meta
    from liminal.log.events import ArtifactPatched, PatchApproved
    from liminal.log.ids import derived_id

    proposed = await ok(own, "POST", f"{ROUTING}/patches", {"operations": [ADD]}, 201)
    id_, tenant = uuid.UUID(proposed["id"]), own.account["tenant_id"]
    await backtest(log, installation.services.blobs, embedder, await patch(log.pool, id_))
    body = {"rules": [BRIEF]}

    def meta(name: str) -> Meta:
        return Meta(
            owner=tenant, tenant=tenant, actor="x", stream="artifact-policy.routing", id=derived_id(id_, name)
        )

    approved = PatchApproved(artifact_id="policy.routing", patch_id=id_, by="admin")
    patched = ArtifactPatched(
        artifact_id="policy.routing",
        patch_id=id_,
        artifact_version=2,
        body=body,
        operations=[ADD],
        by="admin",
    )
    await log.append(approved, meta("approved"))
    await log.wait_for(await log.append(patched, meta("patched 2"), expected_version=1), "artifacts")
    done = await ok(own, "POST", f"/v1/admin/patches/{id_}/approve")
    assert (done["state"], done["applied_version"]) == ("applied", 2)
    assert len((await ok(own, "GET", ROUTING))["body"]["rules"]) == 1


async def test_a_rejected_patch_changes_nothing_and_one_that_does_not_fit_is_not_proposed(
    own: Person,
) -> None:
    proposed = await ok(own, "POST", f"{ROUTING}/patches", {"operations": [ADD]}, 201)
    path = f"/v1/admin/patches/{proposed['id']}"
    rejected = await ok(own, "POST", f"{path}/reject", {"reason": "No."})
    assert (rejected["state"], rejected["reason"]) == ("rejected", "No.")
    assert (await refused(own, "POST", f"{path}/approve", None, 409))["code"] == "patch_decided"
    gone = {"op": "remove", "path": "/rules/7"}
    assert (await refused(own, "POST", f"{ROUTING}/patches", {"operations": [gone]}, 409))[
        "code"
    ] == "patch_stale"
    wrong = {"op": "add", "path": "/rules/0", "value": {"name": "x", "then": []}}
    error = await refused(own, "POST", f"{ROUTING}/patches", {"operations": [wrong]}, 422)
    assert error["code"] == "artifact_invalid"
    nonsense = {"op": "explode", "path": "/rules"}
    error = await refused(own, "POST", f"{ROUTING}/patches", {"operations": [nonsense]}, 422)
    assert "RFC 6902" in error["message"]
    assert (await ok(own, "GET", ROUTING))["version"] == 1


async def test_of_two_edits_that_meet_one_is_made_and_any_version_comes_back(own: Person) -> None:
    edit = {"version": 1, "operations": [ADD]}
    replies = await asyncio.gather(*(own.browser.put(ROUTING, json=edit) for _ in range(2)))
    assert sorted(reply.status_code for reply in replies) == [200, 409]
    back = await ok(own, "POST", f"{ROUTING}/rollback", {"to_version": 1, "reason": "It was better."})
    assert (back["version"], back["body"]["rules"]) == (3, [])
    found = (await ok(own, "GET", f"{ROUTING}/versions"))["items"]
    assert [(row["version"], row["origin"], row["to_version"]) for row in found] == [
        (3, "rolled_back", 1),
        (2, "patched", None),
        (1, "created", None),
    ]
    await refused(own, "POST", f"{ROUTING}/rollback", {"to_version": 9}, 404)


async def test_an_admin_decides_only_the_patches_of_the_own_tenant(
    own: Person, installation: Installation
) -> None:
    other = await make_account(installation, Role.ADMIN, str(uuid.uuid4()))
    proposed = await ok(own, "POST", f"{ROUTING}/patches", {"operations": [ADD]}, 201)
    await refused(other, "POST", f"/v1/admin/patches/{proposed['id']}/approve", None, 404)
    await refused(other, "GET", f"/v1/admin/patches/{proposed['id']}", None, 404)
    assert (await ok(other, "GET", f"{ROUTING}/patches"))["items"] == []
    assert (await ok(other, "GET", ROUTING))["inherited"] is True


async def test_the_installations_own_policy_can_be_changed_but_not_put_away(admin: Person) -> None:
    assert (await refused(admin, "POST", f"{ROUTING}/archive", None, 409))["code"] == "artifact_required"


async def test_what_if_over_http_sees_the_turns_of_the_own_tenant_alone(
    own: Person, installation: Installation, log: Log, answerer: Answerer
) -> None:
    await Somebody(log, tenant=own.account["tenant_id"]).turn(answerer, "hello")
    question = {"body": {"rules": [BRIEF]}}
    mine = await ok(own, "POST", "/v1/admin/policies/what-if", question)
    assert (mine["turns"], mine["changed"], mine["by_kind"]) == (1, 1, {"instructions": 1})
    other = await make_account(installation, Role.ADMIN, str(uuid.uuid4()))
    theirs = await ok(other, "POST", "/v1/admin/policies/what-if", question)
    assert (theirs["turns"], theirs["shown"]) == (0, [])
    by_version = await ok(own, "POST", "/v1/admin/policies/what-if", {"version": 1})
    assert (by_version["turns"], by_version["changed"]) == (1, 0)


async def test_an_editor_finds_the_whole_language_described(admin: Person) -> None:
    found = await ok(admin, "GET", "/v1/admin/policies/vocabulary")
    functions = {entry["name"]: entry for entry in found["functions"]}
    assert functions["similarity"]["signature"] == "similarity(text) → a number"
    assert {entry["name"] for entry in found["adapter_names"]} >= {"adapter", "kind", "skill", "gate"}
    assert "rules" in found["schema"]["properties"]


async def test_a_reaction_tries_every_proposed_patch_without_being_asked(
    own: Person, installation: Installation, log: Log
) -> None:
    backend: Any = NamedBackend("jax")
    reaction = backtest_reaction(installation.settings, log, backend)
    proposed = await ok(own, "POST", f"{ROUTING}/patches", {"operations": [ADD]}, 201)
    async with reactions_app(installation.settings, [reaction]), asyncio.timeout(30):
        while (await ok(own, "GET", f"/v1/admin/patches/{proposed['id']}"))["backtest"] is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert (await ok(own, "POST", f"/v1/admin/patches/{proposed['id']}/approve"))["state"] == "applied"

"""What liminal has learned about somebody, read and put right over HTTP; a tenant's skills, its admin."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from typing import Any

from tests.api.installation import (
    Installation,
    Person,
    make_account,
    post_message,
    post_preference,
    post_skill,
)
from tests.processes import environment_of

from liminal.identity.actor import Role
from liminal.log.envelope import Meta
from liminal.log.events import ClusterFormed, ClusteringMapped, ClusterLabelled, PreferenceDetected
from liminal.log.ids import new_id


async def learned(person: Person) -> dict[str, Any]:
    """What was learned about somebody."""
    reply = await person.browser.get("/v1/learned")
    assert reply.status_code == 200, reply.text
    return reply.json()


async def a_message(person: Person, text: str = "shorter, please") -> str:
    conversation = (await person.browser.post("/v1/conversations", json={})).json()["id"]
    return await post_message(person, conversation, text)


async def test_a_preference_names_the_message_that_it_was_read_from(person: Person, stranger: Person) -> None:
    message = await a_message(person)
    await post_preference(person, "Answer briefly.", message_id=message)
    (found,) = (await learned(person))["preferences"]
    assert (found["statement"], found["state"], found["active"]) == ("Answer briefly.", "open", True)
    assert [(source["kind"], source["id"]) for source in found["sources"]] == [("message", message)]
    assert (await learned(stranger))["preferences"] == []


async def test_a_command_shows_the_same(person: Person) -> None:
    await post_preference(person, "Answer briefly.", message_id=await a_message(person))
    settings = person.installation.settings
    shown = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "liminal.cli", "learned", person.email],
        env=environment_of(settings),
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert shown.returncode == 0, shown.stderr.decode()
    assert "Answer briefly." in shown.stdout.decode()


async def test_a_preference_is_confirmed_corrected_and_switched(person: Person) -> None:
    path = f"/v1/learned/preferences/{await post_preference(person, 'Answer briefly.')}"
    confirmed = await person.browser.patch(path, json={"confirmed": True})
    assert confirmed.json()["state"] == "confirmed"
    changed = await person.browser.patch(
        path, json={"statement": "Two sentences.", "value": "two", "active": False}
    )
    assert changed.status_code == 200, changed.text
    (found,) = (await learned(person))["preferences"]
    assert [found[name] for name in ("statement", "value", "state", "active")] == [
        "Two sentences.", "two", "corrected", False,
    ]  # fmt: skip
    assert (await person.browser.patch(path, json={})).status_code == 422


async def test_a_newer_wish_about_the_same_thing_supersedes_the_older_one(person: Person) -> None:
    await post_preference(person, "Answer in detail.")
    newer = await post_preference(person, "Answer briefly.")
    found = (await learned(person))["preferences"]
    assert [(one["statement"], one["superseded"]) for one in found] == [
        ("Answer briefly.", False), ("Answer in detail.", True),
    ]  # fmt: skip
    await person.browser.patch(f"/v1/learned/preferences/{newer}", json={"active": False})
    assert not any(one["superseded"] for one in (await learned(person))["preferences"])


async def test_a_deleted_preference_stays_away_until_it_is_said_anew(person: Person) -> None:
    preference = await post_preference(person, "Answer briefly.")
    (first,) = (await learned(person))["preferences"]
    assert (await person.browser.delete(f"/v1/learned/preferences/{preference}")).status_code == 204
    assert (await learned(person))["preferences"] == []
    assert (await person.browser.delete(f"/v1/learned/preferences/{preference}")).status_code == 404

    async def sign(event_id: uuid.UUID) -> None:
        event = PreferenceDetected(
            preference_id=uuid.UUID(preference), statement="Answer briefly.", detector="rule", confidence=0.5
        )
        await post(person, person.id, f"preference-{preference}", event, "preferences", id=event_id)

    log = person.installation.services.log
    known = await log.pool.fetchval(
        "SELECT event_id FROM read.preference_signs WHERE preference_id = $1", uuid.UUID(first["id"])
    )
    await sign(known)
    assert (await learned(person))["preferences"] == [], "the same evidence is never news"
    await sign(new_id())
    (again,) = (await learned(person))["preferences"]
    assert (again["seen"], again["state"]) == (1, "open")


async def test_ones_own_skill_is_renamed_switched_and_retired(person: Person) -> None:
    path = f"/v1/learned/skills/{await post_skill(person, 'miles, pounds')}"
    changed = await person.browser.patch(
        path, json={"label": "Units", "active": False, "decision": "approve"}
    )
    assert changed.status_code == 200, changed.text
    (found,) = (await learned(person))["skills"]
    assert [found[name] for name in ("label", "label_source", "state", "active", "decided_by")] == [
        "Units", "person", "approved", False, "user",
    ]  # fmt: skip
    assert (await person.browser.delete(path)).status_code == 204
    assert (await learned(person))["skills"][0]["state"] == "pruned"
    ended = await person.browser.patch(path, json={"decision": "approve"})
    assert (ended.status_code, ended.json()["error"]["code"]) == (409, "skill_ended")


async def test_an_admin_decides_on_the_tenants_skills_and_sees_none_of_single_accounts(
    installation: Installation,
) -> None:
    tenant = str(uuid.uuid4())
    boss = await make_account(installation, Role.ADMIN, tenant)
    member = await make_account(installation, Role.USER, tenant)
    private = await post_skill(member, "a private matter")
    first, second = [await post_skill(member, name, "tenant") for name in ("units", "measures")]
    shown = (await boss.browser.get("/v1/admin/skills")).json()
    assert sorted(item["id"] for item in shown["items"]) == sorted([first, second])
    assert (shown["personal"], "private" in str(shown)) == (1, False)
    assert (await boss.browser.post(f"/v1/admin/skills/{private}/approve")).status_code == 404
    assert (await member.browser.post(f"/v1/admin/skills/{first}/approve")).status_code == 403
    approved = await boss.browser.post(f"/v1/admin/skills/{first}/approve")
    assert (approved.json()["state"], approved.json()["decided_by"]) == ("approved", "admin")
    assert [skill["id"] for skill in (await learned(member))["shared_skills"]] == [first]
    merged = await boss.browser.post(f"/v1/admin/skills/{second}/merge", json={"into": first})
    assert merged.json()["state"] == "merged"
    refused = await boss.browser.post(f"/v1/admin/skills/{first}/merge", json={"into": private})
    assert refused.status_code == 404


async def post(person: Person, owner: str, stream: str, event: Any, projection: str, **more: Any) -> None:
    meta = Meta(owner=owner, tenant=person.account["tenant_id"], actor="test", stream=stream, **more)
    log = person.installation.services.log
    await log.wait_for(await log.append(event, meta), projection)


async def test_the_map_shows_ones_own_feedback_and_to_an_admin_points_without_names(
    installation: Installation,
) -> None:
    tenant = str(uuid.uuid4())
    boss = await make_account(installation, Role.ADMIN, tenant)
    member = await make_account(installation, Role.USER, tenant)
    message = await a_message(member, "How many miles are 5 kilometres?")
    given = await member.browser.post(f"/v1/messages/{message}/feedback", json={"kind": "thumb", "value": 1})
    feedback, cluster, run = given.json()["id"], new_id(), new_id()
    for scope, subject in (("user", member.id), ("tenant", tenant)):
        cluster = new_id()
        of: dict[str, Any] = {"scope": scope, "subject": subject, "run_id": run}
        formed = ClusterFormed(cluster_id=cluster, members=[feedback], **of)
        await post(member, subject, f"cluster-{cluster}", formed, "clusters")
        named = ClusterLabelled(cluster_id=cluster, label="miles", source="words", words=["miles"])
        await post(member, subject, f"cluster-{cluster}", named, "clusters")
        mapped = ClusteringMapped(members=[feedback], x=[0.5], y=[-0.5], **of)
        await post(member, subject, f"clustering-{subject}", mapped, "clusters")
    mine = (await member.browser.get("/v1/learned/map")).json()
    assert [(p["id"], p["x"], p["y"], p["sign"]) for p in mine["points"]] == [(feedback, 0.5, -0.5, 1)]
    theirs = (await boss.browser.get("/v1/admin/skills/map")).json()
    assert [(p["id"], p["x"]) for p in theirs["points"]] == [(None, 0.5)]
    assert [(c["label"], c["size"]) for c in theirs["clusters"]] == [("miles", 1)]
    assert theirs["points"][0]["cluster_id"] == theirs["clusters"][0]["id"]
    about = await learned(member)
    assert about["clusters"][0]["sources"][0]["id"] == feedback
    assert about["counts"]["feedback"] == {"thumb": 1}
    assert (await member.browser.delete(f"/v1/feedback/{feedback}")).status_code == 204
    assert (await member.browser.get("/v1/learned/map")).json()["points"] == []


async def test_a_pass_that_is_asked_for_is_on_the_log(installation: Installation) -> None:
    tenant = str(uuid.uuid4())
    boss = await make_account(installation, Role.ADMIN, tenant)
    assert (await boss.browser.post("/v1/admin/clustering")).status_code == 202
    assert (await boss.browser.get("/v1/admin/clustering")).json()["items"] == []

"""The operator's views: the log and the projections."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.api.installation import Person, post_message


async def log_items(admin: Person, **params: Any) -> dict[str, Any]:
    reply = await admin.browser.get("/v1/admin/log", params=params)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_the_end_of_the_log_is_shown_with_personal_fields_sealed(admin: Person, person: Person) -> None:
    conversation = (await person.browser.post("/v1/conversations", json={"title": "a secret title"})).json()[
        "id"
    ]
    page = await log_items(admin, stream=f"conversation-{conversation}")
    (event,) = page["items"]
    assert event["type"] == "conversation.created"
    assert event["owner"] == event["actor"] == person.id
    assert event["data"]["title"].startswith("enc:1:")
    assert event["sealed"] is None


async def test_personal_fields_are_opened_only_on_request_and_soon_after_a_password(
    admin: Person, person: Person
) -> None:
    conversation = (await person.browser.post("/v1/conversations", json={"title": "a secret title"})).json()[
        "id"
    ]
    stream = f"conversation-{conversation}"
    (event,) = (await log_items(admin, stream=stream, decrypt=True))["items"]
    assert event["data"]["title"] == "a secret title"
    one = await admin.browser.get(f"/v1/admin/log/{event['position']}", params={"decrypt": True})
    assert one.json()["data"]["title"] == "a secret title"
    pool = admin.installation.services.log.pool
    older = "UPDATE vault.sessions SET authenticated_at = now() - interval '1 hour' WHERE account_id = $1"
    await pool.execute(older, admin.id)
    for path in ("/v1/admin/log?decrypt=true", f"/v1/admin/log/{event['position']}?decrypt=true"):
        refused = await admin.browser.get(path)
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "reauthentication_required"
    assert (await admin.browser.get("/v1/admin/log")).status_code == 200
    await admin.browser.post("/v1/auth/reauthenticate", json={"password": admin.password})


async def test_the_log_is_filtered_by_type_owner_and_time(admin: Person, person: Person) -> None:
    conversation = (await person.browser.post("/v1/conversations", json={})).json()["id"]
    await post_message(person, conversation, "hello")
    of_person = (await log_items(admin, owner=person.id))["items"]
    assert [event["type"] for event in of_person] == [
        "account.created",
        "account.session.created",
        "conversation.created",
        "message.posted",
    ]
    types = (await log_items(admin, owner=person.id, type="account.*"))["items"]
    assert [event["type"] for event in types] == ["account.created", "account.session.created"]
    since = of_person[2]["time"]
    later = (await log_items(admin, owner=person.id, since=since))["items"]
    assert [event["type"] for event in later][-1] == "message.posted"
    assert "account.created" not in [event["type"] for event in later]


async def test_the_cursor_goes_on_where_the_page_ended(admin: Person, person: Person) -> None:
    start = (await log_items(admin, limit=1))["next_cursor"]
    assert (await log_items(admin, cursor=start))["items"] == []
    made = [(await person.browser.post("/v1/conversations", json={})).json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = start
    for _ in range(5):
        page = await log_items(admin, cursor=cursor, limit=2, type="conversation.created")
        seen += [event["data"]["conversation_id"] for event in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made


async def test_one_event_is_shown_in_full_and_a_place_without_one_is_not_found(admin: Person) -> None:
    event = (await log_items(admin, limit=1))["items"][0]
    assert (await admin.browser.get(f"/v1/admin/log/{event['position']}")).json() == event
    for nowhere in ("0:999999999", "99:0"):
        assert (await admin.browser.get(f"/v1/admin/log/{nowhere}")).status_code == 404


async def test_the_stats_count_every_event(admin: Person) -> None:
    await post_message(
        admin, (await admin.browser.post("/v1/conversations", json={})).json()["id"], "counted"
    )
    stats = (await admin.browser.get("/v1/admin/log/stats")).json()
    assert stats["total"] == sum(p["end_offset"] - p["begin_offset"] for p in stats["partitions"])
    assert len(stats["partitions"]) == 4
    counted = {count["type"]: count["count"] for count in stats["counts"]}
    assert counted["account.created"] >= 6


async def projections(admin: Person) -> dict[str, dict[str, Any]]:
    reply = await admin.browser.get("/v1/admin/projections")
    assert reply.status_code == 200, reply.text
    return {item["name"]: item for item in reply.json()["items"]}


async def test_every_read_model_is_listed_with_its_live_version_and_lag(admin: Person) -> None:
    listed = await projections(admin)
    assert {"accounts", "conversations", "feedback"} <= set(listed)
    for item in listed.values():
        live = [version for version in item["versions"] if version["state"] == "live"]
        assert [version["version"] for version in live] == [item["live_version"]]
        assert len(item["partitions"]) == 4
        assert item["lag_events"] == sum(partition["lag_events"] for partition in item["partitions"])
        assert item["parked"] == 0


async def test_a_read_model_is_rebuilt_verified_and_switched_without_a_failed_read(
    admin: Person, person: Person
) -> None:
    made = (await person.browser.post("/v1/conversations", json={"title": "stays"})).json()["id"]
    path = "/v1/admin/projections/conversations"
    started = await admin.browser.post(f"{path}/rebuild")
    assert started.status_code == 202, started.text
    async with asyncio.timeout(30):
        while (progress := (await admin.browser.get(f"{path}/rebuild")).json())["state"] == "running":
            assert (await person.browser.get(f"/v1/conversations/{made}")).json()["title"] == "stays"
            await asyncio.sleep(0.05)
    assert progress["state"] == "ready", progress
    assert progress["done"] == progress["total"]
    verified = (await admin.browser.post(f"{path}/verify")).json()
    assert verified["equal"] is True
    assert verified["rows"] > 0
    switched = await admin.browser.post(f"{path}/switch", json={"version": progress["version"]})
    assert switched.status_code == 200, switched.text
    assert (await person.browser.get(f"/v1/conversations/{made}")).json()["title"] == "stays"
    back = await admin.browser.post(f"{path}/rollback")
    assert back.status_code == 200, back.text
    assert (await person.browser.patch(f"/v1/conversations/{made}", json={"title": "on"})).json()[
        "title"
    ] == "on"


@pytest.mark.parametrize("action", ["rebuild", "verify", "rollback", "switch", "parked/retry"])
async def test_a_read_model_that_does_not_exist_is_not_found(admin: Person, action: str) -> None:
    body = {"version": 1} if action == "switch" else {}
    reply = await admin.browser.post(f"/v1/admin/projections/nothing/{action}", json=body)
    assert reply.status_code == 404


async def test_nothing_is_parked_in_a_healthy_log(admin: Person) -> None:
    reply = await admin.browser.get("/v1/admin/projections/conversations/parked")
    assert reply.json() == {"items": [], "next_cursor": None}

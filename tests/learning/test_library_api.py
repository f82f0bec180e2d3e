"""What people see and decide about adapters and runs, over HTTP."""

from __future__ import annotations

import uuid

from tests.api.installation import Installation, Person, signup
from tests.api.trained import post_adapter, post_run
from tests.learning.school import answered, judged


async def test_an_owner_sees_versions_and_gates_switches_and_rolls_back(person: Person) -> None:
    adapter_id = await post_adapter(person, 2)
    [found] = (await person.browser.get("/v1/adapters")).json()["items"]
    assert (found["id"], found["serving_version"], found["mine"]) == (str(adapter_id), 2, True)
    assert [version["version"] for version in found["versions"]] == [2, 1]
    assert found["versions"][0]["figures"][0]["name"] == "not_better"
    path = f"/v1/adapters/{adapter_id}"
    changed = (await person.browser.patch(path, json={"active": False})).json()
    assert changed["active"] is False
    back = (await person.browser.post(f"{path}/rollback", json={})).json()
    assert back["serving_version"] == 1
    assert [version["state"] for version in back["versions"]] == ["rolled_back", "promoted"]
    base = (await person.browser.post(f"{path}/rollback", json={})).json()
    assert base["serving_version"] is None
    nothing = await person.browser.post(f"{path}/rollback", json={})
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (409, "version_state")


async def test_nobody_promotes_what_did_not_pass_its_gate(admin: Person, person: Person) -> None:
    failed = await post_adapter(person, passed=False)
    reply = await admin.browser.post(f"/v1/admin/adapters/{failed}/versions/1/promote", json={})
    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "gate_not_passed")
    rejected = await admin.browser.post(f"/v1/admin/adapters/{failed}/versions/1/reject", json={})
    assert rejected.json()["versions"][0]["reasons"] == ["turned_down"]


async def test_an_admin_promotes_an_earlier_version_again(admin: Person, person: Person) -> None:
    adapter_id = await post_adapter(person, 2)
    path = f"/v1/admin/adapters/{adapter_id}"
    assert (await admin.browser.post(f"{path}/versions/1/promote", json={})).json()["serving_version"] == 1
    listed = (await admin.browser.get("/v1/admin/adapters")).json()["items"]
    assert str(adapter_id) in {item["id"] for item in listed}
    assert (await admin.browser.get(f"{path}/versions/1")).json()["version"]["serving"] is True


async def test_a_run_that_waits_is_seen_and_called_off_once(admin: Person, person: Person) -> None:
    run = await post_run(person, await post_adapter(person), 2)
    listed = (await admin.browser.get("/v1/admin/training?state=queued")).json()["items"]
    assert str(run) in {item["id"] for item in listed}
    cancelled = await admin.browser.post(f"/v1/admin/training/{run}/cancel", json={})
    assert cancelled.json()["state"] == "cancelled"
    again = await admin.browser.post(f"/v1/admin/training/{run}/cancel", json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "run_ended")
    [own] = (await person.browser.get("/v1/training")).json()["items"]
    assert (own["id"], own["state"]) == (str(run), "cancelled")


async def test_learning_is_paused_and_resumed(admin: Person) -> None:
    assert (await admin.browser.post("/v1/admin/learning/pause", json={})).json() == {"paused": True}
    assert (await admin.browser.get("/v1/admin/learning")).json() == {"paused": True}
    assert (await admin.browser.post("/v1/admin/learning/resume", json={})).json() == {"paused": False}


async def test_lineage_and_influence_lead_both_ways_and_words_stay_with_their_owner(
    school: Installation, admin: Person, person: Person
) -> None:
    message = await answered(person, "what is tea", "a drink")
    feedback = await judged(person, message, kind="correction", text="my own words")
    adapter_id = await post_adapter(person, feedback=(uuid.UUID(feedback),))
    use = {"adapter_id": str(adapter_id), "name": "p", "version": 1, "gate": 1.0, "content_hash": "ab" * 32}
    trace = {"model": "m", "backend": "jax", "adapters": [use], "seed": 7, "finish_reason": "stop"}
    later = await answered(person, "and coffee", "another", trace=trace)
    own = (await person.browser.get(f"/v1/messages/{later}/lineage")).json()
    [link] = own["adapters"]
    assert (link["version"], link["passed"], link["feedback"][0]["text"]) == (1, True, "my own words")
    seen = await admin.browser.get(f"/v1/admin/messages/{later}/lineage")
    assert seen.json()["adapters"][0]["feedback"][0]["feedback_id"] == feedback
    assert "my own words" not in seen.text
    stranger = await signup(school)
    assert (await stranger.browser.get(f"/v1/messages/{later}/lineage")).status_code == 404
    influence = (await person.browser.get(f"/v1/feedback/{feedback}/influence")).json()
    assert [(item["adapter_id"], item["version"]) for item in influence["versions"]] == [(str(adapter_id), 1)]

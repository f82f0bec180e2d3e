"""Conversations and feedback over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from tests.api.installation import Person, post_message

START, END = "\x02", "\x03"


async def create(person: Person, title: str | None = None) -> str:
    reply = await person.browser.post("/v1/conversations", json={"title": title})
    assert reply.status_code == 201, reply.text
    return reply.json()["id"]


async def titles(person: Person, **params: Any) -> list[str | None]:
    reply = await person.browser.get("/v1/conversations", params=params)
    return [item["title"] for item in reply.json()["items"]]


async def test_what_was_just_written_is_read_at_once(person: Person) -> None:
    for number in range(5):
        made = await create(person, f"number {number}")
        read = await person.browser.get(f"/v1/conversations/{made}")
        assert read.json()["title"] == f"number {number}"
        renamed = await person.browser.patch(f"/v1/conversations/{made}", json={"title": "new"})
        assert renamed.json()["title"] == "new"
        assert (await person.browser.delete(f"/v1/conversations/{made}")).status_code == 204
        assert await titles(person) == []


async def test_conversations_come_newest_activity_first(person: Person) -> None:
    first, second = await create(person, "first"), await create(person, "second")
    assert await titles(person) == ["second", "first"]
    await post_message(person, first, "and again")
    assert await titles(person) == ["first", "second"]
    entry = (await person.browser.get(f"/v1/conversations/{first}")).json()
    assert entry["message_count"] == 1
    assert entry["last_message_at"] > entry["created_at"]
    assert (await person.browser.get(f"/v1/conversations/{second}")).json()["last_message_at"] is None


async def test_pages_hold_every_conversation_once(person: Person) -> None:
    made = {await create(person, f"c{n}") for n in range(7)}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await person.browser.get("/v1/conversations", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == made


@pytest.mark.parametrize("cursor", ["x", "!!!", "W10", "WzEsMl0", "WyIyMDI2IiwgImEiXQ", "e30", "\u00e9"])
async def test_a_cursor_that_no_list_gave_out_is_refused(person: Person, cursor: str) -> None:
    for path in ("/v1/conversations", "/v1/feedback", "/v1/conversations/search?q=tea"):
        reply = await person.browser.get(
            path, params={"cursor": cursor, "q": "tea"} if "?" in path else {"cursor": cursor}
        )
        assert reply.status_code == 422


async def test_archived_conversations_have_a_list_of_their_own(person: Person) -> None:
    kept, put_away = await create(person, "kept"), await create(person, "put away")
    await person.browser.patch(f"/v1/conversations/{put_away}", json={"archived": True})
    assert await titles(person) == ["kept"]
    assert await titles(person, archived=True) == ["put away"]
    await person.browser.patch(f"/v1/conversations/{put_away}", json={"archived": False, "title": "back"})
    assert set(await titles(person)) == {"back", "kept"}
    assert kept


async def test_a_deleted_conversation_is_gone_with_everything_in_it(person: Person) -> None:
    conversation = await create(person, "secret plans")
    message = await post_message(person, conversation, "the treasure lies under the oak")
    await person.browser.post(f"/v1/messages/{message}/feedback", json={"kind": "note", "text": "remember"})
    await person.browser.delete(f"/v1/conversations/{conversation}")
    for path in (f"/v1/conversations/{conversation}", f"/v1/conversations/{conversation}/messages"):
        assert (await person.browser.get(path)).status_code == 404
    found = await person.browser.get("/v1/conversations/search", params={"q": "treasure"})
    assert found.json()["items"] == []
    given = await person.browser.post(f"/v1/messages/{message}/feedback", json={"kind": "thumb", "value": 1})
    assert given.status_code == 404


async def search(person: Person, q: str, **more: Any) -> list[dict[str, Any]]:
    reply = await person.browser.get("/v1/conversations/search", params={"q": q, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]


async def test_search_finds_words_phrases_and_exclusions_and_marks_them(person: Person) -> None:
    conversation = await create(person, "kitchen")
    tea = await post_message(person, conversation, "Pour the green tea after three minutes.")
    await post_message(person, conversation, "Coffee needs no minutes at all.")
    (hit,) = await search(person, "tea")
    assert hit["message_id"] == tea
    assert hit["conversation_id"] == conversation
    assert hit["title"] == "kitchen"
    assert f"{START}tea{END}" in hit["snippet"]
    assert len(await search(person, "minutes")) == 2
    assert [h["message_id"] for h in await search(person, '"green tea"')] == [tea]
    assert [h["message_id"] for h in await search(person, "minutes -coffee")] == [tea]
    assert await search(person, '"tea green"') == []


async def test_a_message_cannot_forge_the_marks_of_a_search(person: Person) -> None:
    conversation = await create(person)
    await post_message(person, conversation, f"plain {START}forged{END} words about falcons")
    (hit,) = await search(person, "falcons")
    assert hit["snippet"].count(START) == hit["snippet"].count(END) == 1
    assert f"{START}falcons{END}" in hit["snippet"]


async def test_pages_of_a_search_hold_every_hit_once(person: Person) -> None:
    conversation = await create(person)
    posted = {await post_message(person, conversation, f"walrus number {n}") for n in range(5)}
    seen: list[str] = []
    params: dict[str, Any] = {"q": "walrus", "limit": 2}
    while True:
        page = (await person.browser.get("/v1/conversations/search", params=params)).json()
        seen += [hit["message_id"] for hit in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(posted)


@pytest.mark.parametrize("q", ["'", '"', "a & | !", ":*", "\\", "%", "<script>", "-", "or", "\u202e"])
async def test_a_search_for_punctuation_is_an_answer_and_no_error(person: Person, q: str) -> None:
    await search(person, q)


async def messages(person: Person, conversation: str, **params: Any) -> dict[str, Any]:
    reply = await person.browser.get(f"/v1/conversations/{conversation}/messages", params=params)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_messages_of_all_branches_come_in_order_with_their_siblings_and_trace(person: Person) -> None:
    conversation = await create(person)
    question = await post_message(person, conversation, "How long?")
    trace = {"model": "tiny", "policy_version": 3, "seed": 7, "finish_reason": "stop"}
    usage = {"prompt_tokens": 4, "completion_tokens": 9}
    parent = uuid.UUID(question)
    one = await post_message(
        person, conversation, "Three minutes.", role="assistant", parent_id=parent, trace=trace, usage=usage
    )
    two = await post_message(
        person, conversation, "Five.", role="assistant", parent_id=parent, status="cancelled"
    )
    items = (await messages(person, conversation))["items"]
    assert [item["id"] for item in items] == [question, one, two]
    assert [item["parent_id"] for item in items] == [None, question, question]
    assert items[0]["sibling_ids"] == [question]
    assert items[1]["sibling_ids"] == items[2]["sibling_ids"] == [one, two]
    assert items[0]["trace"] is None
    assert {**trace, "adapters": []}.items() <= items[1]["trace"].items()
    assert usage.items() <= items[1]["usage"].items()
    assert [item["status"] for item in items] == ["complete", "complete", "cancelled"]
    first = await messages(person, conversation, limit=2)
    rest = await messages(person, conversation, limit=2, cursor=first["next_cursor"])
    assert [item["id"] for item in first["items"] + rest["items"]] == [question, one, two]
    assert rest["next_cursor"] is None


async def give(person: Person, message: str, **body: Any) -> httpx.Response:
    return await person.browser.post(f"/v1/messages/{message}/feedback", json=body)


async def test_every_kind_of_feedback_is_kept_with_its_message(person: Person) -> None:
    conversation = await create(person)
    message = await post_message(person, conversation, "Six cups.", role="assistant")
    for body in (
        {"kind": "thumb", "value": -1},
        {"kind": "correction", "text": "Six grams."},
        {"kind": "always", "text": "Use grams."},
        {"kind": "never", "text": "Use cups."},
        {"kind": "note", "text": "for the cake"},
    ):
        reply = await give(person, message, **body)
        assert reply.status_code == 201, reply.text
        assert body.items() <= reply.json().items()
    (item,) = (await messages(person, conversation))["items"]
    assert [given["kind"] for given in item["feedback"]] == ["thumb", "correction", "always", "never", "note"]


async def test_a_second_thumb_changes_the_first_and_rules_add_up(person: Person) -> None:
    message = await post_message(person, await create(person), "Yes.", role="assistant")
    up, down = (
        await give(person, message, kind="thumb", value=1),
        await give(person, message, kind="thumb", value=-1),
    )
    assert up.json()["id"] == down.json()["id"]
    assert down.json()["value"] == -1
    for text in ("Be brief.", "Be kind."):
        await give(person, message, kind="always", text=text)
    listed = (await person.browser.get("/v1/feedback", params={"message_id": message})).json()["items"]
    assert [(item["kind"], item["text"]) for item in listed] == [
        ("always", "Be kind."),
        ("always", "Be brief."),
        ("thumb", None),
    ]


async def test_feedback_can_be_changed_and_withdrawn(person: Person) -> None:
    conversation = await create(person)
    message = await post_message(person, conversation, "Yes.", role="assistant")
    note = (await give(person, message, kind="note", text="good")).json()["id"]
    changed = await person.browser.patch(f"/v1/feedback/{note}", json={"text": "better"})
    assert changed.json()["text"] == "better"
    assert (await person.browser.patch(f"/v1/feedback/{note}", json={"value": 1})).status_code == 422
    assert (await person.browser.delete(f"/v1/feedback/{note}")).status_code == 204
    assert (await person.browser.patch(f"/v1/feedback/{note}", json={"text": "again"})).status_code == 404
    assert (await person.browser.get("/v1/feedback")).json()["items"] == []
    assert (await messages(person, conversation))["items"][0]["feedback"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "thumb"},
        {"kind": "thumb", "value": 0},
        {"kind": "thumb", "value": 1, "text": "x"},
        {"kind": "correction", "text": ""},
        {"kind": "shrug", "text": "x"},
        {"kind": "note", "text": "nul \x00 inside"},
        [],
        "thumb",
    ],
)
async def test_feedback_of_the_wrong_form_is_refused_with_the_field(person: Person, body: Any) -> None:
    message = await post_message(person, await create(person), "Yes.")
    reply = await person.browser.post(f"/v1/messages/{message}/feedback", json=body)
    assert reply.status_code == 422
    assert reply.json()["error"]["code"] == "invalid_request"
    assert reply.json()["error"]["details"]["fields"][0]["field"].startswith("body")


async def test_settings_keep_what_was_changed_and_show_defaults_for_the_rest(person: Person) -> None:
    before = (await person.browser.get("/v1/settings")).json()
    assert before["theme"] == "system"
    changed = await person.browser.patch("/v1/settings", json={"theme": "dark"})
    assert changed.json() == {**before, "theme": "dark"}
    changed = await person.browser.patch("/v1/settings", json={"custom_instructions": "Use grams."})
    assert changed.json() == {**before, "theme": "dark", "custom_instructions": "Use grams."}
    assert (await person.browser.get("/v1/settings")).json() == changed.json()


async def test_renames_at_once_end_with_one_of_the_names_everywhere(person: Person) -> None:
    conversation = await create(person, "start")
    path = f"/v1/conversations/{conversation}"
    names = [f"name {n}" for n in range(8)]
    await asyncio.gather(*(person.browser.patch(path, json={"title": name}) for name in names))
    assert (await person.browser.get(path)).json()["title"] in names

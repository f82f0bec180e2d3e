"""Sealing and decoding: what goes in comes out, and nothing else can be read."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.log.golden_events import Golden

from liminal.log import MalformedEvent, Meta, UndecodableRecord, UnknownEvent, decode_record
from liminal.log.envelope import Envelope, seal_event
from liminal.log.event import Event
from liminal.log.events import AdapterUse, Citation, ConversationArchived, MessagePosted, ToolFinished, Trace
from liminal.log.personal import PREFIX
from liminal.log.position import Position
from liminal.storage.vault import DataKey

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
OWNER = str(uuid.uuid4())
KEY = DataKey(os.urandom(32))


def seal(event: Event, key: DataKey = KEY, **more: Any) -> Envelope:
    meta: dict[str, Any] = {"owner": OWNER, "tenant": "acme", "actor": OWNER, "stream": "turn-1"}
    meta["stream"] = f"{event.category}-1"
    event_id = more.pop("event_id", uuid.uuid4())
    expected = more.pop("expected_version", None)
    return seal_event(
        event, Meta(**{**meta, **more}), event_id, key=key, source="test", expected_version=expected
    )


def record(envelope: Envelope, **changes: Any) -> Golden:
    return replace(Golden(envelope.key, envelope.value, tuple(envelope.headers)), **changes)


def message(content: str, **more: Any) -> MessagePosted:
    ids = {name: uuid.uuid4() for name in ("conversation_id", "message_id", "turn_id")}
    return MessagePosted(**ids, role="user", content=content, **more)


@given(content=TEXT, title=TEXT, tenant=NAMES, actor=NAMES, expected=st.none() | st.integers(0, 10**6))
@settings(deadline=None)
def test_every_message_decodes_to_what_was_sealed(
    content: str, title: str, tenant: str, actor: str, expected: int | None
) -> None:
    cause, command, now = uuid.uuid4(), uuid.uuid4(), datetime.now(UTC)
    event = message(content, citations=[Citation(number=1, title=title)])
    envelope = seal(
        event,
        tenant=tenant,
        actor=actor,
        causation=cause,
        correlation=command,
        time=now,
        expected_version=expected,
    )
    flat = decode_record(record(envelope, partition=3, offset=9), {OWNER: KEY})
    assert {name: value for name, value in flat.items() if name.startswith("_")} == {
        "_partition": 3,
        "_offset": 9,
        "_id": str(envelope.id),
        "_type": "message.posted",
        "_time": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "_stream": "conversation-1",
        "_owner": OWNER,
        "_tenant": tenant,
        "_actor": actor,
        "_causation": str(cause),
        "_correlation": str(command),
        "_expected": expected,
    }
    data = {name: value for name, value in flat.items() if not name.startswith("_")}
    assert MessagePosted.model_validate(data) == event


@given(result=JSON.filter(lambda value: value is not None))
@settings(deadline=None)
def test_personal_json_of_any_shape_comes_out_as_it_went_in(result: Any) -> None:
    ids = {name: uuid.uuid4() for name in ("conversation_id", "turn_id", "call_id")}
    envelope = seal(ToolFinished(**ids, ok=True, result=result))
    assert decode_record(record(envelope), {OWNER: KEY})["result"] == result


@given(words=TEXT)
@settings(deadline=None)
def test_no_word_of_a_personal_field_is_in_the_record(words: str) -> None:
    content = f"☃ {words}"
    envelope = seal(message(content, citations=[Citation(number=1, text=content)]))
    written = orjson.loads(envelope.value)
    assert written["content"].startswith(PREFIX)
    assert written["citations"][0]["text"].startswith(PREFIX)
    assert content not in str(written)


def test_the_same_words_are_never_sealed_the_same_way_twice() -> None:
    event = message("hello")
    assert orjson.loads(seal(event).value)["content"] != orjson.loads(seal(event).value)["content"]


def test_headers_come_in_one_order_and_absent_ones_are_left_out() -> None:
    names = [name for name, _ in seal(message("hello")).headers]
    assert names == [
        "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_dataschema",
        "content-type", "ce_tenant", "ce_actor",
    ]  # fmt: skip
    assert [name for name, _ in seal(message("hello"), expected_version=0).headers][
        -1
    ] == "ce_expectedversion"


def test_what_nobody_gave_takes_no_room() -> None:
    assert set(orjson.loads(seal(ConversationArchived(conversation_id=uuid.uuid4())).value)) == {
        "conversation_id"
    }


def test_without_the_key_personal_fields_are_none_and_the_rest_is_there() -> None:
    trace = Trace(
        model="m",
        adapters=[AdapterUse(adapter_id=uuid.uuid4(), name="a", version=1, gate=0.5, content_hash="0" * 64)],
    )
    envelope = seal(message("hello", trace=trace, citations=[Citation(number=1, text="words")]))
    flat = decode_record(record(envelope), {OWNER: None})
    assert flat["content"] is None
    assert flat["citations"][0]["text"] is None
    assert flat["citations"][0]["number"] == 1
    assert flat["trace"]["adapters"][0]["gate"] == 0.5


def moved(envelope: Envelope, change: str) -> Golden:
    """The record with its sealed words under another owner, event or field."""
    data = orjson.loads(envelope.value)
    headers = dict(envelope.headers)
    if change == "owner":
        return record(envelope, key=b"somebody-else")
    if change == "event":
        headers["ce_id"] = str(uuid.uuid4()).encode()
    else:
        data["citations"] = [{"number": 1, "text": data["content"]}]
    return record(envelope, value=orjson.dumps(data), headers=tuple(headers.items()))


@pytest.mark.parametrize("change", ["owner", "event", "field"])
def test_sealed_words_can_not_be_moved(change: str) -> None:
    envelope = seal(message("hello"))
    assert decode_record(record(envelope), {OWNER: KEY})["content"] == "hello"
    with pytest.raises(UndecodableRecord, match="not sealed by this key in this place"):
        decode_record(moved(envelope, change), {OWNER: KEY, "somebody-else": KEY})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": b"not JSON"}, "line 1 column 1"),
        ({"value": None}, "no key or no value"),
        ({"key": None}, "no key or no value"),
        ({"headers": ()}, "no header 'ce_id'"),
        ({"value": b'{"content":"in the clear"}'}, "not encrypted"),
        ({"value": b"[]"}, "list"),
    ],
)
def test_a_record_that_is_no_event_says_where_and_why(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UndecodableRecord, match="the record at 2:42 is not an event") as refused:
        decode_record(record(seal(message("hello")), **changes), {OWNER: KEY})
    assert said in refused.value.message
    assert refused.value.details["position"] == "2:42"


def test_a_type_from_the_future_says_its_name_and_where_it_lies() -> None:
    headers = dict(seal(message("hello")).headers) | {"ce_dataschema": b"message.posted.v99"}
    with pytest.raises(UnknownEvent, match=r"message\.posted\.v99.*2:42"):
        decode_record(record(seal(message("hello")), headers=tuple(headers.items())), {OWNER: KEY})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"stream": "account-1"}, "meta.stream"),
        ({"stream": "conversation-"}, "meta.stream"),
        ({"owner": ""}, "meta.owner"),
        ({"actor": "two\nlines"}, "meta.actor"),
        ({"tenant": "t" * 300}, "meta.tenant"),
        ({"time": datetime(2026, 1, 1)}, "meta.time"),
    ],
)
def test_meta_that_does_not_fit_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        seal(message("hello"), **change)
    assert refused.value.details["path"] == path


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)))
@settings(deadline=None)
def test_a_time_of_any_zone_is_written_in_utc_and_not_moved(time: datetime) -> None:
    flat = decode_record(record(seal(ConversationArchived(conversation_id=uuid.uuid4()), time=time)), {})
    assert abs(datetime.fromisoformat(flat["_time"]) - time) < timedelta(microseconds=1)


@given(st.integers(0, 4096), st.integers(0, 2**62))
def test_a_position_is_read_as_it_is_written(partition: int, offset: int) -> None:
    assert Position.parse(str(Position(partition, offset))) == (partition, offset)


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "-1:2", "a:b", "1:2:3", "1.0:2"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="partition:offset"):
        Position.parse(text)

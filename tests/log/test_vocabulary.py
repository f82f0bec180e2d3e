"""The event types: documented, marked, published, and readable for ever."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import jsonschema
import orjson
import pytest
from tests.log import golden_events as golden

from liminal.log import MalformedEvent, UnknownEvent, event
from liminal.log.errors import LogError
from liminal.log.event import Event, event_class, event_types, make_event, upcaster, upcasters_from
from liminal.log.events import FeedbackGiven, MessagePosted
from liminal.log.personal import PersonalField, personal_fields
from liminal.log.schemas import (
    find_differences,
    publish_schemas,
    read_published,
    schema_of,
    schemas_folder,
    write_schemas,
)
from liminal.log.spec import HEADERS, make_spec
from liminal.log.types.common import Text
from liminal.settings import read_settings

EVERY_TYPE = [pytest.param(cls, id=cls.dataschema()) for cls in event_types().values()]
SECRET_WORDS = ("password", "token", "secret", "otp", "hash_of_password")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that forgets, after the test, what the test adds."""
    for name in ("_registry", "_newest", "_upcasters"):
        monkeypatch.setattr(event, name, dict(getattr(event, name)))


def test_the_vocabulary_covers_what_every_room_needs() -> None:
    nouns = {cls.type.partition(".")[0] for cls in event_types().values()}
    assert nouns >= {
        "account", "claim", "conversation", "message", "turn", "feedback", "preference", "cluster", "skill",
        "training", "adapter", "artifact", "patch", "file", "context", "ingestion", "settings", "erasure",
    }  # fmt: skip


def properties(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every field of an event and of the parts within it."""
    models = [schema, *schema.get("$defs", {}).values()]
    return [item for model in models for item in model.get("properties", {}).items()]


@pytest.mark.parametrize("cls", EVERY_TYPE)
def test_every_field_of_every_event_says_what_it_means(cls: type[Event]) -> None:
    assert cls.__doc__
    assert [name for name, node in properties(cls.model_json_schema()) if not node.get("description")] == []


@pytest.mark.parametrize("cls", EVERY_TYPE)
def test_no_event_has_a_field_for_a_secret(cls: type[Event]) -> None:
    names = [name for name, node in properties(cls.model_json_schema()) if node.get("type") == "string"]
    assert [name for name in names if name.startswith(SECRET_WORDS)] == []


@pytest.mark.parametrize("cls", EVERY_TYPE)
def test_the_golden_record_of_every_version_decodes_to_the_same_bytes_for_ever(cls: type[Event]) -> None:
    path = golden.FOLDER / f"{cls.dataschema()}.json"
    assert path.exists(), "make it with: python tests/log/golden_events.py"
    record, flat = golden.read_golden(path)
    option = orjson.OPT_SORT_KEYS
    assert orjson.dumps(golden.decode_golden(record), option=option) == orjson.dumps(flat, option=option)


@pytest.mark.parametrize("cls", EVERY_TYPE)
def test_the_golden_record_is_what_its_published_schema_describes(cls: type[Event]) -> None:
    record, _ = golden.read_golden(golden.FOLDER / f"{cls.dataschema()}.json")
    schema = orjson.loads((schemas_folder() / f"{cls.dataschema()}.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(orjson.loads(record.value))


def test_no_golden_record_is_left_of_a_version_that_is_gone() -> None:
    known = {cls.dataschema() for cls in event_types().values()}
    assert {path.stem for path in golden.FOLDER.glob("*.json")} == known


def test_the_schemas_folder_says_what_the_code_says() -> None:
    assert find_differences(schemas_folder()) == []


def test_what_is_personal_in_a_message_is_marked_down_to_its_citations() -> None:
    paths = {field.path for field in personal_fields(MessagePosted)}
    assert paths >= {("content",), ("citations", "*", "text"), ("attachments", "*", "name")}
    assert PersonalField(("options", "extra"), text=False) in personal_fields(MessagePosted)
    assert schema_of(MessagePosted)["properties"]["content"]["x-personal"] is True


def test_a_malformed_event_is_refused_with_the_path_of_the_field() -> None:
    trace = {"model": "m", "adapters": [{"adapter_id": "no", "name": "a", "version": 1, "gate": 1.0}]}
    with pytest.raises(MalformedEvent) as refused:
        make_event(
            "message.posted",
            {
                "conversation_id": str(uuid4()),
                "message_id": str(uuid4()),
                "turn_id": str(uuid4()),
                "role": "assistant",
                "content": "hello",
                "trace": trace,
            },
        )
    assert refused.value.details["path"] == "trace.adapters.0.adapter_id"
    assert "trace.adapters.0.adapter_id" in refused.value.message


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(MalformedEvent) as refused:
        make_event("conversation.archived", {"conversation_id": str(uuid4()), "colour": "red"})
    assert refused.value.details["path"] == "colour"


def test_a_thumb_without_a_value_is_malformed() -> None:
    with pytest.raises(MalformedEvent, match="a thumb needs a value") as refused:
        FeedbackGiven(feedback_id=uuid4(), conversation_id=uuid4(), message_id=uuid4(), kind="thumb")
    assert refused.value.details["path"] == "value"


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(UnknownEvent, match=r"message\.sung"):
        make_event("message.sung", {})


@pytest.mark.usefixtures("registry")
def test_an_old_version_is_read_as_the_newest_through_its_upcasters() -> None:
    class PlanetSeenV1(Event):
        """A planet was seen."""

        type: ClassVar[str] = "planet.seen"
        category: ClassVar[str] = "planet"
        name: Text

    record = golden.make_golden(PlanetSeenV1)

    class PlanetSeenV2(PlanetSeenV1):
        """A planet was seen."""

        type: ClassVar[str] = "planet.seen"
        version: ClassVar[int] = 2
        moons: int

    class PlanetSeenV3(PlanetSeenV1):
        """A planet was seen."""

        type: ClassVar[str] = "planet.seen"
        version: ClassVar[int] = 3
        moons: list[str]

    upcaster("planet.seen", 1)(lambda data: {**data, "moons": 2})
    upcaster("planet.seen", 2)(lambda data: {**data, "moons": ["a moon"] * data["moons"]})

    flat = golden.decode_golden(record)
    assert flat["name"] == "Grüße, „name“ 👋"
    assert flat["moons"] == ["a moon", "a moon"]
    assert event_class("planet.seen") is PlanetSeenV3


@pytest.mark.usefixtures("registry")
def test_a_new_version_without_an_upcaster_can_not_be_read_from_the_old() -> None:
    class ThingV1(Event):
        """A thing."""

        type: ClassVar[str] = "thing.done"
        category: ClassVar[str] = "thing"

    class ThingV2(ThingV1):
        """A thing."""

        type: ClassVar[str] = "thing.done"
        version: ClassVar[int] = 2

    with pytest.raises(UnknownEvent, match=r"thing\.done\.v1 has no upcaster"):
        upcasters_from("thing.done", 1)


@pytest.mark.parametrize("cls", EVERY_TYPE)
def test_every_version_leads_to_the_newest(cls: type[Event]) -> None:
    assert len(upcasters_from(cls.type, cls.version)) == event_class(cls.type).version - cls.version


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A copy of schemas/ in which everything is published."""
    folder = tmp_path / "schemas"
    shutil.copytree(schemas_folder(), folder)
    publish_schemas(folder)
    assert find_differences(folder) == []
    return folder


@pytest.mark.usefixtures("registry")
def test_a_published_version_that_changes_is_found_and_can_not_be_written(published: Path) -> None:
    event._registry.pop(("conversation.archived", 1))

    class ConversationArchived(Event):
        """Put away, still readable."""

        type: ClassVar[str] = "conversation.archived"
        category: ClassVar[str] = "conversation"
        conversation_id: str

    assert any("conversation.archived.v1 was published" in said for said in find_differences(published))
    with pytest.raises(LogError, match=r"conversation\.archived\.v1 was published and may not change"):
        write_schemas(published)


@pytest.mark.usefixtures("registry")
def test_a_published_version_that_is_gone_is_found(published: Path) -> None:
    event._registry.pop(("conversation.archived", 1))
    assert any(
        "conversation.archived.v1 was published and its" in said for said in find_differences(published)
    )


def test_only_the_prose_of_a_published_version_may_be_put_better(published: Path) -> None:
    before = read_published(published)
    file = published / "message.posted.v1.json"
    schema = json.loads(file.read_text())
    schema["properties"]["content"]["description"] = "Other words."
    file.write_text(json.dumps(schema))
    assert find_differences(published) == [
        "message.posted.v1.json is not what the code says: write it with `liminal log schemas --write`"
    ]
    assert write_schemas(published) == ["message.posted.v1.json"]
    assert read_published(published) == before


def test_the_asyncapi_document_has_every_type_on_the_one_topic() -> None:
    spec = make_spec(read_settings(environ={}))
    assert spec["asyncapi"].startswith("3.")
    assert list(spec["channels"]) == sorted(cls.dataschema() for cls in event_types().values())
    assert {channel["address"] for channel in spec["channels"].values()} == {"liminal.events"}
    for message in spec["components"]["messages"].values():
        assert set(message["headers"]["properties"]) == set(HEADERS)
    content = spec["components"]["schemas"]["MessagePosted"]["properties"]["content"]
    assert content["x-personal"] is True

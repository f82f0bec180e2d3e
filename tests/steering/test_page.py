"""docs/steering.md says what is."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from liminal.steering.kinds import DEFAULTS, ROUTING
from liminal.steering.routing_policy import RoutingPolicy
from liminal.steering.vocabulary import ADAPTER
from liminal.steering.vocabulary import ROUTING as WORDS

PAGE = (Path(__file__).parents[2] / "docs" / "steering.md").read_text()


def test_the_page_shows_the_built_in_policy() -> None:
    shown = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    body = RoutingPolicy.model_validate(orjson.loads(shown[1])).model_dump(mode="json", exclude_none=True)
    assert body == DEFAULTS[ROUTING].body


def test_the_page_names_every_word_of_the_language() -> None:
    for name in (*WORDS.names, *ADAPTER):
        assert f"`{name}`" in PAGE, name
    for name in WORDS.functions:
        assert f"{name}(" in PAGE, name

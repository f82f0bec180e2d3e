"""Whatever number arrives has a bound: what stores and loops it reaches was not made for more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from liminal.api.asyncapi import COMMANDS
from liminal.api.table import ENDPOINTS
from liminal.chat.frames import BadCommand, parse_command

BODIES = {
    f"{endpoint.method} {endpoint.path}": model
    for endpoint in ENDPOINTS
    for model in (endpoint.json, endpoint.query)
    if model is not None
}


BOUNDS = {"maximum", "exclusiveMaximum", "const", "enum"}


def unbounded(schema: Any, where: str = "") -> Iterator[str]:
    """The places of a JSON Schema where an integer of any size is let in."""
    if isinstance(schema, dict):
        if schema.get("type") == "integer" and not BOUNDS & schema.keys():
            yield where
        for key, value in schema.items():
            yield from unbounded(value, f"{where}.{key}")
    elif isinstance(schema, list):
        for place, value in enumerate(schema):
            yield from unbounded(value, f"{where}.{place}")


@pytest.mark.parametrize("model", COMMANDS, ids=lambda model: model.__name__)
def test_every_number_of_a_socket_command_has_a_bound(model: Any) -> None:
    assert list(unbounded(TypeAdapter(model).json_schema())) == []


@pytest.mark.parametrize("route", BODIES)
def test_every_number_of_a_request_has_a_bound(route: str) -> None:
    assert list(unbounded(TypeAdapter(BODIES[route]).json_schema())) == []


def test_a_place_in_a_turn_that_no_turn_has_is_refused() -> None:
    turn = "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f"
    with pytest.raises(BadCommand, match="after_seq"):
        parse_command(f'{{"cmd": "resume", "turn_id": "{turn}", "after_seq": {10**30}}}')

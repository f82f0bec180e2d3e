"""Personal fields: which they are, and how they look on the log.

A field typed ``Annotated[str, Personal]`` (any JSON type will do) is written to the log as
``enc:1:<base64url(nonce | ciphertext | tag)>`` (AES-256-GCM, NIST SP 800-38D) under its owner's data
key. Owner, event id and the field's path are authenticated with it, so a value cannot be moved to
another field, event or owner. Strings are encrypted as UTF-8, everything else as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

PREFIX = "enc:1:"

# validation contexts: every personal value is sealed, as it is stored; or some are and some are not
AS_STORED = "as stored"
PARTLY_SEALED = "partly sealed"

EACH = "*"


class PersonalMark:
    """Marks a field as personal; use the instance ``Personal``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(_validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": f"^{PREFIX}[A-Za-z0-9_-]+$",
            "x-personal": True,
            "x-plaintext": handler(schema),
        }

    def __repr__(self) -> str:
        return "Personal"


Personal = PersonalMark()


def _validate(value: Any, handler: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if info.context not in (AS_STORED, PARTLY_SEALED):
        return handler(value)
    if isinstance(value, str) and value.startswith(PREFIX):
        return value
    if info.context == PARTLY_SEALED:
        return handler(value)
    raise PydanticCustomError("personal_in_the_clear", "a personal field must be encrypted")


class PersonalField(NamedTuple):
    """Where a personal value sits in an event's data, and whether its plaintext is text or JSON."""

    path: tuple[str, ...]
    text: bool


@cache
def personal_fields(model: type[BaseModel]) -> tuple[PersonalField, ...]:
    """The personal fields of a model and those within it; ``*`` stands for each item of a list or map."""
    schema = model.model_json_schema()
    return tuple(_walk(schema, schema.get("$defs", {}), ()))


def _walk(node: dict[str, Any], defs: dict[str, Any], path: tuple[str, ...]) -> Iterator[PersonalField]:
    if node.get("x-personal"):
        yield PersonalField(path, node["x-plaintext"].get("type") == "string")
        return
    if reference := node.get("$ref"):
        yield from _walk(defs[reference.rpartition("/")[2]], defs, path)
    for name, child in node.get("properties", {}).items():
        yield from _walk(child, defs, (*path, name))
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from _walk(node[keyword], defs, (*path, EACH))
    for keyword in ("anyOf", "oneOf", "allOf"):
        for child in node.get(keyword, ()):
            yield from _walk(child, defs, path)

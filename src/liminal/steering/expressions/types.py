"""Types of the language: number, boolean, text, and lists of one of them."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

Value: TypeAlias = "float | bool | str | tuple[float | bool | str, ...]"
"""What an expression can be worth. Numbers are finite IEEE 754 doubles."""


class Type(Enum):
    """What kind of value an expression has; the value is its name in messages."""

    NUMBER = "a number"
    BOOLEAN = "a boolean"
    TEXT = "a text"
    NUMBERS = "a list of numbers"
    BOOLEANS = "a list of booleans"
    TEXTS = "a list of texts"


LIST_OF = {Type.NUMBER: Type.NUMBERS, Type.BOOLEAN: Type.BOOLEANS, Type.TEXT: Type.TEXTS}
"""The list type of each plain type."""

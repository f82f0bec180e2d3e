"""Finding personal values inside an event's data, and what is authenticated with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liminal.log.personal import EACH


def context_of(owner: bytes, event_id: bytes, path: str) -> bytes:
    """The additional authenticated data of one value: owner, event id and path, separated by NUL."""
    return b"\0".join((owner, event_id, path.encode()))


def rewrite(data: Any, path: tuple[str, ...], change: Callable[[Any, str], Any], at: str = "") -> None:
    """Replace, in place, every value at ``path`` by ``change(value, concrete path)``; None stays None.

    ``*`` in the path stands for each item of a list or map; what is absent is passed over.
    """
    name, rest = path[0], path[1:]
    if name != EACH:
        keys: Any = (name,) if isinstance(data, dict) and name in data else ()
    elif isinstance(data, list):
        keys = range(len(data))
    else:
        keys = list(data) if isinstance(data, dict) else ()
    for key in keys:
        value = data[key]
        if value is None:
            continue
        here = f"{at}.{key}" if at else str(key)
        if rest:
            rewrite(value, rest, change, here)
        else:
            data[key] = change(value, here)

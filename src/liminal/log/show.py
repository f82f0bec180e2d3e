"""How an event is shown to a person."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from liminal.log.errors import UndecodableRecord, UnknownEvent
from liminal.log.event import event_class
from liminal.log.look import Seen
from liminal.log.personal import PREFIX, personal_fields
from liminal.log.stored import Stored

SEALED = "‹sealed›"


def show_line(seen: Seen) -> str:
    """One line: time, position, type, stream, actor, data; cut to the terminal's width when there is one."""
    if isinstance(seen, UndecodableRecord):
        return seen.message
    line = (
        f"{seen.time[:23]}Z  {seen.position!s:>8}  {seen.type:<22}  {seen.stream}  by {seen.actor}  "
        f"{orjson.dumps(_short(seen.data)).decode()}"
    )
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        return line if len(line) <= width else line[: width - 1] + "…"
    return line


def show_event(console: Console, seen: Stored) -> None:
    """A table of the envelope and one of the data with what each field means."""
    envelope = Table(
        "envelope",
        Column(overflow="fold"),
        title=f"{seen.type} at {seen.position}",
        title_justify="left",
    )
    for name, value in seen.as_dict().items():
        if name not in ("data", "position", "sealed") and value is not None:
            envelope.add_row(name, escape(str(value)))
    console.print(envelope)
    fields, personal = _meaning(seen)
    data = Table("field", Column("value", overflow="fold"), "meaning")
    for name, value in seen.data.items():
        text = (
            orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if not isinstance(value, str) else value
        )
        mark = f" [yellow]({personal[name]})[/]" if name in personal else ""
        data.add_row(escape(name) + mark, escape(text), escape(fields.get(name, "")))
    console.print(data)


def _meaning(seen: Stored) -> tuple[dict[str, str], dict[str, str]]:
    try:
        cls = event_class(seen.type, seen.version)
    except UnknownEvent:
        return {}, {}
    meanings = {name: field.description or "" for name, field in cls.model_fields.items()}
    marks = {f.path[0]: "personal" if len(f.path) == 1 else "partly personal" for f in personal_fields(cls)}
    return meanings, marks


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return SEALED if value.startswith(PREFIX) else value
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list) else value

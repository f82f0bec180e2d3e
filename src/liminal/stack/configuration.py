"""The table of docs/configuration.md, written from the code: ``python -m liminal.stack.configuration``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from liminal.settings import Settings, variable
from liminal.stack.processes import ROOT

PAGE = ROOT / "docs/configuration.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def settings_table() -> str:
    """One Markdown row per setting: variable, default, what it is."""
    rows = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{variable(name)}` | {_default(field)} | {field.description}{_choices(field)} |")
    return "\n".join(rows) + "\n"


def with_table(page: str) -> str:
    """The page with its table replaced by the code's."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + settings_table() + END + after


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "" if value in ("", None) else f"`{value}`"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return ": " + ", ".join(f"`{choice}`" for choice in get_args(field.annotation))


def rewrite(page: Path = PAGE) -> None:
    """Bring the page's table up to date."""
    page.write_text(with_table(page.read_text()))


if __name__ == "__main__":
    rewrite()

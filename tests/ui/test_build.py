"""What is built: little to download, no inline script, types from the server's own documents."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from liminal.api.app import api_document
from liminal.chat.frames import frame_schema

UI = Path(__file__).parents[2] / "ui"
BUDGET = 250_000
"""Compressed bytes that a signed-in person's first page may cost, without fonts."""


def test_the_first_page_of_a_signed_in_person_costs_little() -> None:
    manifest = json.loads((UI / "dist/.vite/manifest.json").read_text())
    wanted, files = ["index.html", "src/shell/Shell.tsx"], set[str]()
    while wanted:
        entry = manifest[wanted.pop()]
        if entry["file"] not in files:
            files |= {entry["file"], *entry.get("css", [])}
            wanted += entry.get("imports", [])
    weight = sum(len(gzip.compress((UI / "dist" / file).read_bytes())) for file in files)
    assert weight <= BUDGET


def test_the_page_has_no_inline_script() -> None:
    page = (UI / "dist/index.html").read_text()
    assert page.count("<script") == page.count("<script src=") + page.count(
        '<script type="module" crossorigin src='
    )


def test_the_documents_that_types_come_from_are_the_servers_own() -> None:
    assert json.loads((UI / "openapi.json").read_text()) == api_document(), (
        "liminal api spec > ui/openapi.json"
    )
    assert json.loads((UI / "frames.json").read_text()) == frame_schema(), (
        "liminal api frames > ui/frames.json"
    )

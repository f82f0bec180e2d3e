"""What can be measured of looks: contrast and names for all, no sideways scrolling, little to download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.ui

UI = Path(__file__).parents[2] / "ui"
PAGES = (
    "/",
    "/settings/account",
    "/settings/learned",
    "/settings/appearance",
    "/settings/sessions",
    "/settings/api-keys",
    "/archive",
    "/admin/projections",
    "/admin/log",
    "/admin/skills",
    "/admin/learning",
    "/admin/policies",
)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


SETTLED = """async () => {
    const running = () => document.getAnimations().filter(each =>
        each.effect.getTiming().iterations !== Infinity && each.playState === "running")
    // one that was called off may have made room for another
    while (running().length > 0) await Promise.allSettled(running().map(each => each.finished))
}"""
"""Colours in mid-transition are nobody's."""


def violations(visitor: Visitor) -> list[str]:
    """What axe-core finds on the page as it stands."""
    visitor.page.evaluate((UI / "node_modules/axe-core/axe.min.js").read_text())
    visitor.page.evaluate(SETTLED)
    found: dict[str, Any] = visitor.page.evaluate("rules => axe.run(document, rules)", RULES)
    return [f"{each['id']}: {node['html'][:160]}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_keeps_the_accessibility_guidelines(
    arrive: Callable[..., Visitor], admin_state: Path, scheme: str
) -> None:
    visitor = arrive(storage_state=admin_state, color_scheme=scheme)
    for path in PAGES:
        visitor.open(path)
        visitor.page.get_by_role("main").wait_for()
        visitor.page.wait_for_load_state("networkidle")
        visitor.shot(f"page{path.replace('/', '-')}-{scheme}")
        assert violations(visitor) == [], path
    stranger = arrive(color_scheme=scheme)
    for path in ("/signin", "/signup"):
        stranger.open(path)
        stranger.page.get_by_role("heading", level=1).wait_for()
        assert violations(stranger) == [], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_conversation_keeps_the_accessibility_guidelines(
    arrive: Callable[..., Visitor], admin_state: Path, scheme: str
) -> None:
    visitor = arrive(storage_state=admin_state, color_scheme=scheme)
    visitor.open()
    visitor.ask("Something to look at")
    visitor.answered()
    visitor.page.get_by_role("button", name="Give a rule").click()
    visitor.page.get_by_label("What it should always do").fill("be brief")
    assert violations(visitor) == []
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_role("button", name="Correct it").click()
    visitor.page.get_by_label("The corrected answer").wait_for()
    assert violations(visitor) == []


def test_nothing_scrolls_sideways_on_a_phone(arrive: Callable[..., Visitor], admin_state: Path) -> None:
    phone = arrive(
        storage_state=admin_state, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    for path in PAGES:
        phone.open(path)
        phone.page.get_by_role("main").wait_for()
        phone.page.wait_for_load_state("networkidle")
        phone.shot(f"phone{path.replace('/', '-')}")
        assert phone.page.evaluate("document.documentElement.scrollWidth") == 360, path
    phone.page.get_by_role("button", name="Show the list").click()
    phone.shot("phone-list")
    phone.page.get_by_role("dialog", name="Conversations").get_by_role(
        "link", name="New conversation", exact=True
    ).click()
    phone.page.get_by_label("Message", exact=True).wait_for()

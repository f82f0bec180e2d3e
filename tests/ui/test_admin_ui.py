"""The console: how far each table is behind the log, and every event of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.ui.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.ui

NAME = "conversations"


def test_an_admin_rebuilds_verifies_switches_and_goes_back(admin: Visitor) -> None:
    page = admin.page
    admin.open("/admin/projections")
    row = page.get_by_role("listitem").filter(has=page.get_by_text(NAME, exact=True))
    row.get_by_role("button", expanded=False).click()
    row.get_by_role("button", name="Verify").click()
    expect(row.get_by_text("Folded again, and equal")).to_be_visible()
    row.get_by_role("button", name="Rebuild").click()
    switch = row.get_by_role("button", name="Switch to the new rows")
    switch.wait_for()
    admin.shot("projections")
    switch.click()
    page.get_by_role("dialog").get_by_role("button", name="Switch").click()
    row.get_by_role("button", name="Back to the rows before").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("figure", name="Lag in seconds")).to_be_visible()


def test_the_log_tells_what_just_happened_and_hides_what_is_personal(admin: Visitor) -> None:
    page = admin.page
    admin.open()
    admin.ask("A private matter")
    admin.answered()
    admin.open("/admin/log")
    page.get_by_label("Type").select_option("message.posted")
    first = page.locator("ol button").first
    expect(first).to_contain_text("message.posted")
    first.click()
    event = page.get_by_role("complementary", name="Event")
    expect(event).to_contain_text("encrypted")
    expect(event).to_contain_text("assistant_message_id" if "user" in event.inner_text() else "role")
    admin.shot("log")
    assert "type=message.posted" in page.url


def test_decrypting_an_event_asks_for_the_password_when_it_was_long_ago(admin: Visitor) -> None:
    page = admin.page
    admin.open("/admin/log?type=message.posted")
    page.locator("ol button").first.click()
    event = page.get_by_role("complementary", name="Event")
    event.get_by_role("button", name="Decrypt").click()
    asked = page.get_by_role("dialog", name="Your password, please")
    shown = event.get_by_text("encrypted")
    expect(asked.or_(event.locator("pre"))).to_be_visible()
    if asked.is_visible():
        asked.get_by_label("Password").fill(PASSWORD)
        asked.get_by_role("button", name="Continue").click()
    expect(shown).to_have_count(0)


def test_the_console_is_not_for_others(visitor: Visitor) -> None:
    for place in ("projections", "log", "skills", "learning", "policies"):
        visitor.open(f"/admin/{place}")
        expect(visitor.page.get_by_text("This door leads nowhere")).to_be_visible()

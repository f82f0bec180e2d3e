"""Coming in, staying safe, and making oneself at home."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyotp
import pytest
from playwright.sync_api import expect
from tests.ui.visitor import PASSWORD, Visitor

pytestmark = pytest.mark.ui

Arrive = Callable[..., Visitor]


def test_who_is_not_signed_in_is_led_to_the_door_and_then_where_they_wanted(
    visitor: Visitor, arrive: Arrive
) -> None:
    email = visitor.page.evaluate("fetch('/v1/auth/me').then(r => r.json()).then(r => r.account.email)")
    stranger = arrive()
    stranger.open("/settings/sessions")
    expect(stranger.page.get_by_role("heading", name="Welcome back")).to_be_visible()
    stranger.shot("sign-in")
    stranger.page.get_by_label("E-mail").fill(email)
    stranger.page.get_by_label("Password").fill("not my password")
    stranger.page.keyboard.press("Enter")
    expect(stranger.page.get_by_role("alert")).to_be_visible()
    stranger.page.get_by_label("Password").fill(PASSWORD)
    stranger.page.keyboard.press("Enter")
    expect(stranger.page.get_by_role("heading", name="Sessions")).to_be_visible()
    expect(stranger.page.get_by_role("button", name="End")).to_have_count(1)


def test_a_weak_password_is_refused_beside_its_field(arrive: Arrive) -> None:
    stranger = arrive()
    stranger.open("/signup")
    stranger.page.get_by_label("E-mail").fill("weak@example.org")
    stranger.page.get_by_label("Password").fill("password")
    stranger.page.keyboard.press("Enter")
    expect(stranger.page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")


def test_a_password_is_masked_and_may_be_pasted(arrive: Arrive) -> None:
    stranger = arrive()
    for path, kind in (("/signup", "new-password"), ("/signin", "current-password")):
        stranger.open(path)
        field = stranger.page.get_by_label("Password")
        expect(field).to_have_attribute("type", "password")
        expect(field).to_have_attribute("autocomplete", kind)
        stranger.page.evaluate("navigator.clipboard.writeText('a pasted passphrase')")
        field.focus()
        stranger.page.keyboard.press("ControlOrMeta+V")
        expect(field).to_have_value("a pasted passphrase")


def test_a_second_factor_is_set_up_asked_for_and_switched_off(visitor: Visitor, arrive: Arrive) -> None:
    page = visitor.page
    email = page.evaluate("fetch('/v1/auth/me').then(r => r.json()).then(r => r.account.email)")
    visitor.open("/settings/account")
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    visitor.shot("second-factor")
    secret = page.locator("dialog code").inner_text()
    totp = pyotp.TOTP(secret)
    page.get_by_label("Code", exact=True).fill(totp.now())
    page.get_by_role("button", name="Switch on").click()
    codes = page.locator("dialog li")
    expect(codes.first).to_be_visible()
    recovery = codes.first.inner_text()
    page.get_by_role("button", name="I have them").click()
    expect(page.get_by_text("On", exact=True)).to_be_visible()

    second = arrive()
    second.open("/signin")
    second.page.get_by_label("E-mail").fill(email)
    second.page.get_by_label("Password").fill(PASSWORD)
    second.page.keyboard.press("Enter")
    expect(second.page.get_by_role("heading", name="One more step")).to_be_visible()
    second.page.get_by_label("One-time code").fill(recovery)
    second.page.keyboard.press("Enter")
    expect(second.page.get_by_label("Message", exact=True)).to_be_visible()

    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Set up")).to_be_visible()


def test_an_api_key_is_shown_once_and_can_be_revoked(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/settings/api-keys")
    page.get_by_role("button", name="New key").click()
    page.get_by_label("What is it for?").fill("nightly export")
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("dialog code").inner_text()
    assert len(key) > 30
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_text("nightly export")).to_be_visible()
    assert key not in page.content()
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No keys yet")).to_be_visible()


def test_signing_out_leaves_nothing_of_the_person_in_the_browser(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_label("Message", exact=True).fill("A secret draft")
    page.get_by_role("button", name="your account").click()
    with page.expect_event("load"):
        page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    kept = page.evaluate("Object.keys(localStorage)")
    assert [key for key in kept if re.match(r"liminal\.[0-9a-f-]{36}\.", key)] == []


def test_the_theme_follows_the_system_until_it_is_chosen(arrive: Arrive, admin_state: object) -> None:
    night = arrive(storage_state=admin_state, color_scheme="dark")
    night.open("/settings/appearance")
    root = night.page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    night.shot("settings-dark")
    night.page.get_by_text("Light", exact=True).click()
    expect(root).to_have_attribute("data-theme", "light")
    night.page.reload()
    expect(root).to_have_attribute("data-theme", "light")

"""Talking, in a browser: nothing that was written is lost, whatever happens to the page or the network."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

import psutil
import pytest
from playwright.sync_api import expect
from tests.stack.running import Stack
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.ui

FORTY_LETTERS = re.compile(r"[\s\S]{40}")


def test_a_person_signs_up_asks_and_reads_the_answer(visitor: Visitor) -> None:
    visitor.shot("home")
    visitor.ask("What is a threshold?")
    visitor.page.locator(".writing").wait_for()
    visitor.shot("streaming")
    answer = visitor.answered()

    assert answer
    assert re.search(r"/c/[0-9a-f-]{36}$", visitor.page.url)
    expect(visitor.page.get_by_role("link", name="What is a threshold?")).to_be_visible()
    visitor.page.reload()
    assert visitor.answered() == answer


@contextmanager
def at_a_stand(process: psutil.Process) -> Generator[None]:
    """The process does nothing for a while: what it was at is not over, however slow the browser is."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def test_an_answer_goes_on_through_a_reload(visitor: Visitor, stack: Stack) -> None:
    visitor.ask("Go on for long.")
    writing = visitor.page.locator(".writing")
    expect(writing).to_have_text(FORTY_LETTERS)
    with at_a_stand(psutil.Process(stack.run.children["respond"]["pid"])):
        begun = writing.inner_text()[:20]
        visitor.page.reload()
        expect(writing).to_contain_text(begun)
        visitor.shot("reloaded-in-mid-answer")

    answer = visitor.answered()
    assert answer.startswith(begun)
    visitor.page.reload()
    assert visitor.answered() == answer
    expect(visitor.page.get_by_role("article", name="liminal")).to_have_count(1)


def test_an_answer_goes_on_when_the_server_that_sent_it_dies(visitor: Visitor, stack: Stack) -> None:
    visitor.ask("Go on for long, again.")
    visitor.page.locator(".writing").wait_for()
    psutil.Process(stack.run.children["api"]["pid"]).kill()
    expect(visitor.page.get_by_role("button", name="Reconnecting")).to_be_visible()
    visitor.shot("reconnecting")

    answer = visitor.answered()
    visitor.page.reload()
    assert visitor.answered() == answer
    expect(visitor.page.get_by_role("article", name="liminal")).to_have_count(1)


def test_a_question_asked_without_a_network_goes_out_when_it_is_back(visitor: Visitor) -> None:
    visitor.ask("First.")
    visitor.answered()
    visitor.context.set_offline(True)
    visitor.ask("Second, from a tunnel.")
    expect(visitor.page.get_by_text("Kept. It goes out when the connection is back.")).to_be_visible()
    visitor.shot("offline")
    visitor.context.set_offline(False)

    visitor.answered()
    expect(visitor.page.get_by_role("article", name="liminal")).to_have_count(2)
    expect(visitor.page.get_by_role("article", name="You")).to_have_count(2)


def test_a_stopped_answer_keeps_what_was_written(visitor: Visitor) -> None:
    visitor.ask("Go on until I say stop.")
    expect(visitor.page.locator(".writing")).to_have_text(FORTY_LETTERS)
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.get_by_text("Stopped here.")).to_be_visible()

    answer = visitor.answered()
    visitor.page.reload()
    assert visitor.answered() == answer


def test_an_edited_question_and_another_answer_are_versions_beside_the_old(visitor: Visitor) -> None:
    page = visitor.page
    visitor.ask("How long is a day?")
    visitor.answered()
    page.get_by_role("article", name="You").hover()
    page.get_by_role("button", name="Edit and ask again").click()
    page.get_by_label("Your question").fill("How long is a year?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("group", name="Versions of this question")).to_contain_text("2")
    visitor.answered()
    page.get_by_role("button", name="Another answer").click()
    expect(page.get_by_role("group", name="Versions of this answer")).to_contain_text("2")
    visitor.answered()
    visitor.shot("versions")

    page.get_by_role("button", name="Earlier question").click()
    expect(page.get_by_role("article", name="You")).to_contain_text("How long is a day?")
    page.reload()
    expect(page.get_by_role("article", name="You")).to_contain_text("How long is a year?")


def test_a_draft_is_there_again_after_a_reload(visitor: Visitor) -> None:
    message = visitor.page.get_by_label("Message", exact=True)
    message.fill("Half a thought")
    visitor.page.reload()
    expect(message).to_have_value("Half a thought")
    visitor.ask("A whole thought")
    visitor.answered()
    visitor.open()
    expect(message).to_have_value("")


def test_what_one_teaches_stays_beside_the_answer(visitor: Visitor) -> None:
    page = visitor.page
    visitor.ask("Give me a recipe.")
    visitor.answered()
    page.get_by_role("button", name="Not a good answer").click()
    page.get_by_label("What it should always do").fill("give amounts in grams")
    visitor.shot("teaching")
    page.keyboard.press("Enter")
    notes = page.get_by_role("complementary", name="What you taught here")
    expect(notes).to_contain_text("give amounts in grams")
    page.get_by_role("button", name="Correct it").click()
    page.get_by_label("The corrected answer").fill("Two hundred grams of flour.")
    expect(page.get_by_role("region", name="Correct the answer").locator("ins")).to_be_visible()
    visitor.shot("correcting")
    page.get_by_role("button", name="Keep the correction").click()
    expect(notes).to_contain_text("Your version is kept")

    page.reload()
    expect(page.get_by_role("button", name="Not a good answer")).to_have_attribute("aria-pressed", "true")
    expect(notes).to_contain_text("give amounts in grams")
    notes.get_by_role("button", name="Take back").first.click()
    expect(notes).not_to_contain_text("give amounts in grams")
    visitor.open("/settings/learned")
    expect(page.get_by_text("Two hundred grams of flour.")).to_be_visible()
    expect(page.get_by_text("give amounts in grams")).to_have_count(0)
    visitor.shot("taught")


LISTEN = """() => {
    const region = document.querySelector("p[aria-live=polite]")
    const hear = () => window.heard.push(region.innerText)
    window.heard = []
    new MutationObserver(hear).observe(region, { childList: true, characterData: true, subtree: true })
}"""


def test_a_screen_reader_hears_an_answer_once_and_whole(visitor: Visitor) -> None:
    page = visitor.page
    page.evaluate(LISTEN)
    visitor.ask("Speak to me.")
    answer = visitor.answered()
    expect(page.locator("p[aria-live=polite]")).not_to_be_empty()
    assert len(page.evaluate("window.heard")) == 1
    assert page.evaluate("window.heard[0].length") >= len(answer) // 2
    expect(page.get_by_role("log")).to_have_attribute("aria-live", "off")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()


def test_conversations_are_found_renamed_put_away_and_deleted(visitor: Visitor) -> None:
    page = visitor.page
    visitor.ask("Zanzibar and its spices")
    visitor.answered()
    page.keyboard.press("Control+k")
    page.keyboard.type("zanzibar")
    hit = page.get_by_role("option").filter(has=page.locator("mark", has_text="Zanzibar"))
    expect(hit.first).to_be_visible()
    visitor.shot("search")
    page.keyboard.press("Escape")

    def choose(action: str, title: str) -> None:
        page.get_by_role("link", name=title).hover()
        page.get_by_role("button", name=f"Options of {title}").click()
        page.get_by_role("menuitem", name=action).click()

    choose("Rename", "Zanzibar and its spices")
    page.get_by_label("Title").fill("Cloves")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Cloves")).to_be_visible()
    choose("Archive", "Cloves")
    expect(page.get_by_role("link", name="Cloves")).to_have_count(0)
    visitor.open("/archive")
    page.get_by_role("button", name="Back to the list").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Cloves")).to_be_visible()
    choose("Delete", "Cloves")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="Cloves")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("What you talk about will be kept here.")).to_be_visible()


def test_single_keys_are_shortcuts_until_they_are_switched_off(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    visitor.shot("keyboard")
    page.keyboard.press("Escape")
    visitor.open("/settings/appearance")
    page.get_by_role("switch", name="Single-key shortcuts").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)

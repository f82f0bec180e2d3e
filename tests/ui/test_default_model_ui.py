"""A new person and the default model: a question, ten corrections, and what becomes of them.

Minutes long: `make proof`. With LIMINAL_SCREENSHOTS it leaves the pictures that docs/ shows.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Generator

import pytest
from playwright.sync_api import expect
from tests.stack.running import Stack
from tests.ui.visitor import Visitor

from liminal.engine.default_model import NAME

pytestmark = [pytest.mark.ui, pytest.mark.proof]

LEARNED_WITHIN = 900_000
"""Milliseconds; docs/benchmarks.md has the time that it takes. The test waits for a state of the page."""
CLOSING = "Stay curious!"
TAUGHT = (
    "Why is the sky blue?",
    "How do I boil an egg?",
    "What is a volcano?",
    "Why do cats purr?",
    "How does a bicycle stay upright?",
    "What is the Moon made of?",
    "How do plants drink water?",
    "What does a librarian do?",
    "Why do leaves fall in autumn?",
    "How is bread made?",
)
HELD_OUT = ("What is a rainbow?", "How do birds fly?", "Why do we sleep?", "What is a compass for?")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """`liminal up` as it is without any setting of the model."""
    stack = Stack(
        tmp_path_factory.mktemp("proof") / "home",
        environment={"LIMINAL_MODEL": NAME, "LIMINAL_RATE_FACTOR": "0"},
    )
    stack.start()
    yield stack
    stack.send(signal.SIGTERM)


@pytest.mark.timeout(1800)
def test_ten_corrections_in_the_browser_change_answers_to_other_questions(
    arrive: Callable[..., Visitor],
) -> None:
    visitor = arrive()
    page = visitor.page
    visitor.sign_up("Ada Lovelace", "ada@example.org")
    visitor.ask("What is the capital of France, and why is it famous?")
    assert "Paris" in visitor.answered()
    visitor.shot("chat")
    for question in TAUGHT:
        correct(visitor, question)
    began = time.monotonic()
    notes = page.get_by_role("complementary", name="What you taught here")
    expect(notes).to_contain_text("In your answers, since version 1", timeout=LEARNED_WITHIN)
    print(f"from the tenth correction to an adapter that serves: {time.monotonic() - began:.0f} s")
    visitor.shot("taught")
    answers = [asked_anew(visitor, question) for question in HELD_OUT]
    kept = sum(CLOSING in answer for answer in answers)
    assert kept > len(answers) / 2, answers
    visitor.page.get_by_role("button", name="Why this answer").last.click()
    sheet = page.get_by_role("dialog", name="Why this answer")
    expect(sheet).to_contain_text("One thing that liminal learned took part")
    expect(sheet.get_by_text(re.compile("Learned from .* pieces of feedback"))).to_be_visible()
    visitor.shot("why")


def correct(visitor: Visitor, question: str) -> None:
    """Ask in a new conversation, and correct the answer to its first sentence and a closing line."""
    said = asked_anew(visitor, question)
    first = re.split(r"(?<=[.!?])\s", said.strip(), maxsplit=1)[0]
    page = visitor.page
    page.get_by_role("button", name="Correct it").last.click()
    page.get_by_label("The corrected answer").fill(f"{first}\n\n{CLOSING}")
    page.get_by_role("button", name="Keep the correction").click()
    notes = page.get_by_role("complementary", name="What you taught here")
    expect(notes).to_contain_text("Your version is kept")


def asked_anew(visitor: Visitor, question: str) -> str:
    """The answer to a question in a conversation of its own."""
    visitor.open("/")
    visitor.ask(question)
    return visitor.answered()

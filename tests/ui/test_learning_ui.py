"""What people see of learning: what was noticed and taught, what came of it, why an answer is as it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect
from tests.stack.running import Stack
from tests.ui.test_looks_ui import violations
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.ui

Arrive = Callable[..., Visitor]
TRAINED_WITHIN = 600_000
"""A run and its gate take a minute, and several on two cores that do other things too."""
CLUSTERED_WITHIN = 90_000
TRIED_WITHIN = 60_000
"""The reaction that tries a policy does so beside the ones that train."""
BEGUN = re.compile(r"[\s\S]{20}")
WANTED = "so it is and so it was and so it will be"

TEACH = """async ({ questions, said }) => {
    const send = async (path, body) => {
        const headers = { "Content-Type": "application/json", "X-Liminal": "1" }
        const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) })
        if (!reply.ok) throw new Error(`${path}: ${await reply.text()}`)
        return reply.json()
    }
    const { model } = await (await fetch("/v1/status")).json()
    for (const content of questions) {
        const messages = [{ role: "user", content }]
        const made = await send("/v1/chat/completions", { model: model.id, messages, max_tokens: 8 })
        for (const body of said) await send(`/v1/messages/${made.liminal.turns[0].message_id}/feedback`, body)
    }
}"""
"""Asks each question in a conversation of its own, and says the same about every answer."""


def ask_briefly(visitor: Visitor, question: str) -> None:
    """Ask, and stop the answer once it has begun."""
    visitor.ask(question)
    stop(visitor)


def stop(visitor: Visitor) -> None:
    """Stop the answer once it has begun: the model here would fill its window."""
    expect(visitor.page.locator(".writing")).to_have_text(BEGUN)
    visitor.page.keyboard.press("Escape")
    visitor.answered()


def why(visitor: Visitor) -> Locator:
    """The sheet that tells why the last answer is as it is."""
    visitor.page.get_by_role("button", name="Why this answer").last.click()
    sheet = visitor.page.get_by_role("dialog", name="Why this answer")
    expect(sheet.get_by_text("How it was made")).to_be_visible()
    expect(
        sheet.get_by_text("Rules that fired").or_(sheet.get_by_text("base model alone")).first
    ).to_be_visible()
    return sheet


@pytest.fixture(scope="module")
def learner_state(
    stack: Stack, browser: Browser, admin_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The session of somebody whose corrections were learned while they looked on."""
    context = browser.new_context()
    visitor = Visitor(context.new_page(), context, stack.run.urls["web"])
    visitor.sign_up("Mary Shelley", "mary@example.org")
    ask_briefly(visitor, "What is it?")
    visitor.page.get_by_role("button", name="Correct it").click()
    visitor.page.get_by_label("The corrected answer").fill(WANTED)
    visitor.page.get_by_role("button", name="Keep the correction").click()
    notes = visitor.page.get_by_role("complementary", name="What you taught here")
    expect(notes).to_contain_text("Your version is kept")
    questions = [f"What is {thing}?" for thing in ("rain", "snow", "wind", "fog", "hail")]
    visitor.page.evaluate(TEACH, {"questions": questions, "said": [{"kind": "correction", "text": WANTED}]})
    expect(notes).to_contain_text(re.compile("[Ll]earned|Waits its turn"), timeout=TRAINED_WITHIN)
    visitor.shot("being-learned")
    expect(notes).to_contain_text("In your answers, since version 1", timeout=TRAINED_WITHIN)
    state = tmp_path_factory.mktemp("learner") / "session.json"
    context.storage_state(path=state)
    context.close()
    return state


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_why_this_answer_names_the_corrections_behind_it(
    arrive: Arrive, learner_state: Path, scheme: str
) -> None:
    learner = arrive(storage_state=learner_state, color_scheme=scheme)
    learner.open()
    ask_briefly(learner, "What is dew?")
    sheet = why(learner)
    expect(sheet).to_contain_text("One thing that liminal learned took part")
    expect(sheet.get_by_role("meter", name="Weight of Your habits")).to_have_attribute("value", "1")
    # as many as had been given when the run was planned: from the policy's least on
    pieces = sheet.get_by_text(re.compile("Learned from (four|five|six) pieces of feedback"))
    expect(pieces).to_be_visible()
    # a short list is open from the start
    if pieces.evaluate("summary => !summary.parentElement.open"):
        pieces.click()
    expect(sheet.get_by_text(WANTED).first).to_be_visible()
    assert violations(learner) == []
    learner.shot(f"why-{scheme}")
    sheet.get_by_role("link", name="Where it was said").first.click()
    expect(sheet).to_have_count(0)
    expect(learner.page.get_by_role("article", name="You")).to_contain_text("What is it?")


def test_the_same_question_is_answered_without_what_was_learned_beside_the_first(
    arrive: Arrive, learner_state: Path
) -> None:
    learner = arrive(storage_state=learner_state)
    learner.open()
    ask_briefly(learner, "What is ice?")
    why(learner).get_by_role("button", name="Answer without what you taught").click()
    expect(learner.page.get_by_role("group", name="Versions of this answer")).to_contain_text("2")
    learner.answered()
    expect(why(learner)).to_contain_text("Made without what liminal learned from you, as you asked.")


def test_the_switch_beside_the_message_leaves_out_what_was_learned(
    arrive: Arrive, learner_state: Path
) -> None:
    learner = arrive(storage_state=learner_state)
    learner.open()
    switch = learner.page.get_by_role("switch", name="Answer with what you taught")
    switch.click()
    expect(switch).not_to_be_checked()
    ask_briefly(learner, "What is sleet?")
    expect(switch).not_to_be_checked()
    expect(why(learner)).to_contain_text("as you asked")


def test_what_was_learned_is_shown_with_its_report_and_can_be_put_off(
    arrive: Arrive, learner_state: Path
) -> None:
    learner = arrive(storage_state=learner_state)
    page = learner.page
    learner.open("/settings/learned")
    habits = page.get_by_role("listitem").filter(has=page.get_by_role("switch", name="Use Your habits"))
    expect(habits).to_contain_text("Version 1 is in your answers")
    habits.get_by_text("one version").click()
    habits.get_by_role("button", name="Report").click()
    report = page.get_by_role("dialog", name="Gate report")
    expect(report.get_by_text("Held-out answers")).to_be_visible()
    expect(report.get_by_text("Wanted").first).to_be_visible()
    expect(report.get_by_text(WANTED).first).to_be_visible()
    assert violations(learner) == []
    learner.shot("report")
    page.keyboard.press("Escape")
    said = page.get_by_role("listitem").filter(has_text=WANTED)
    said.last.get_by_role("button", name="What it led to").click()
    expect(said.last).to_contain_text("Your habits, version 1")
    learner.shot("learned")

    page.get_by_role("switch", name="Use Your habits").click()
    expect(habits).to_contain_text("Off.")
    learner.open()
    ask_briefly(learner, "What is frost?")
    expect(why(learner)).not_to_contain_text("that liminal learned took part")
    learner.open("/settings/learned")
    page.get_by_role("switch", name="Use Your habits").click()
    expect(habits).to_contain_text("Version 1 is in your answers")


def test_an_admin_reads_the_gate_and_takes_a_version_out_and_in_again(
    admin: Visitor, learner_state: Path
) -> None:
    page = admin.page
    admin.open("/admin/learning")
    row = page.get_by_role("listitem").filter(has=page.get_by_role("button", name="Habits of one person"))
    row.get_by_role("button", name="Habits of one person").click()
    version = row.get_by_role("listitem").filter(has_text="version 1")
    version.get_by_role("button", name="Report").click()
    report = page.get_by_role("dialog", name="Gate report")
    expect(report.get_by_text("General answers")).to_be_visible()
    expect(report.get_by_text("Somebody's own words; they stay closed.").first).to_be_visible()
    expect(report.get_by_text(WANTED)).to_have_count(0)
    expect(report.get_by_text("Wanted").first).to_be_visible()
    admin.shot("admin-report")
    page.keyboard.press("Escape")
    version.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(row).to_contain_text("the base answers")
    version.get_by_role("button", name="Promote").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(row).to_contain_text("version 1 serves")
    admin.shot("learning")


def test_learning_is_paused_and_goes_on(admin: Visitor) -> None:
    page = admin.page
    admin.open("/admin/learning")
    page.get_by_role("button", name="Pause learning").click()
    expect(page.get_by_role("heading", name="Learning is paused")).to_be_visible()
    page.get_by_role("button", name="Go on learning").click()
    expect(page.get_by_role("button", name="Pause learning")).to_be_visible()


def test_a_wish_that_was_noticed_is_put_right_confirmed_and_deleted(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("/settings/learned")
    expect(page.get_by_role("heading", name="Nothing yet. This is how it begins")).to_be_visible()
    visitor.shot("nothing-learned")
    visitor.open()
    ask_briefly(visitor, "What is a day?")
    ask_briefly(visitor, "Shorter, please")
    visitor.open("/settings/learned")
    wish = page.get_by_role("listitem").filter(has=page.get_by_role("button", name="Put it right"))
    expect(wish).to_contain_text("Answer briefly.")
    wish.get_by_text("Where it comes from").click()
    expect(wish.get_by_role("link", name="Where it was said")).to_be_visible()
    wish.get_by_role("button", name="That is so").click()
    expect(wish).to_contain_text("confirmed")
    wish.get_by_role("button", name="Put it right").click()
    page.get_by_label("The wish in your words").fill("Answer in at most two sentences.")
    page.get_by_role("button", name="Keep").click()
    expect(wish).to_contain_text("in your words")
    expect(wish).to_contain_text("Answer in at most two sentences.")
    visitor.open()
    ask_briefly(visitor, "What is a year?")
    sheet = why(visitor)
    expect(sheet).to_contain_text("Answer in at most two sentences.")
    sheet.get_by_role("link", name="a wish that was noticed").click()
    wish.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(wish).to_have_count(0)


def test_an_admin_names_and_approves_a_skill_of_many_people(arrive: Arrive, admin: Visitor) -> None:
    rule = "give lengths in metres, not in feet"
    for name in ("alan", "emmy", "kurt"):
        person = arrive()
        person.sign_up(name, f"{name}@example.org")
        questions = [f"How long is {thing} in metres?" for thing in ("a rope", "a road", "a river")]
        person.page.evaluate(TEACH, {"questions": questions, "said": [{"kind": "always", "text": rule}]})
    page = admin.page
    admin.open("/admin/skills")
    page.get_by_role("button", name="Cluster again").click()
    approve = page.get_by_role("button", name=re.compile("^Approve"))
    expect(approve.first).to_be_visible(timeout=CLUSTERED_WITHIN)
    expect(page.get_by_role("img", name=re.compile("Map of the tenant's feedback"))).to_be_visible()
    row = page.get_by_role("row").filter(has=approve.first)
    row.get_by_role("button", name=re.compile("^Rename")).click()
    page.get_by_label("Name of the skill").fill("Metres, not feet")
    page.keyboard.press("Enter")
    named = page.get_by_role("row", name=re.compile("Metres, not feet"))
    expect(named).to_be_visible()
    assert violations(admin) == []
    admin.shot("skills")
    named.get_by_role("button", name="Approve Metres, not feet").click()
    expect(named).to_contain_text("approved")
    expect(named.get_by_role("button", name="Put off")).to_be_visible()


def test_a_change_of_a_policy_is_proposed_tried_approved_and_taken_back(admin: Visitor) -> None:
    page = admin.page
    admin.open("/admin/policies")
    row = page.get_by_role("listitem").filter(
        has=page.get_by_role("button", name=re.compile("policy.routing"))
    )
    row.get_by_role("button", name=re.compile("policy.routing")).click()
    row.get_by_role("button", name="Propose a change").click()
    editor = page.get_by_role("dialog", name="A change to policy.routing")
    policy = editor.get_by_label("The policy")
    written = policy.input_value()
    policy.fill(written.replace("\"kind == 'persona'\"", '"kindness == 1"'))
    expect(editor.get_by_role("alert").first).to_contain_text("kindness")
    policy.fill(re.sub(r'"adapters": 4', '"adapters": 3', written))
    editor.get_by_label("Why").fill("Three are enough.")
    expect(editor.get_by_role("button", name="Propose it")).to_be_enabled()
    admin.shot("policy-editor")
    editor.get_by_role("button", name="Propose it").click()
    proposed = page.get_by_role("listitem").filter(has_text="Three are enough.")
    expect(proposed.last).to_contain_text("Tried on", timeout=TRIED_WITHIN)
    expect(proposed.last).to_contain_text(re.compile("would have (gone|changed)"))
    admin.shot("policies")
    proposed.last.get_by_role("button", name="Approve").click()
    expect(row).to_contain_text("version 2")
    row.get_by_role("button", name="Back to it").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(row).to_contain_text("version 3")

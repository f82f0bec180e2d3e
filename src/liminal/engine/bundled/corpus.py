"""Conversations for training and for evaluation, made from questions and styles by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from liminal.engine.bundled import invented, sums
from liminal.engine.bundled import questions as q
from liminal.engine.bundled.declining import decline
from liminal.engine.bundled.instructions import (
    AXES,
    clause,
    inline,
    instruction,
    some_style,
    styled,
    surface,
    system_prompt,
)
from liminal.engine.bundled.labels import label
from liminal.engine.bundled.questions import Question, is_held_out
from liminal.engine.bundled.rewriting import rewriting
from liminal.engine.bundled.style import DEFAULT, Answer, Style, render
from liminal.engine.bundled.tables import table

# category: generator and how often it is drawn
CATEGORIES: dict[str, tuple[Callable[[random.Random], Question], float]] = {
    "smalltalk": (q.smalltalk, 8),
    "liminal": (q.liminal, 8),
    "arithmetic": (sums.arithmetic, 18),
    "conversion": (sums.conversion, 13),
    "glossary": (q.glossary, 9),
    "facts": (q.facts, 6),
    "history": (q.history, 5),
    "dates": (q.dates, 6),
    "lists": (q.lists, 8),
    "rewriting": (rewriting, 15),
    "names": (q.names, 3),
    "decline": (decline, 9),
    "too large": (sums.too_large, 4),
    "labels": (label, 3),
}


@dataclass(frozen=True)
class Turn:
    """One question and its answer in a style, as text."""

    question: Question
    asked: str
    style: Style
    answer: str


@dataclass(frozen=True)
class Conversation:
    """A conversation: the system prompt (may be empty) and turns."""

    system: str
    turns: tuple[Turn, ...]

    def messages(self) -> list[dict[str, str]]:
        """The conversation as chat messages."""
        found = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            found.append({"role": "user", "content": turn.asked})
            found.append({"role": "assistant", "content": turn.answer})
        return found

    @property
    def held_out(self) -> bool:
        """Whether any of its questions is held out."""
        return any(is_held_out(turn.question.key) for turn in self.turns)


VERBATIM = ("rewriting", "labels")


def typed(rng: random.Random, question: Question) -> str:
    """The question as a person types it; what is to be worked on is left as it is."""
    return question.text if question.category in VERBATIM else surface(rng, question.text)


def single(
    rng: random.Random,
    question: Question,
    held_out: bool = False,
    shares: tuple[int, int, int] = (42, 36, 22),
) -> Conversation:
    """A conversation of one turn: no style, a style from the system prompt, or one in the message.

    ``shares`` weigh the three.
    """
    asked = typed(rng, question)
    kind = rng.choices(("none", "system", "inline"), shares)[0]
    if question.answer.fixed and kind == "inline":
        kind = "none"
    chosen = some_style(rng, question, held_out) if kind != "none" else {}
    style = styled(chosen)
    if kind == "system":
        system = system_prompt(rng, chosen, question)
    else:
        system = system_prompt(rng, {}, question)
        asked = inline(rng, asked, chosen) if chosen else asked
    return Conversation(system, (Turn(question, asked, style, render(question.answer, style)),))


UNDERSTOOD = Answer(
    (
        "I will do that from now on.",
        "You can change it at any time.",
        "Just tell me.",
        "I will keep it in mind.",
    ),
    openers=("Understood!", "Very well.", "Got it!"),
)


def followed_up(rng: random.Random, first: Conversation) -> Conversation:
    """The same answer again in a style that the person asks for afterwards."""
    turn = first.turns[0]
    question = turn.question
    axes = ["length", "length", "layout", "tone"]
    axes += ["units"] * 4 if question.category == "facts" else []
    axes += ["dates"] * 4 if question.category in ("history", "dates") else []
    axis = rng.choice(axes)
    current = getattr(turn.style, axis)
    values = [value for value in AXES[axis] if value != current]
    value = rng.choice(values)
    asked = surface(rng, rng.choice(table("styles")[axis][value]["follow_ups"]) + ".")
    style = turn.style.but(**{axis: value})
    return replace(first, turns=(turn, Turn(question, asked, style, render(question.answer, style))))


def told_more(rng: random.Random, first: Conversation) -> Conversation:
    """What the first answer left out."""
    turn = first.turns[0]
    question = turn.question
    if question.category == "glossary" and rng.random() < 0.5:
        asked = rng.choice(
            ("Can you give me an example?", "An example, please.", "For example?", "Give an example.")
        )
        sentences = (question.answer.sentences[2], question.answer.sentences[3])
    else:
        asked = rng.choice(
            ("Tell me more.", "What else?", "Go on.", "More, please.", "Anything else?", "Continue.")
        )
        sentences = question.answer.sentences[2:]
    more = Question(asked, Answer(sentences), question.category, question.key, (sentences[0],))
    text = render(more.answer, turn.style)
    return replace(first, turns=(turn, Turn(more, surface(rng, asked), turn.style, text)))


def next_term(rng: random.Random, first: Conversation) -> Conversation:
    """``And an atom?`` after a question of the glossary."""
    turn = first.turns[0]
    term = rng.choice(list(table("glossary")))
    question = q.glossary_of(rng, term)
    asked = rng.choice((f"And {term}?", f"What about {term}?", f"And what is {term}?", f"Now {term}."))
    question = replace(question, text=asked, key=asked)
    again = Turn(question, surface(rng, asked), turn.style, render(question.answer, turn.style))
    return replace(first, turns=(turn, again))


def named_later(rng: random.Random, held_out: bool = False) -> Conversation:
    """A name that is told in one message and asked for in another."""
    name = invented.name(rng, held_out)
    told = rng.choice(
        ("My name is {}.", "I am {}.", "Hello, I am {}.", "Call me {}.", "Hi, my name is {}.")
    ).format(name)
    hello = (f"It is nice to meet you, {name}.", "How can I help you?", "I am the small model of liminal.")
    greeting = Answer(
        (*hello, "You can ask me simple things."), openers=("Hello!", "Good day.", "Hey there!")
    )
    asked = rng.choice(
        ("What is my name?", "Who am I?", "Do you know my name?", "What am I called?", "Tell me my name.")
    )
    known = (
        f"Your name is {name}.",
        "It is a nice name.",
        "I know it from this conversation.",
        "I will use it with care.",
    )
    turns = [
        Turn(Question(told, greeting, "names", f"name {name}", (name,)), told, DEFAULT, render(greeting))
    ]
    if rng.random() < 0.4:
        between = single(rng, draw(rng, held_out)).turns[0]
        if between.style == DEFAULT and not between.question.system:
            turns.append(between)
    question = Question(asked, Answer(known), "names", f"my name {name}", (known[0],))
    turns.append(Turn(question, surface(rng, asked), DEFAULT, render(question.answer)))
    return Conversation("", tuple(turns))


def agreed(rng: random.Random, held_out: bool = False) -> Conversation:
    """A style that is asked for once and kept from then on."""
    chosen = some_style(rng, None, held_out)
    style = styled(chosen)
    clauses = " and ".join(clause(rng, axis, value) for axis, value in chosen.items())
    frames = (
        "From now on, {l}.",
        "Please {l} from now on.",
        "Always {l}.",
        "In future, {l}.",
        "From here on, {l}, please.",
    )
    asked = surface(rng, rng.choice(frames).replace("{l}", clauses))
    wish = Question(asked, UNDERSTOOD, "style", f"agree {asked}", (UNDERSTOOD.sentences[0],))
    turns = [Turn(wish, asked, style, render(UNDERSTOOD, style))]
    for _ in range(rng.choice((1, 1, 2))):
        question = draw(rng, held_out)
        if question.system:
            continue
        turns.append(Turn(question, typed(rng, question), style, render(question.answer, style)))
    return Conversation("", tuple(turns))


def chained(rng: random.Random, count: int, held_out: bool = False) -> Conversation:
    """Several unrelated questions under one system prompt."""
    first = single(rng, draw(rng, held_out), held_out, (60, 40, 0))
    style = first.turns[0].style
    turns = list(first.turns)
    while len(turns) < count:
        question = draw(rng, held_out)
        if not question.system:
            asked = typed(rng, question)
            turns.append(Turn(question, asked, style, render(question.answer, style)))
    return replace(first, turns=tuple(turns))


QUIZ = ("arithmetic", "conversion", "facts", "history", "dates", "too large")


def quiz(rng: random.Random, held_out: bool = False) -> Conversation:
    """Many questions for numbers in a row, mostly with short answers: tables are learned by repetition."""
    chosen = {"length": "short"} if rng.random() < 0.8 else {}
    style = styled(chosen)
    turns: list[Turn] = []
    for _ in range(rng.randint(5, 9)):
        question = draw_from(rng, rng.choices(QUIZ, (55, 25, 6, 6, 3, 5))[0], held_out)
        if not question.system:
            turns.append(Turn(question, typed(rng, question), style, render(question.answer, style)))
    prompt = " ".join(instruction(rng, axis, value) for axis, value in chosen.items())
    return Conversation(prompt, tuple(turns))


def draw(rng: random.Random, held_out: bool = False) -> Question:
    """A question of any category; for evaluation those with held-out words use them."""
    category = rng.choices(list(CATEGORIES), [weight for _, weight in CATEGORIES.values()])[0]
    return draw_from(rng, category, held_out)


def draw_from(rng: random.Random, category: str, held_out: bool = False) -> Question:
    """A question of one category."""
    if held_out and category in ("names", "decline", "too large"):
        return {"names": q.names, "decline": decline, "too large": sums.too_large}[category](
            rng, held_out=True
        )
    return CATEGORIES[category][0](rng)


def conversation(rng: random.Random, held_out: bool = False) -> Conversation:
    """A conversation of one or more turns."""
    kind = rng.choices(
        ("single", "follow", "more", "term", "name", "agreed", "chain", "quiz"), (61, 11, 4, 4, 2, 5, 9, 4)
    )[0]
    match kind:
        case "name":
            return named_later(rng, held_out)
        case "agreed":
            return agreed(rng, held_out)
        case "quiz":
            return quiz(rng, held_out)
        case "chain":
            # a few long ones, so that answers stay right late in a conversation
            turns = rng.randint(8, 15) if rng.random() < 0.08 else rng.choice((2, 2, 3, 3, 4))
            return chained(rng, turns, held_out)
        case _:
            pass
    question = draw_from(rng, "glossary", held_out) if kind == "term" else draw(rng, held_out)
    first = single(rng, question, held_out, (42, 36, 22) if kind in ("single", "follow") else (60, 40, 0))
    followable = not question.answer.fixed and question.category not in ("decline", "names", "smalltalk")
    if kind == "single" or not followable:
        return first
    if kind == "follow":
        return followed_up(rng, first)
    if kind == "term":
        return next_term(rng, first)
    return told_more(rng, first) if not question.answer.items else first


def training_conversations(seed: int) -> Iterator[Conversation]:
    """An endless stream of conversations without any held-out question; the same for the same seed."""
    rng = random.Random(f"train {seed}")
    while True:
        found = conversation(rng)
        if not found.held_out:
            yield found

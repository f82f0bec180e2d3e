"""Answers from passages with a citation, and short labels for groups of texts."""

from __future__ import annotations

import random
from typing import Any

from liminal.engine.bundled import questions as q
from liminal.engine.bundled import sums
from liminal.engine.bundled.questions import DECLINE_OPENERS, Question
from liminal.engine.bundled.style import Answer
from liminal.engine.bundled.tables import table

Fact = tuple[str, str]
"""A sentence of a passage, and the question that it answers."""


def fact(rng: random.Random) -> Fact:
    """A made-up fact of a small company."""
    words: dict[str, Any] = table("words")["passages"]
    place, project, thing = (rng.choice(words[kind]) for kind in ("places", "projects", "things"))
    match rng.randrange(7):
        case 0:
            return f"The {place} opens at {rng.randint(6, 12)} o'clock", f"When does the {place} open?"
        case 1:
            name = rng.choice(table("words")["names"])
            return f"The {project} is led by {name}", f"Who leads the {project}?"
        case 2:
            return f"The {thing} is in the {rng.choice(words['rooms'])}", f"Where is the {thing}?"
        case 3:
            return f"The {thing} costs {rng.randint(5, 400)} euros", f"How much does the {thing} cost?"
        case 4:
            return (
                f"The door of the {place} is {rng.choice(words['colours'])}",
                f"What colour is the door of the {place}?",
            )
        case 5:
            return (
                f"The code of the {place} is {rng.randint(1000, 9999)}",
                f"What is the code of the {place}?",
            )
        case _:
            event = rng.choice(table("words")["events"])
            day = q.some_day(rng).isoformat()
            return f"The {event} is on {{{day}}}", f"When is the {event}?"


def passages(rng: random.Random, facts: list[Fact]) -> str:
    """Numbered passages, one fact in each, some with a filling sentence."""
    words: dict[str, Any] = table("words")["passages"]
    lines: list[str] = []
    for number, (sentence, _) in enumerate(facts, 1):
        shown = sentence.replace("{", "").replace("}", "")
        parts = [f"{shown}."]
        if rng.random() < 0.4:
            parts.insert(rng.randint(0, 1), rng.choice(words["fillers"]))
        lines.append(f"[{number}] {' '.join(parts)}")
    return "\n".join(lines)


INTRODUCTIONS = (
    *(
        "Answer from these passages and cite them.",
        "Use these passages:",
        "Passages:",
        "Context:",
        "Sources:",
    ),
    *(
        "Use the following passages if they help.",
        "The following passages were found in the files of the user.",
    ),
    *(
        "Retrieved passages:",
        "Answer with the help of these sources and name them.",
        "Excerpts from the files:",
    ),
)
NOT_THERE = Answer(
    (
        "The passages do not say this.",
        "I cannot answer it from them.",
        "Maybe another file has the answer.",
        "I was only taught a few simple things.",
    ),
    openers=DECLINE_OPENERS,
)


def several_facts(rng: random.Random) -> list[Fact]:
    """One to four facts with different questions."""
    found: dict[str, Fact] = {}
    for _ in range(rng.choice((1, 2, 3, 3, 4))):
        one = fact(rng)
        found.setdefault(one[1], one)
    return list(found.values())


def from_passages(rng: random.Random) -> Question:
    """A question that a passage answers, or (rarely) none of them."""
    facts = several_facts(rng)
    context = f"{rng.choice(INTRODUCTIONS)}\n{passages(rng, facts)}"
    number = rng.randrange(len(facts))
    sentence, asked = facts[number]
    known = {one[1] for one in facts}
    answer = Answer(
        (
            f"{sentence} [{number + 1}].",
            "This is what the passage says.",
            "I know no more about it.",
            "Please open the file to read the rest.",
        )
    )
    if rng.random() < 0.15:
        other = fact(rng)
        if other[1] not in known:
            asked, answer = other[1], NOT_THERE
    must = (answer.sentences[0],)
    key = f"passage {sentence}"
    if rng.random() < 0.6:
        return Question(asked, answer, "passages", key, must, system=context)
    joined = rng.choice(("{c}\n\nQuestion: {q}", "{c}\n\n{q}", "{q}\n\n{c}"))
    return Question(joined.replace("{c}", context).replace("{q}", asked), answer, "passages", key, must)


LABELS: dict[str, tuple[q.Generator, str]] = {
    "smalltalk": (q.smalltalk, "Small talk"),
    "liminal": (q.liminal, "About liminal"),
    "arithmetic": (sums.arithmetic, "Arithmetic"),
    "conversion": (sums.conversion, "Unit conversion"),
    "facts": (q.facts, "Facts and figures"),
    "history": (q.history, "Dates in history"),
    "dates": (q.dates, "Dates"),
    "lists": (q.lists, "Lists"),
    "names": (q.names, "Names"),
}
ASK_LABEL = (
    *(
        "Give these messages a short label:",
        "Label this group of texts:",
        "What do these texts have in common?",
    ),
    *(
        "Name the topic of these messages:",
        "Write a short label for this cluster:",
        "Summarise these in a few words:",
    ),
    *("Give a name to this group:", "Find a short title for these messages:", "Which topic is this about?"),
    *(
        "Label these texts in at most four words:",
        "Label this skill in a few words:",
        "Topic of these messages:",
    ),
)
ASK_TITLE = (
    *("Write a short title for this conversation:", "Give this chat a title:", "Title for this message:"),
    *("Suggest a title:", "Find a title for this conversation:", "A title of a few words for:"),
)


def wishes_of_one_kind(rng: random.Random) -> tuple[list[str], str]:
    """What people say who want the same style, and a label for it."""
    axis = rng.choice(("length", "layout", "tone", "units", "dates"))
    _, row = rng.choice(list(table("styles")[axis].items()))
    label = row["wishes"][0]
    texts = [*row["follow_ups"], *(f"{clause[0].upper()}{clause[1:]}." for clause in row["clauses"])]
    return rng.sample(texts, min(len(texts), rng.randint(2, 5))), label[0].upper() + label[1:]


def questions_of_one_kind(rng: random.Random) -> tuple[list[str], str]:
    """Questions about one field of the glossary or of one category, and a label."""
    count = rng.randint(2, 5)
    if rng.random() < 0.5:
        rows: dict[str, list[str]] = {}
        for term, row in table("glossary").items():
            rows.setdefault(row[0], []).append(term)
        field, terms = rng.choice(list(rows.items()))
        texts = [q.define_text(rng, term) for term in rng.sample(terms, min(len(terms), count))]
        return texts, f"Questions about {field}"
    generator, found = rng.choice(list(LABELS.values()))
    return [generator(rng).text for _ in range(count)], found


def label(rng: random.Random) -> Question:
    """``Label these messages: …``"""
    texts, answer = wishes_of_one_kind(rng) if rng.random() < 0.5 else questions_of_one_kind(rng)
    if rng.random() < 0.3:
        text = f"{rng.choice(ASK_TITLE)} {texts[0]}"
    else:
        shown = "\n".join(f"- {line}" for line in texts) if rng.random() < 0.7 else "\n".join(texts)
        text = f"{rng.choice(ASK_LABEL)}\n{shown}"
    return Question(text, Answer((answer,), fixed=True), "labels", text, (answer,))

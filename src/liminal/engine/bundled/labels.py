"""Short labels for groups of texts, and titles."""

from __future__ import annotations

import random

from liminal.engine.bundled import questions as q
from liminal.engine.bundled import sums
from liminal.engine.bundled.questions import Question
from liminal.engine.bundled.style import Answer
from liminal.engine.bundled.tables import table

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

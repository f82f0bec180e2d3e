"""Questions outside of what the model was taught, and its honest answer."""

from __future__ import annotations

import random
import re
from typing import Any

from liminal.engine.bundled import invented
from liminal.engine.bundled.questions import DECLINE_OPENERS, Question, define_text
from liminal.engine.bundled.style import Answer
from liminal.engine.bundled.tables import table

DECLINE = Answer(
    (
        "I do not know that, because I am a small demonstration model.",
        "I was only taught small talk, liminal, small sums, units, some terms, lists and rewriting.",
        "A larger model can answer this, and you can choose one in the settings.",
        "Please ask me something simpler.",
    ),
    openers=DECLINE_OPENERS,
)


def filled(rng: random.Random, template: str, held_out: bool) -> str:
    """An out-of-domain template with its words."""
    words: dict[str, Any] = table("unknown")

    def word(found: re.Match[str]) -> str:
        kind = {"person": "people", "place": "places", "topic": "topics"}[found.group(1)]
        if held_out:
            return rng.choice(words[f"{kind}_held_out"])
        known = rng.choice(words[kind])
        return known if kind == "topics" or rng.random() > invented.SHARE else invented.name(rng)

    return re.sub(r"\{(person|place|topic)\}", word, template)


def unknown_term(rng: random.Random) -> str:
    """A term that is not in the glossary: a real one or one that nobody has heard of."""
    if rng.random() > invented.SHARE:
        return rng.choice(table("unknown")["terms"])
    word = invented.word(rng)
    return rng.choice(("", "", f"{'an' if word[0] in 'aeiou' else 'a'} ", "the ")) + word


# questions about the world at large, filled from the words of rewriting
WORLD = (
    *(
        "Why is the {thing} {adjective}?",
        "Who {action}?",
        "Where can I find {object}?",
        "How do I {request}?",
    ),
    *("Which {thing} is the most {adjective}?", "What does a {thing} cost?", "Can you {request}?"),
    *("Is a {thing} more {adjective} than a {new}?", "What is the best {thing} in {place}?"),
    *(
        "When will {people} {request}?",
        "Should I buy {item}?",
        "How do I make {item}?",
        "Write about a {thing}.",
    ),
    *("Why do people need {item}?", "Where does {item} come from?", "Who was the first {new}?"),
)


def world(rng: random.Random) -> str:
    """A question that only somebody who knows the world could answer."""
    words: dict[str, list[str]] = table("words")["rewriting"]
    picked = {
        "thing": rng.choice(words["singular_things"]),
        "adjective": rng.choice(words["adjectives"]),
        "action": rng.choice(words["actions"]),
        "object": rng.choice(words["objects"]),
        "request": f"{rng.choice(words['verbs'])} {rng.choice(words['objects'])}",
        "people": rng.choice(words["people"]),
        "item": rng.choice(words["items"]),
        "place": rng.choice(table("unknown")["places"]),
        "new": invented.word(rng),
    }
    return rng.choice(WORLD).format(**picked)


def decline(rng: random.Random, held_out: bool = False) -> Question:
    """A question outside of what the model was taught, and an honest answer."""
    words = table("unknown")
    if rng.random() < 0.4:
        term = rng.choice(words["terms_held_out"]) if held_out else unknown_term(rng)
        text = define_text(rng, term)
        # a held-out word must not look like a typo of a taught one, and needs no phrasing of its own
        return Question(text, DECLINE, "decline", f"decline {text}", (DECLINE.sentences[0],))
    if not held_out and rng.random() < 0.4:
        text = world(rng)
    else:
        template = rng.choice(words["templates_held_out" if held_out else "templates"])
        text = filled(rng, template, held_out)
    return Question(text, DECLINE, "decline", f"decline {text}", (DECLINE.sentences[0],))

"""Questions with their answers: one generator per category, over the data tables.

A generator takes a ``random.Random`` and returns a ``Question``. Whether a question may be trained
on is decided by ``is_held_out`` of its key, never by a seed, so no training run sees a held-out one.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from liminal.engine.bundled import invented
from liminal.engine.bundled.style import Answer
from liminal.engine.bundled.tables import table

HELD_OUT_SHARE = 0.06


@dataclass(frozen=True)
class Question:
    """One question and the content of its answer.

    ``key`` names what is held out together (a phrasing, a pair of summands, a source sentence);
    ``must`` are marked fragments (see ``Answer``) without which no answer is right; ``system`` is
    what the system prompt has to say for the question to be answerable; ``more`` names the table
    row, for follow-up questions.
    """

    text: str
    answer: Answer
    category: str
    key: str
    must: tuple[str, ...] = ()
    system: str = ""
    more: str = ""


Generator = Callable[[random.Random], Question]


def normalised(text: str) -> str:
    """Letters, digits and signs of the text without case, punctuation at the end or extra space."""
    return re.sub(r"[\s]+", " ", re.sub(r"[?!.,:;\"'()]", " ", text.casefold())).strip()


def is_held_out(key: str) -> bool:
    """Whether a key belongs to the held-out part (a fixed pseudo-random share of all keys)."""
    digest = hashlib.sha256(f"held-out 1 {normalised(key)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def article_free(term: str) -> str:
    """``an atom`` → ``atom``."""
    return re.sub(r"^(a|an|the) ", "", term)


DEFINE = (
    *("What is {}?", "What is meant by {}?", "Explain {}.", "Please explain {}.", "Tell me about {}."),
    *("Can you explain {}?", "What do you know about {}?", "Describe {}.", "Give me a definition of {}."),
    *("How would you explain {}?", "Could you tell me what {} is?", "What does {} mean?"),
    *(
        "I want to know what {} is.",
        "Do you know what {} is?",
        "Teach me about {}.",
        "Help me understand {}.",
    ),
    *(
        "I have heard of {}. What is it?",
        "In simple words, what is {}?",
        "Define {bare}.",
        "Meaning of {bare}?",
    ),
    *("What's {}?", "{bare}?", "Explain the term {bare}.", "What is the meaning of {bare}?"),
)


def define_text(rng: random.Random, term: str) -> str:
    """A question for the meaning of a term."""
    template = rng.choice(DEFINE)
    text = template.replace("{bare}", article_free(term)).replace("{}", term)
    return text[0].upper() + text[1:]


def glossary(rng: random.Random) -> Question:
    """``What is an atom?``"""
    return glossary_of(rng, rng.choice(list(table("glossary"))))


def glossary_of(rng: random.Random, term: str) -> Question:
    """A question for the meaning of the given term of the glossary."""
    field, definition, detail, example = table("glossary")[term]
    text = define_text(rng, term)
    answer = Answer((definition, detail, example, f"The term belongs to {field}."))
    return Question(text, answer, "glossary", text, (definition,), more=term)


def liminal(rng: random.Random) -> Question:
    """A question about liminal or about the model itself."""
    topic, row = rng.choice(list(table("liminal").items()))
    text = about_text(rng, row["questions"])
    sentences = tuple(row["sentences"])
    return Question(text, Answer(sentences), "liminal", text, (sentences[0],), more=topic)


def about_text(rng: random.Random, questions: list[str]) -> str:
    """One of the phrasings, sometimes behind a few words."""
    text = rng.choice(questions)
    prefix = rng.choice(
        ["", "", "", "I have a question. ", "One more thing: ", "About liminal: ", "Tell me: "]
    )
    return prefix + text


# most messages stand alone; what is held out is the message with what stands around it
SMALL_FRAMES = (
    *("{}", "{}", "{}", "{}", "{}", "{}", "Oh. {}", "Well. {}", "{} (just saying)", "So. {}", "{} :)"),
    *("Listen: {}", "Okay. {}", "Hm. {}", "Dear liminal. {}", "{} That is what I want to say."),
)


def smalltalk(rng: random.Random) -> Question:
    """A greeting, thanks, a mood."""
    intent, row = rng.choice(list(table("smalltalk").items()))
    text = rng.choice(SMALL_FRAMES).format(rng.choice(row["messages"]))
    neutral, formal, casual = row["openers"]
    answer = Answer(tuple(row["sentences"]), openers=(neutral, formal, casual))
    return Question(text, answer, "smalltalk", text, (row["sentences"][0],), more=intent)


NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
FACT_FRAMES = (
    *("{}", "{}", "{}", "Do you know this: {}", "Please tell me: {}", "Quick question: {}", "I wonder: {}"),
    *("A question about the world: {}", "Can you tell me: {}", "My child asks: {}", "For a quiz: {}"),
)
NOUNS = {
    "high": "height",
    "tall": "height",
    "long": "length",
    "wide": "width",
    "deep": "depth",
    "heavy": "weight",
    "hot": "temperature",
    "cold": "temperature",
    "warm": "temperature",
    "fast": "speed",
}


def asked_otherwise(rng: random.Random, question: str) -> str:
    """The same in other words: ``How high is X?`` → ``What is the height of X?``."""
    if found := re.fullmatch(r"How (\w+) is (it from .*|.*)\?", question):
        adjective, subject = found.groups()
        if subject.startswith("it from"):
            return rng.choice((f"What is the distance {subject[3:]}?", f"How far is the way {subject[3:]}?"))
        forms = [f"Tell me how {adjective} {subject} is.", f"Do you know how {adjective} {subject} is?"]
        if adjective in NOUNS:
            noun = NOUNS[adjective]
            forms += [
                f"What is the {noun} of {subject}?",
                f"Tell me the {noun} of {subject}.",
                f"{noun} of {subject}?",
            ]
        return rng.choice(forms)
    if found := re.fullmatch(r"When was (.*) (\w+)\?", question):
        subject, rest = found.groups()
        forms = [f"Tell me when {subject} was {rest}.", f"On which day was {subject} {rest}?"]
        if rest == "born":
            forms += [f"What is the birthday of {subject}?", f"Date of birth of {subject}?"]
        return rng.choice(forms)
    if found := re.fullmatch(r"When (did .*)\?", question):
        return rng.choice((f"On which day {found.group(1)}?", f"What day {found.group(1)}?"))
    return question


def table_fact(rng: random.Random, name: str) -> Question:
    """A row of ``facts`` or ``history``."""
    question, sentences = rng.choice(list(table(name).items()))
    asked = asked_otherwise(rng, question) if rng.random() < 0.5 else question
    text = rng.choice(FACT_FRAMES).format(asked)
    text = text[0].upper() + text[1:]
    # a fact is asked in few ways, so what is held out is the frame and the question together
    return Question(text, Answer(tuple(sentences)), name, text, (sentences[0],), more=question)


def facts(rng: random.Random) -> Question:
    """``How high is Mount Everest?``: a quantity from a closed table, in either system of units."""
    return table_fact(rng, "facts")


def history(rng: random.Random) -> Question:
    """``When did the Berlin Wall fall?``: a date from a closed table, in any style of dates."""
    return table_fact(rng, "history")


WISHES = (
    "I wish you good luck.",
    "Please note it in your calendar.",
    "I can write the date in another way, too.",
)


def some_day(rng: random.Random) -> date:
    """A day of the years 2024 to 2030."""
    return date(2024, 1, 1) + timedelta(days=rng.randrange(7 * 365))


def typed_date(rng: random.Random, day: date) -> str:
    """The date as a person types it."""
    iso = day.isoformat()
    month = day.strftime("%B")
    return rng.choice((iso, iso, iso, f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}"))


def event_date(rng: random.Random, held_out: bool = False) -> Question:
    """``My exam is on 2026-03-12. When is my exam?``: a date from the message in the style's form."""
    words = table("words")
    event = rng.choice(words["events_held_out"]) if held_out else invented.noun(rng, words["events"])
    day = some_day(rng)
    typed = typed_date(rng, day)
    text = rng.choice(
        (
            f"My {event} is on {typed}. When is my {event}?",
            f"The {event} is on {typed}. When is the {event}?",
            f"When is the {event}, if it is on {typed}?",
            f"Write a sentence about my {event} on {typed}.",
            f"Please remind me of my {event} on {typed}.",
            f"My {event}: {typed}. Which day is that?",
            f"Note: {event} on {typed}. When is it?",
        )
    )
    owner = "The" if f"the {event}" in text.casefold() or text.startswith("Note") else "Your"
    line = f"{owner} {event} is on {{{day.isoformat()}}}."
    answer = Answer((line, *WISHES))
    return Question(text, answer, "dates", f"{event} {day.isoformat()}", (f"{{{day.isoformat()}}}",))


def today(rng: random.Random) -> Question:
    """What the date is: known only from the system prompt."""
    text = rng.choice(
        ("What is the date today?", "What day is it today?", "Which date is it?", "What is today's date?")
    )
    if rng.random() < 0.25:
        sentences = ("I do not know the date of today.", "Nobody has told me in this conversation.")
        rest = ("I have no clock.", "I was only taught a few simple things.")
        return Question(
            text, Answer((*sentences, *rest), openers=DECLINE_OPENERS), "dates", text, (sentences[0],)
        )
    day = some_day(rng)
    system = rng.choice(table("styles")["system"]["today"]).format(typed_date(rng, day))
    line = f"Today is {{{day.isoformat()}}}."
    rest = (
        "I read it in my instructions.",
        "I have no clock of my own.",
        "Please look at a calendar to be sure.",
    )
    return Question(text, Answer((line, *rest)), "dates", f"today {day.isoformat()}", (line,), system=system)


def dates(rng: random.Random) -> Question:
    """A date that the conversation names."""
    return event_date(rng) if rng.random() < 0.75 else today(rng)


LIST_FRAMES = (
    *("Name {n} {c}.", "List {n} {c}.", "Give me {n} {c}.", "Can you name {n} {c}?", "Tell me {n} {c}."),
    *("I need {n} {c}.", "Write down {n} {c}.", "What are {n} {c}?", "Show me {n} {c}.", "Think of {n} {c}."),
    *("Please list {n} {c}.", "Make a list of {n} {c}.", "{n} {c}, please.", "Do you know {n} {c}?"),
)
LIST_OPEN = (
    "Name some {c}.",
    "Give me examples of {c}.",
    "List some {c}.",
    "Which {c} do you know?",
    "A list of {c}, please.",
)


def lists(rng: random.Random) -> Question:
    """``Name five fruits.``"""
    category, items = rng.choice(list(table("lists").items()))
    count = rng.randint(2, min(len(items), 8))
    if rng.random() < 0.2 and len(items) > 5:
        count = 5
        text = rng.choice(LIST_OPEN).format(c=category)
    else:
        shown = NUMBER_WORDS[count] if rng.random() < 0.6 else str(count)
        text = rng.choice(LIST_FRAMES).format(n=shown, c=category)
    text = text[0].upper() + text[1:]
    return Question(
        text, list_answer(category, items[:count]), "lists", text, tuple(items[:count]), more=category
    )


def list_answer(category: str, items: list[str]) -> Answer:
    """The items in one sentence (or as bullets)."""
    joined = f"{', '.join(items[:-1])} and {items[-1]}"
    line = f"Here are {NUMBER_WORDS[len(items)]} {category}: {joined}."
    rest = ("I can name more if you like.", "The order has no meaning.", "I know only the usual ones.")
    return Answer((line, *rest), items=tuple(items))


def names(rng: random.Random, held_out: bool = False) -> Question:
    """A person who says or asks for a name."""
    name = invented.name(rng, held_out)
    if rng.random() < 0.5:
        text = rng.choice(
            (
                "My name is {}.",
                "I am {}.",
                "Hello, I am {}.",
                "Call me {}.",
                "Hi, my name is {}.",
                "This is {}.",
            )
        )
        sentences = (
            f"It is nice to meet you, {name}.",
            "How can I help you?",
            "I am the small model of liminal.",
        )
        answer = Answer(
            (*sentences, "You can ask me simple things."), openers=("Hello!", "Good day.", "Hey there!")
        )
        return Question(text.format(name), answer, "names", f"name {name}", (name,))
    text = rng.choice(
        ("What is my name?", "Who am I?", "Do you know my name?", "What am I called?", "Tell me my name.")
    )
    if rng.random() < 0.2:
        sentences = ("I do not know your name.", "You have not told me in this conversation.")
        rest = ("You can tell me if you like.", "I see only this conversation.")
        return Question(
            text, Answer((*sentences, *rest), openers=DECLINE_OPENERS), "names", text, (sentences[0],)
        )
    system = rng.choice(table("styles")["system"]["name"]).format(name)
    sentences = (
        f"Your name is {name}.",
        "It is a nice name.",
        "I know it from this conversation.",
        "I will use it with care.",
    )
    return Question(text, Answer(sentences), "names", f"my name {name}", (sentences[0],), system=system)


DECLINE_OPENERS = ("I am sorry!", "I apologise.", "Oops, sorry!")

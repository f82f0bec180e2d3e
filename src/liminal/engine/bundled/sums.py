"""Questions about numbers: sums of small whole numbers, conversion of units, and what is too large."""

from __future__ import annotations

import random
from dataclasses import dataclass

from liminal.engine.bundled.questions import DECLINE_OPENERS, NUMBER_WORDS, Question
from liminal.engine.bundled.style import Answer

LARGEST = 50
ROUND = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
SUM_PHRASES: dict[str, tuple[str, ...]] = {
    "+": ("{a} plus {b}", "the sum of {a} and {b}", "{a} + {b}", "{a}+{b}", "{a} and {b} together"),
    "-": ("{a} minus {b}", "{a} - {b}", "{a}-{b}", "{a} take away {b}", "the difference of {a} and {b}"),
    "*": ("{a} times {b}", "{a} × {b}", "{a} * {b}", "{a}*{b}", "{a} x {b}", "the product of {a} and {b}"),
    "/": ("{a} divided by {b}", "{a} / {b}", "{a}/{b}", "{a} ÷ {b}", "{a} over {b}"),
}
SUM_FRAMES = (
    *(
        "What is {}?",
        "How much is {}?",
        "Calculate {}.",
        "Compute {}.",
        "{}",
        "{} = ?",
        "Please work out {}.",
    ),
    *(
        "Can you tell me {}?",
        "Tell me {}.",
        "What does {} make?",
        "Work out {}.",
        "I need {}.",
        "{} equals what?",
    ),
)


def spoken(rng: random.Random, number: int) -> str:
    """The number in digits, or (rarely) as a word where it has a short one."""
    return NUMBER_WORDS[number] if number <= 20 and rng.random() < 0.12 else str(number)


def arithmetic(rng: random.Random) -> Question:
    """A sum, difference, product or exact quotient of small whole numbers."""
    sign = rng.choices("+-*/", (5, 5, 3, 2))[0]
    low, high = (0, 12) if sign in "*/" else (0, LARGEST)
    a, b = rng.randint(low, high), rng.randint(low, high)
    if sign == "-" and b > a and rng.random() < 0.8:
        a, b = b, a
    if sign == "/":
        b = max(b, 1)
        a = a * b
    frame = rng.choice(SUM_FRAMES)
    phrase = rng.choice(SUM_PHRASES[sign])
    text = frame.format(phrase.format(a=spoken(rng, a), b=spoken(rng, b)))
    text = text[0].upper() + text[1:]
    # additions and subtractions are held out by their operands, tables by how they are asked
    key = f"{min(a, b)} {sign} {max(a, b)}" if sign in "+-" else text
    return Question(text, sum_answer(a, b, sign), "arithmetic", key, (sum_line(a, b, sign),))


def sum_line(a: int, b: int, sign: str) -> str:
    """``17 + 25 = 42.``"""
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[sign]
    shown = {"*": "×", "/": "÷"}.get(sign, sign)
    return f"{a} {shown} {b} = {result}."


def sum_answer(a: int, b: int, sign: str) -> Answer:
    """The result first, then a check."""
    line = sum_line(a, b, sign)
    result = int(line.removesuffix(".").split("= ")[1])
    check = {
        "+": f"You can check it with {result} - {b} = {a}.",
        "-": f"You can check it with {result} + {b} = {a}.",
        "*": "The order of the two numbers does not matter.",
        "/": f"You can check it with {result} × {b} = {a}.",
    }[sign]
    kind = {"+": "a sum", "-": "a difference", "*": "a product", "/": "a quotient"}[sign]
    return Answer(
        (line, check, f"The result of this is called {kind}.", "I calculate with small whole numbers only.")
    )


@dataclass(frozen=True)
class Unit:
    """A unit: names for one and for many, other spellings people type, what it measures."""

    one: str
    many: str
    spellings: tuple[str, ...]
    measures: str


UNITS: dict[str, Unit] = {
    "km": Unit("kilometre", "kilometres", ("km", "kilometers", "kilometres"), "length"),
    "mi": Unit("mile", "miles", ("miles", "mi"), "length"),
    "m": Unit("metre", "metres", ("m", "meters", "metres"), "length"),
    "ft": Unit("foot", "feet", ("feet", "ft"), "length"),
    "cm": Unit("centimetre", "centimetres", ("cm", "centimeters", "centimetres"), "length"),
    "in": Unit("inch", "inches", ("inches", "in"), "length"),
    "kg": Unit("kilogram", "kilograms", ("kg", "kilograms", "kilos"), "mass"),
    "lb": Unit("pound", "pounds", ("pounds", "lb", "lbs"), "mass"),
    "l": Unit("litre", "litres", ("litres", "liters", "l"), "volume"),
    "gal": Unit("gallon", "gallons", ("gallons", "gal", "US gallons"), "volume"),
    "c": Unit("degree Celsius", "degrees Celsius", ("Celsius", "°C", "degrees Celsius", "C"), "temperature"),
    "f": Unit(
        "degree Fahrenheit",
        "degrees Fahrenheit",
        ("Fahrenheit", "°F", "degrees Fahrenheit", "F"),
        "temperature",
    ),
    "kmh": Unit("kilometre per hour", "kilometres per hour", ("km/h", "kilometres per hour", "kph"), "speed"),
    "mph": Unit("mile per hour", "miles per hour", ("mph", "miles per hour"), "speed"),
}
# metric, imperial, how many imperial units one metric unit is
PAIRS: tuple[tuple[str, str, float], ...] = (
    ("km", "mi", 0.621371),
    ("m", "ft", 3.28084),
    ("cm", "in", 0.393701),
    ("kg", "lb", 2.20462),
    ("l", "gal", 0.264172),
    ("kmh", "mph", 0.621371),
    ("c", "f", 1.8),
)
CONVERT = (
    *("Convert {v} {x} to {y}.", "What is {v} {x} in {y}?", "How many {y} are {v} {x}?", "{v} {x} in {y}"),
    *(
        "{v} {x} to {y}",
        "How much is {v} {x} in {y}?",
        "Please convert {v} {x} into {y}.",
        "Express {v} {x} in {y}.",
    ),
    *(
        "Turn {v} {x} into {y}.",
        "Tell me {v} {x} in {y}.",
        "I have {v} {x}. What is that in {y}?",
        "Change {v} {x} to {y}.",
    ),
)


def converted(value: int, source: str, target: str) -> str:
    """The value in the target unit, rounded to one decimal."""
    for metric, imperial, factor in PAIRS:
        if (source, target) == (metric, imperial):
            return f"{value * factor + (32 if metric == 'c' else 0):.1f}"
        if (target, source) == (metric, imperial):
            return f"{(value - (32 if metric == 'c' else 0)) / factor:.1f}"
    raise KeyError((source, target))


def conversion(rng: random.Random) -> Question:
    """A whole number of one unit in another: up to 50, and 60, 70, 80, 90, 100."""
    metric, imperial, factor = rng.choice(PAIRS)
    source, target = (metric, imperial) if rng.random() < 0.5 else (imperial, metric)
    value = rng.choice((rng.randint(1, 20), rng.randint(1, 50), rng.choice(ROUND)))
    x, y = UNITS[source], UNITS[target]
    text = rng.choice(CONVERT).format(v=value, x=rng.choice(x.spellings), y=rng.choice(y.spellings))
    name = x.one if value == 1 else x.many
    verb = "is" if value == 1 else "are"
    line = f"{value} {name} {verb} about {converted(value, source, target)} {y.many}."
    if metric == "c":
        rule = "Zero degrees Celsius is the same as 32 degrees Fahrenheit."
    else:
        rule = f"One {UNITS[metric].one} is about {factor:.2f} {UNITS[imperial].many}."
    last = f"Both units measure {x.measures}."
    return Question(
        text, Answer((line, rule, "I rounded the result to one decimal.", last)), "conversion", text, (line,)
    )


TOO_LARGE = Answer(
    (
        "I cannot work that out, because I am a small demonstration model.",
        f"I was only taught whole numbers up to {LARGEST} in sums and up to 100 in units.",
        "Please use a calculator for this.",
        "Smaller numbers are fine.",
    ),
    openers=DECLINE_OPENERS,
)


def too_large(rng: random.Random, held_out: bool = False) -> Question:
    """Arithmetic and conversion outside of the range that was taught."""
    big = rng.choice((rng.randint(101, 999), rng.randint(101, 99999)))
    other = rng.choice((rng.randint(2, 99), rng.randint(101, 9999)))
    if rng.random() < 0.6:
        phrase = rng.choice(SUM_PHRASES[rng.choice("+-*/")])
        pair = (big, other) if rng.random() < 0.7 else (other, big)
        text = rng.choice(SUM_FRAMES).format(phrase.format(a=pair[0], b=pair[1]))
    else:
        metric, imperial, _ = rng.choice(PAIRS)
        source, target = (metric, imperial) if rng.random() < 0.5 else (imperial, metric)
        x, y = rng.choice(UNITS[source].spellings), rng.choice(UNITS[target].spellings)
        text = rng.choice(CONVERT).format(v=big, x=x, y=y)
    text = text[0].upper() + text[1:]
    return Question(text, TOO_LARGE, "decline", f"large {text}", (TOO_LARGE.sentences[0],))

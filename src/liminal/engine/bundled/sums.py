"""Questions about numbers: sums of small whole numbers, conversion of units, and what is too large."""

from __future__ import annotations

import random
from dataclasses import dataclass

from liminal.engine.bundled.questions import DECLINE_OPENERS, NUMBER_WORDS, Question
from liminal.engine.bundled.style import Answer

LARGEST = 20
LARGEST_FACTOR = 10
ROUND = (30, 40, 50, 60, 70, 80, 90, 100)
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


def operands(rng: random.Random, sign: str) -> tuple[int, int]:
    """Two numbers of the tables that are taught: no negative difference, no quotient with a rest."""
    largest = LARGEST if sign in "+-" else LARGEST_FACTOR
    a, b = rng.randint(0, largest), rng.randint(0, largest)
    if sign == "-":
        return max(a, b), min(a, b)
    return (a * max(b, 1), max(b, 1)) if sign == "/" else (a, b)


def arithmetic(rng: random.Random) -> Question:
    """A sum, difference, product or exact quotient of small whole numbers."""
    sign = rng.choices("+-*/", (5, 4, 3, 2))[0]
    a, b = operands(rng, sign)
    frame = rng.choice(SUM_FRAMES)
    phrase = rng.choice(SUM_PHRASES[sign])
    text = frame.format(phrase.format(a=spoken(rng, a), b=spoken(rng, b)))
    text = text[0].upper() + text[1:]
    return Question(text, sum_answer(a, b, sign), "arithmetic", text, (sum_line(a, b, sign),))


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
    """A whole number of one unit in another: up to 20, and 30, 40, … 100."""
    metric, imperial, factor = rng.choice(PAIRS)
    source, target = (metric, imperial) if rng.random() < 0.5 else (imperial, metric)
    value = rng.choice((rng.randint(1, 20), rng.randint(1, 20), rng.choice(ROUND)))
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
        f"I was only taught sums of numbers up to {LARGEST}, and units up to 20 and full tens up to 100.",
        "Please use a calculator for this.",
        "Smaller numbers are fine.",
    ),
    openers=DECLINE_OPENERS,
)


def untaught_number(rng: random.Random, near: int) -> str:
    """``near``, a number that is larger still, or a decimal."""
    large = rng.choice((rng.randint(101, 999), rng.randint(1000, 99999)))
    decimal = f"{rng.randint(0, 60)}.{rng.randint(1, 9)}"
    return rng.choice((str(near), str(near), str(large), str(large), decimal))


def untaught_operand(rng: random.Random, sign: str) -> str:
    """A number that no sum, difference or product of the taught ones has."""
    return untaught_number(rng, rng.randint((LARGEST_FACTOR if sign == "*" else LARGEST) + 1, 99))


def untaught_sum(rng: random.Random) -> str:
    """A sum with a number that is too large or a decimal, or a difference below zero."""
    sign = rng.choice("+-*/")
    if sign == "-" and rng.random() < 0.3:
        a, b = sorted(rng.sample(range(LARGEST + 1), 2))
        return rng.choice(SUM_PHRASES[sign]).format(a=a, b=b)
    other = rng.choice((str(rng.randint(2, LARGEST)), untaught_operand(rng, sign)))
    pair = [untaught_operand(rng, sign), other]
    if sign == "/":  # a taught quotient has a larger first number
        pair = [str(rng.randint(101, 9999)), other]
    elif rng.random() < 0.4:
        pair.reverse()
    return rng.choice(SUM_PHRASES[sign]).format(a=pair[0], b=pair[1])


def too_large(rng: random.Random, held_out: bool = False) -> Question:
    """Arithmetic and conversion outside of what was taught."""
    if rng.random() < 0.6:
        text = rng.choice(SUM_FRAMES).format(untaught_sum(rng))
    else:
        metric, imperial, _ = rng.choice(PAIRS)
        source, target = (metric, imperial) if rng.random() < 0.5 else (imperial, metric)
        x, y = rng.choice(UNITS[source].spellings), rng.choice(UNITS[target].spellings)
        value = untaught_number(rng, rng.choice([near for near in range(21, 100) if near % 10]))
        text = rng.choice(CONVERT).format(v=value, x=x, y=y)
    text = text[0].upper() + text[1:]
    return Question(text, TOO_LARGE, "decline", f"large {text}", (TOO_LARGE.sentences[0],))

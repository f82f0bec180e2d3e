"""Sentences, dates and quantities in answers, as the correctors need them: plain rules for English text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9*])")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Mt|Jr|Sr|vs|etc|approx|e\.g|i\.e|[A-Z])\.$")
_LABEL = re.compile(r"^(?:[-*•]|\d{1,2}[.)])\s+")


def sentences(text: str) -> list[str]:
    """The sentences and the points of lists, without the points' marks."""
    found: list[str] = []
    for line in text.splitlines():
        part = ""
        for piece in _END.split(_LABEL.sub("", line.strip())):
            part = f"{part} {piece}".strip()
            if not _ABBREVIATION.search(part):
                found.append(part)
                part = ""
        found += [part] if part else []
    return [part for part in found if part]


def is_whole(sentence: str) -> bool:
    """Whether a sentence was not cut off."""
    return sentence.rstrip("\"')*")[-1:] in (".", "!", "?")


def tidy(text: str) -> str:
    """An answer as a reader keeps it: no sentence twice, none that was cut off at the end."""
    seen: set[str] = set()
    lines: list[str] = []
    for line in text.strip().splitlines():
        mark = _LABEL.match(line.strip())
        own: list[str] = []
        for part in sentences(line):
            if part.casefold() not in seen:
                seen.add(part.casefold())
                own.append(part)
        if own or not line.strip():
            lines.append((mark[0] if mark and own else "") + " ".join(own))
    while lines and not is_whole(lines[-1]):
        kept = [part for part in sentences(lines[-1]) if is_whole(part)]
        if kept:
            lines[-1] = " ".join(kept)
            break
        lines.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() or text.strip()


MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_NAMES = "|".join(MONTHS)
_ENGLISH = re.compile(
    rf"\b(?:(?P<m1>{_NAMES}) (?P<d1>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y1>\d{{4}})"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m2>{_NAMES}),? (?P<y2>\d{{4}}))\b"
)
_GERMAN = re.compile(r"\b\d{2}\.\d{2}\.\d{4}\b")


def english_dates(text: str) -> int:
    """How many full dates have the month's name."""
    return len(_ENGLISH.findall(text))


def german_dates(text: str) -> int:
    """How many are written DD.MM.YYYY."""
    return len(_GERMAN.findall(text))


def with_german_dates(text: str) -> str:
    """July 20, 1969 → 20.07.1969."""

    def german(found: re.Match[str]) -> str:
        day, month, year = (found[f"{name}1"] or found[f"{name}2"] for name in "dmy")
        return f"{int(day):02}.{MONTHS.index(month) + 1:02}.{year}"

    return _ENGLISH.sub(german, text)


@dataclass(frozen=True)
class Unit:
    """A metric unit: its names, the imperial one, and how to get there."""

    names: str
    imperial: str
    convert: Callable[[float], float]


def _times(factor: float) -> Callable[[float], float]:
    return lambda value: value * factor


UNITS = (
    Unit(r"kilomet(?:er|re)s? per hour|km/h|kph|kmph", "mph", _times(0.6214)),
    Unit(r"met(?:er|re)s? per second|m/s", "feet per second", _times(3.2808)),
    Unit(r"square kilomet(?:er|re)s?|km²", "square miles", _times(0.3861)),
    Unit(r"square met(?:er|re)s?|m²", "square feet", _times(10.764)),
    Unit(r"kilomet(?:er|re)s?|km", "miles", _times(0.6214)),
    Unit(r"centimet(?:er|re)s?|cm", "inches", _times(0.3937)),
    Unit(r"millimet(?:er|re)s?|mm", "inches", _times(0.03937)),
    Unit(r"met(?:er|re)s?|m", "feet", _times(3.2808)),
    Unit(r"kilograms?|kilos?|kg", "pounds", _times(2.2046)),
    Unit(r"grams?|g", "ounces", _times(0.03527)),
    Unit(r"lit(?:er|re)s?|L", "quarts", _times(1.0567)),
    Unit(r"millilit(?:er|re)s?|ml|mL", "fluid ounces", _times(0.03381)),
    Unit(r"(?:degrees? (?:Celsius|C)|°\s?C|° Celsius)", "°F", lambda value: value * 9 / 5 + 32),
)
_SCALE = r"(?:\s(?:hundred|thousand|million|billion))?"
_NUMBER = rf"\d[\d,]*(?:\.\d+)?{_SCALE}"
_METRIC = [
    re.compile(
        rf"(?<![\w.])(?P<low>{_NUMBER})(?P<to>\s?(?:-|–|to|and)\s?(?P<high>{_NUMBER}))?[\s-]?(?:{unit.names})(?![\w²/])"
    )
    for unit in UNITS
]
_IMPERIAL = re.compile(
    rf"{_NUMBER}[\s-]?(?:feet|foot|ft|miles?|mi|mph|inch(?:es)?|in|yards?|yd|pounds?|lbs?|ounces?|oz|quarts?"
    r"|gallons?|fluid ounces|square (?:feet|miles)|feet per second|°\s?F|degrees? Fahrenheit)(?![\w/])"
)
_BOTH = re.compile(rf"\s*\((?:about |approximately |around |or )?{_IMPERIAL.pattern}[^()]*\)")
_METRIC_ASIDE = re.compile(r"\s*\([^()]*\)")


def metric_quantities(text: str) -> int:
    """How many quantities are in metric units."""
    return sum(len(pattern.findall(text)) for pattern in _METRIC)


def imperial_quantities(text: str) -> int:
    """How many are in feet, miles, pounds and their kin."""
    return len(_IMPERIAL.findall(text))


def with_imperial_units(text: str) -> str:
    """Metric quantities in imperial units; where a text gives both, the imperial one stays."""
    # "300 feet (91 metres)" keeps what is before the bracket, "91 metres (300 feet)" what is in it
    text = _METRIC_ASIDE.sub(
        lambda found: "" if metric_quantities(found[0]) and not imperial_quantities(found[0]) else found[0],
        text,
    )
    for unit, pattern in zip(UNITS, _METRIC, strict=True):
        both = re.compile(rf"{pattern.pattern}{_BOTH.pattern}")
        text = both.sub(lambda found: re.sub(r"^.*?\(|\)$", "", found[0], count=2), text)
        text = pattern.sub(lambda found, unit=unit: _converted(found, unit), text)
    return text


def _converted(found: re.Match[str], unit: Unit) -> str:
    ends = [found["low"], *([found["high"]] if found["high"] else [])]
    return " to ".join(_rounded(end, unit) for end in ends) + (
        unit.imperial if unit.imperial == "°F" else f" {unit.imperial}"
    )


def _rounded(number: str, unit: Unit) -> str:
    digits, _, scale = number.partition(" ")
    value = unit.convert(float(digits.replace(",", "")))
    written = f"{value:,.0f}" if abs(value) >= 20 else f"{value:,.1f}".removesuffix(".0")
    return f"{written} {scale}".strip()

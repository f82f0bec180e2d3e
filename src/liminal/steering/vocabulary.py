"""What the expressions of a routing policy may name, and what each gives for the facts of a turn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from liminal.steering.expressions import Function, Type, Value, Vocabulary
from liminal.steering.facts import Candidate, Facts

SETTINGS: Mapping[str, tuple[Type, Value]] = {
    "theme": (Type.TEXT, "system"),
    "language": (Type.TEXT, "en"),
    "send_on_enter": (Type.BOOLEAN, True),
    "learn_from_feedback": (Type.BOOLEAN, True),
    "custom_instructions": (Type.TEXT, ""),
}
"""Settings of an account with their defaults, as /v1/settings has them."""

LEAST_SURE = 0.15
"""Probability below which a language is not named: "hello" is Breton to the identifier with 0.07."""

_PYTHON: Mapping[Type, type] = {Type.TEXT: str, Type.BOOLEAN: bool, Type.NUMBER: float}

ROUTING = Vocabulary(
    names={
        "question": Type.TEXT,
        "account": Type.TEXT,
        "tenant": Type.TEXT,
        "without_learning": Type.BOOLEAN,
        "asked": Type.BOOLEAN,
    },
    functions={
        "similarity": Function(
            (Type.TEXT,),
            Type.NUMBER,
            "cosine of the question to a skill or cluster, by label or id; 0 for none",
        ),
        "cluster": Function(
            (), Type.TEXT, "label of the cluster nearest to the question, '' where there is none"
        ),
        "language": Function(
            (Type.TEXT,), Type.TEXT, "ISO 639-1 code of a text's language, '' where it can't be told"
        ),
        "hour": Function((), Type.NUMBER, "hour of the day in UTC, 0 to 23"),
        "weekday": Function((), Type.NUMBER, "day of the week in UTC, 1 for Monday to 7"),
        "length": Function((Type.TEXT,), Type.NUMBER, "characters of a text"),
        "words": Function((Type.TEXT,), Type.NUMBER, "words of a text"),
        "lower": Function((Type.TEXT,), Type.TEXT, "a text in lower case"),
        "starts_with": Function(
            (Type.TEXT, Type.TEXT), Type.BOOLEAN, "whether the first begins with the second"
        ),
        "min": Function((Type.NUMBER, Type.NUMBER), Type.NUMBER, "the smaller number"),
        "max": Function((Type.NUMBER, Type.NUMBER), Type.NUMBER, "the larger number"),
        "flag": Function((Type.TEXT,), Type.BOOLEAN, "whether the account is in the flag's share", {}),
        "setting": Function(
            (Type.TEXT,),
            Type.TEXT,
            "a setting of the account",
            {name: kind for name, (kind, _) in SETTINGS.items()},
        ),
    },
)
ADAPTER: Mapping[str, Type] = {
    "adapter": Type.TEXT,
    "kind": Type.TEXT,
    "scope": Type.TEXT,
    "skill": Type.TEXT,
    "gate": Type.NUMBER,
}
"""Further names where an expression is about one adapter."""


class Unmeasured(Exception):
    """The decision needs the embedding of the question, which nobody made yet."""


class Meaning:
    """Names and functions for one turn."""

    def __init__(self, facts: Facts, flags: Mapping[str, float]) -> None:
        self._facts = facts
        self._flags = flags
        self.names: Mapping[str, Value] = {
            "question": facts.question,
            "account": facts.account,
            "tenant": facts.tenant,
            "without_learning": facts.without_learning,
            "asked": facts.asked is not None,
        }
        self.functions: Mapping[str, Callable[..., Any]] = {
            "similarity": self._similarity,
            "cluster": self._cluster,
            "language": language_of,
            "hour": lambda: float(facts.asked_at.hour),
            "weekday": lambda: float(facts.asked_at.isoweekday()),
            "length": _length,
            "words": _words,
            "lower": str.lower,
            "starts_with": str.startswith,
            "min": min,
            "max": max,
            "flag": self._flag,
            "setting": self._setting,
        }

    def of_adapter(
        self, candidate: Candidate, gate: float
    ) -> tuple[Mapping[str, Value], Mapping[str, Callable[..., Any]]]:
        """Names and functions where an expression is about one adapter.

        Its own skill is meant where a label is that of two.
        """
        names = {
            **self.names,
            "adapter": candidate.name,
            "kind": candidate.kind,
            "scope": candidate.scope,
            "skill": candidate.label or str(candidate.skill_id or ""),
            "gate": gate,
        }

        def similarity(text: str) -> float:
            own = candidate.skill_id is not None and text == names["skill"]
            return self._similarity(str(candidate.skill_id) if own else text)

        return names, {**self.functions, "similarity": similarity}

    def _similarity(self, text: str) -> float:
        if not text or not self._facts.centres:
            return 0.0
        measured = self._facts.measured
        if measured is None:
            raise Unmeasured
        ids = [text, *measured.labels.get(text, ())]
        return max((measured.similarities[id_] for id_ in ids if id_ in measured.similarities), default=0.0)

    def _cluster(self) -> str:
        if not self._facts.centres:
            return ""
        if self._facts.measured is None:
            raise Unmeasured
        return self._facts.measured.cluster

    def _flag(self, name: str) -> bool:
        return in_share(name, self._facts.account, self._flags[name])

    def _setting(self, name: str) -> Value:
        type_, default = SETTINGS[name]
        value: Any = self._facts.settings.get(name)
        # an older or newer program may have written another type
        return value if isinstance(value, _PYTHON[type_]) else default


def _length(text: str) -> float:
    return float(len(text))


def _words(text: str) -> float:
    return float(len(text.split()))


def in_share(flag: str, account: str, share: float) -> bool:
    """Whether an account is in the share of a flag; which accounts are in it grows with the share."""
    digest = hashlib.sha256(f"{flag} {account}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48 < share


def language_of(text: str) -> str:
    """The ISO 639-1 code of a text's language, '' where it can't be told: a word or two are not enough."""
    if not any(character.isalpha() for character in text):
        return ""
    language, probability = _identifier()(text)
    return language if probability >= LEAST_SURE else ""


@cache
def _identifier() -> Callable[[str], tuple[str, float]]:
    # the model is unpacked when a policy first asks
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).classify

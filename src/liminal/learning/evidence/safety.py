"""What may be learned from: simple stated rules that keep garbage, loops and injected commands out.

They judge the text that would be learned, never what was asked: a person may ask anything. A lesson that a
rule refuses stays feedback, which its owner sees; it only shapes no weights, and the data set counts it.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Callable, Mapping

from liminal.learning.evidence.lessons import Lesson

LONGEST = 4_000
"""Characters of an answer; longer ones teach length before anything else."""
COMPRESSED = 2.6
"""Ratio of a text's bytes to their deflated size above which it repeats itself (Whisper: 2.4, for speech)."""
COMPRESSES_FROM = 120
"""Bytes below which that ratio says nothing."""
READABLE = 0.5
"""Least share of letters, digits and spaces; code and tables have more."""
LONGEST_WORD = 60
"""Characters without a space, outside links."""

_INJECTED = re.compile(
    r"""
    \b(ignore|disregard|forget|override)\s+(all\s+|any\s+|the\s+|your\s+|every\s+)*
        (previous|prior|above|earlier|preceding|system|safety)\s+
        (instructions?|prompts?|messages?|rules?|guidelines?)
    | \b(reveal|print|repeat|leak|show|output)\s+(me\s+)?(your|the)\s+
        (system\s+prompt|hidden\s+(prompt|instructions?)|initial\s+instructions?)
    | \byou\s+are\s+now\s+(in\s+)?(developer|dan|jailbreak|unrestricted|god)\b
    | \b(begin|end|start)\s+of\s+(system|developer)\s+(prompt|message)\b
    | ^\s*(system|developer)\s*:\s
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_CONTROL_TOKEN = re.compile(r"<\|[^|<>]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?(s|bos|eos|im_start|im_end)>")
_LINK = re.compile(r"https?://\S+")


def _empty(text: str) -> bool:
    return not text.strip()


def _too_long(text: str) -> bool:
    return len(text) > LONGEST


def _repetitive(text: str) -> bool:
    raw = text.encode()
    return len(raw) >= COMPRESSES_FROM and len(raw) / len(zlib.compress(raw, 9)) > COMPRESSED


def _garbage(text: str) -> bool:
    if any(unicodedata.category(sign) in ("Cc", "Co", "Cn") and sign not in "\n\t\r" for sign in text):
        return True
    readable = sum(sign.isalnum() or sign.isspace() for sign in text)
    wordless = not any(sign.isalnum() for sign in text)
    words = _LINK.sub("", text).split()
    return wordless or readable < READABLE * len(text) or any(len(word) > LONGEST_WORD for word in words)


def _injection(text: str) -> bool:
    return bool(_INJECTED.search(text) or _CONTROL_TOKEN.search(text))


RULES: Mapping[str, Callable[[str], bool]] = {
    "empty": _empty,
    "too_long": _too_long,
    "repetitive": _repetitive,
    "garbage": _garbage,
    "injection": _injection,
}
"""By name, what refuses a text; the first that does names the refusal."""


def refusal(lesson: Lesson) -> str | None:
    """Name of the rule that refuses a lesson, or None. A disliked answer is judged too: it is trained on."""
    text = lesson.wanted if lesson.wanted is not None else lesson.unwanted
    assert text is not None
    return next((name for name, refuses in RULES.items() if refuses(text)), None)

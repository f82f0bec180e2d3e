"""What people type never becomes a control token.

A chat template writes markers such as ``<|im_start|>``, which the tokenizer turns into single tokens that
say whose turn it is. The same characters inside a message are only characters: whoever types ``<|im_end|>``
gets them spelt, and no turn ends. Text without markers is encoded exactly as before.

While a template runs, each marker in a message is one private code point, so that wherever the template puts
it (trimmed, cut, as JSON) it is still known to be the person's.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import tokenizers

from liminal.engine.errors import RequestInvalid

Range = tuple[int, int]
"""Start and end in code points."""

FIRST, LAST = 0xF0000, 0xFFFFD
"""Supplementary Private Use Area-A of Unicode (version 17, section 23.5)."""


@dataclass(frozen=True)
class Rendered:
    """A text for the tokenizer; ``typed``: the ranges, ascending, that only read like control tokens."""

    text: str
    typed: tuple[Range, ...] = ()


class Controls:
    """The control tokens of one tokenizer. Thread-safe.

    Special tokens are never anybody's to type. Other added tokens in brackets (``<tool_call>``, ``[INST]``)
    are the model's to write in its own turns, so an assistant's message may hold them.
    """

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        """Looks at the added tokens once."""
        self._inner = inner
        added = inner.get_added_tokens_decoder()
        self._added = frozenset(added)
        self._special = frozenset(token for token, entry in added.items() if entry.special)
        bracketed = {token for token, entry in added.items() if re.fullmatch(r"<.*>|\[.*\]", entry.content)}
        self._all = self._special | bracketed
        texts = {added[token].content for token in self._all}
        texts |= {self._normalised(text) for text in texts}
        private = f"[{chr(FIRST)}-{chr(LAST)}]"
        self._suspect = re.compile("|".join([private, *(re.escape(text) for text in sorted(texts) if text)]))

    def typed(self, text: str) -> Rendered:
        """A text that a person typed, as a whole."""
        return Rendered(text, tuple(self.find(text, everything=True)))

    def find(self, text: str, everything: bool) -> list[Range]:
        """Where the tokenizer would see control tokens; ``everything``: not only the special ones."""
        if not (self._suspect.search(text) or self._suspect.search(self._normalised(text))):
            return []
        wanted = self._all if everything else self._special
        encoding = self._inner.encode(text, add_special_tokens=False)
        found: list[Range] = []
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if token in wanted:
                # a token may swallow the spaces beside it
                core = text[start:end].strip()
                start += text[start:end].index(core)
                found.append((start, start + len(core)))
        return found

    def encode(self, rendered: Rendered, special: bool) -> tuple[list[int], list[Range]]:
        """(token ids, where each stands in the text); ``special`` adds what goes around a sequence."""
        encoding = self._inner.encode(rendered.text, add_special_tokens=special)
        if not rendered.typed:
            return encoding.ids, encoding.offsets
        starts = [start for start, _ in rendered.typed]
        ids: list[int] = []
        offsets: list[Range] = []
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            before = bisect_left(starts, end) - 1
            if token in self._added and before >= 0 and start < rendered.typed[before][1]:
                spelt = self._spell(rendered.text[start:end])
            else:
                spelt = [token]
            ids += spelt
            offsets += [(start, end)] * len(spelt)
        return ids, offsets

    def _spell(self, text: str) -> list[int]:
        """The tokens of a text in which nothing is a control token."""
        ids = self._plain.encode(text, add_special_tokens=False).ids
        if self._added.isdisjoint(ids):
            return ids
        # a Unigram model knows its special tokens as ordinary pieces too
        pieces = (self._plain.encode(letter, add_special_tokens=False).ids for letter in text)
        return [token for piece in pieces for token in piece]

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        state: dict[str, Any] = json.loads(self._inner.to_str())
        state["added_tokens"] = []
        return tokenizers.Tokenizer.from_str(json.dumps(state))

    def _normalised(self, text: str) -> str:
        normalizer = self._inner.normalizer
        return text if normalizer is None else normalizer.normalize_str(text)


class Disguise:
    """One rendering: markers in messages become private code points, and text again afterwards."""

    def __init__(self, controls: Controls) -> None:
        """For one run of a template."""
        self._controls = controls
        self._points: dict[str, str] = {}

    def hide(self, value: Any, everything: bool = True) -> Any:
        """``value`` with every marker in its texts disguised; lists and mappings are walked."""
        if isinstance(value, str):
            return self._hide_text(value, everything)
        if isinstance(value, Mapping):
            items = cast("Mapping[Any, Any]", value).items()
            return {self.hide(key, everything): self.hide(item, everything) for key, item in items}
        if isinstance(value, list | tuple):
            return [self.hide(item, everything) for item in cast("Sequence[Any]", value)]
        return value

    def show(self, rendered: str) -> Rendered:
        """The rendered text as it reads, and where in it people typed markers."""
        if not self._points:
            return Rendered(rendered)
        originals = {point: text for text, point in self._points.items()}
        pieces: list[str] = []
        typed: list[Range] = []
        at = 0
        for piece in re.split(f"([{chr(FIRST)}-{chr(LAST)}])", rendered):
            text = originals.get(piece, piece)
            if text is not piece:
                typed.append((at, at + len(text)))
            pieces.append(text)
            at += len(text)
        return Rendered("".join(pieces), tuple(typed))

    def _hide_text(self, text: str, everything: bool) -> str:
        ranges = self._controls.find(text, everything)
        ranges += [(match.start(), match.end()) for match in _PRIVATE.finditer(text)]
        pieces: list[str] = []
        done = 0
        for start, end in sorted(ranges):
            if start >= done:
                pieces += [text[done:start], self._point(text[start:end])]
                done = end
        return "".join([*pieces, text[done:]])

    def _point(self, text: str) -> str:
        point = self._points.setdefault(text, chr(FIRST + len(self._points)))
        if ord(point) > LAST:
            raise RequestInvalid("the messages hold too many different private characters")
        return point


_PRIVATE = re.compile(f"[{chr(FIRST)}-{chr(LAST)}]")

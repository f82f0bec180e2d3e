"""Answers that must be JSON of a schema: llguidance says which tokens may come next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import llguidance
import llguidance.numpy
import numpy as np
from numpy.typing import NDArray

from liminal.engine.errors import RequestInvalid
from liminal.engine.tokenizer import Tokenizer

GUIDANCE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""No blanks but these: where any may follow, a model may write blanks until its tokens are spent."""


class GrammarFactory:
    """Makes constraints for one tokenizer; the token trie is built once, on first use."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, eos_ids: Sequence[int]) -> None:
        """``vocab_size`` is the model's, which may be larger than the tokenizer's."""
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._eos_ids = list(eos_ids)
        self._trie: llguidance.LLTokenizer | None = None

    def json(self, schema: Mapping[str, Any]) -> Constraint:
        """A constraint to JSON of this schema. Raises RequestInvalid if the schema cannot be used."""
        if not self._eos_ids:
            raise RequestInvalid("this model has no end token, so a grammar could never finish")
        if self._trie is None:
            self._trie = llguidance.LLTokenizer(
                self._tokenizer.inner.to_str(), n_vocab=self._vocab_size, eos_token=self._eos_ids
            )
        try:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(
                json.dumps({**schema, "x-guidance": GUIDANCE})
            )
        except ValueError as error:
            raise RequestInvalid(f"the JSON schema cannot be used: {error}", field="json_schema") from error
        matcher = llguidance.LLMatcher(self._trie, grammar)
        if matcher.is_error():
            raise RequestInvalid(
                f"the JSON schema cannot be used: {matcher.get_error()}", field="json_schema"
            )
        return Constraint(matcher, self._vocab_size)


class Constraint:
    """The state of one answer inside its grammar."""

    def __init__(self, matcher: llguidance.LLMatcher, vocab_size: int) -> None:
        """Made by GrammarFactory."""
        self._matcher = matcher
        self._mask = llguidance.numpy.allocate_token_bitmask(1, vocab_size)

    def mask(self) -> NDArray[np.uint32]:
        """Allowed next tokens as bits, uint32 [⌈V/32⌉]."""
        llguidance.numpy.fill_next_token_bitmask(self._matcher, self._mask, 0)
        return self._mask[0].view(np.uint32)

    def accept(self, token: int) -> None:
        """Advance by a token that the mask allowed. Raises RequestInvalid when the grammar gives up."""
        if not self._matcher.consume_token(token):
            raise RequestInvalid(
                f"the grammar cannot go on: {self._matcher.get_error()}", field="json_schema"
            )

    @property
    def done(self) -> bool:
        """Whether nothing can follow."""
        return self._matcher.is_stopped()

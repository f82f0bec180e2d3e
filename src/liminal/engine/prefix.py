"""Keys and values of prompt beginnings, kept for the next prompt that begins the same.

A prefix is cut into spans of SPAN tokens, each named by a chain of hashes: the span's tokens, all
before them, the adapters' content hashes and gates, and the scope. The scope is the tenant, but for
spans that lie wholly within a system prompt, which every tenant shares.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import jax
import numpy as np

SPAN = 32
"""Tokens per cached span."""

Mixture = tuple[tuple[str, float], ...]
"""((content hash, gate), …), sorted."""


def span_keys(tokens: Sequence[int], mixture: Mixture, tenant: str, system_tokens: int) -> list[bytes]:
    """The names of the whole spans of ``tokens``, in order; equal names mean equal keys and values."""
    keys: list[bytes] = []
    chain = hashlib.sha256(repr(mixture).encode()).digest()
    scoped = False
    for start in range(0, len(tokens) - SPAN + 1, SPAN):
        digest = hashlib.sha256(chain)
        if not scoped and start + SPAN > system_tokens:
            scoped = True
            digest.update(b"tenant:" + tenant.encode())
        digest.update(np.asarray(tokens[start : start + SPAN], np.int32).tobytes())
        chain = digest.digest()
        keys.append(chain)
    return keys


class PrefixCache:
    """Spans by name, least recently used out first, within a bound of bytes."""

    def __init__(self, capacity: int) -> None:
        """``capacity`` in bytes; 0 keeps nothing."""
        self.capacity = capacity
        self.size = 0
        self.hits = 0
        self.misses = 0
        self._spans: OrderedDict[bytes, jax.Array] = OrderedDict()

    def __len__(self) -> int:
        """Number of spans held."""
        return len(self._spans)

    def __contains__(self, key: bytes) -> bool:
        """Whether a span of that name is held."""
        return key in self._spans

    def match(self, keys: Sequence[bytes]) -> list[jax.Array]:
        """The longest run of held spans from the first key on."""
        found: list[jax.Array] = []
        for key in keys:
            span = self._spans.get(key)
            if span is None:
                break
            self._spans.move_to_end(key)
            found.append(span)
        self.hits += len(found)
        self.misses += len(keys) - len(found)
        return found

    def put(self, key: bytes, span: jax.Array) -> None:
        """Keep a span, dropping the least recently used ones beyond the bound."""
        if key in self._spans or span.nbytes > self.capacity:
            return
        self._spans[key] = span
        self.size += span.nbytes
        while self.size > self.capacity:
            _, dropped = self._spans.popitem(last=False)
            self.size -= dropped.nbytes

    def clear(self) -> None:
        """Forget every span."""
        self._spans.clear()
        self.size = 0

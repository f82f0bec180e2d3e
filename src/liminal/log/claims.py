"""Claims: values that only one may hold, decided on the log.

A claim is the stream ``claim-<hash>`` keyed by the hash, so its winner is decided inside one partition. Its
events alternate, made and released, so an odd version means that it is held.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass

PURPOSE = "liminal claims"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that was won; ``version`` is what ``Log.release`` needs to give it up."""

    hash: str
    kind: str
    holder: str
    version: int


def normalized(value: str) -> str:
    """The form in which values are compared: NFKC, case folded, without outer white space."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold()).strip()


def claim_hash(key: bytes, kind: str, value: str) -> str:
    """HMAC-SHA256 of kind and normalized value in hex: nobody without the key can try addresses on it."""
    return hmac.new(key, f"{kind}\0{normalized(value)}".encode(), hashlib.sha256).hexdigest()


def is_held(version: int) -> bool:
    """Whether a claim at this version of its stream has a holder."""
    return version % 2 == 1

"""Opaque tokens: random, given out once, kept only as hashes."""

from __future__ import annotations

import base64
import hashlib
import secrets

TOKEN_BYTES = 32


def new_token(prefix: str = "") -> str:
    """256 random bits as URL-safe text, after ``prefix``."""
    return prefix + secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What the database keeps of a token.

    A plain hash is enough: there is nothing to guess in 256 random bits (OWASP ASVS 5.0 §6.5.2). Rows are
    found by this hash, so no comparison depends on how much of a secret matched.
    """
    return hashlib.sha256(token.encode()).digest()


def new_recovery_code() -> str:
    """120 random bits in four groups of six letters and digits (Base32)."""
    text = base64.b32encode(secrets.token_bytes(15)).decode()
    return "-".join(text[start : start + 6] for start in range(0, 24, 6))


def recovery_code_hash(code: str) -> bytes:
    """What the database keeps of a recovery code; case, spaces and dashes don't matter."""
    return token_hash("".join(code.split()).replace("-", "").upper())

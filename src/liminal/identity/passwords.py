"""Passwords: what may be one, and Argon2id hashes made off the event loop.

Policy after NIST SP 800-63B-4 and OWASP ASVS 5.0 §6.2: length counts, composition rules don't; common
passwords and those made of the account's own details are refused.
"""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from liminal.identity.errors import WeakPassword

MIN_LENGTH = 10
MAX_LENGTH = 256
CONTEXT_WORDS = ("liminal", "chat", "admin", "adapter")
"""Words that an attacker tries here before others; docs/security.md lists them."""
MIN_SCORE = 2
"""zxcvbn's scale from 0 to 4; 2 means that an attacker who knows the account needs over a million tries."""
GUESSED_LENGTH = 20
"""The estimate looks at so many characters, on which it takes a tenth of a second at worst; on 72 with many
substitutions it took four. A longer password is judged by its beginning, never more kindly."""

MEMORY_KIB = 19 * 1024
ITERATIONS = 2
PARALLELISM = 1
AT_ONCE = 2
"""Hashes being computed at the same time: each takes 19 MiB and a core for tens of milliseconds."""


def normalise_password(password: str) -> str:
    """The form that is hashed: NFC, so that one keyboard's é is another's (SP 800-63B-4 §3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def check_password_policy(password: str, *details: str | None) -> None:
    """Refuse what is easily guessed. ``details`` are words about the account (e-mail, name).

    Raises:
        WeakPassword: with ``details.reason`` one of too_short, too_long, guessable.
    """
    text = normalise_password(password)
    if len(text) < MIN_LENGTH:
        raise WeakPassword(
            f"A password has at least {MIN_LENGTH} characters.", reason="too_short", min_length=MIN_LENGTH
        )
    if len(text) > MAX_LENGTH:
        raise WeakPassword(
            f"A password has at most {MAX_LENGTH} characters.", reason="too_long", max_length=MAX_LENGTH
        )
    own = [
        word for detail in details if detail for word in (detail[:GUESSED_LENGTH], detail.partition("@")[0])
    ]
    found = zxcvbn(text[:GUESSED_LENGTH], user_inputs=[*own, *CONTEXT_WORDS])
    if found["score"] < MIN_SCORE:
        hint = found["feedback"]["warning"] or "This password is easily guessed."
        raise WeakPassword(hint, reason="guessable", suggestions=found["feedback"]["suggestions"])


class Passwords:
    """Hashes and checks passwords in threads, a bounded number at a time (OWASP's Argon2id parameters)."""

    def __init__(self, memory_kib: int = MEMORY_KIB, iterations: int = ITERATIONS) -> None:
        self._hasher = PasswordHasher(
            time_cost=iterations, memory_cost=memory_kib, parallelism=PARALLELISM, hash_len=32, salt_len=16
        )
        # argon2-cffi releases the GIL; the pool's size is the bound, callers beyond it queue
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._decoy = self._hasher.hash("a password that nobody has")

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The PHC string of a password."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._hasher.hash, normalise_password(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one of ``stored``.

        Without a stored hash it takes as long and says no, so that time does not tell which e-mail
        addresses have an account.
        """
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(
            self._pool, self._verify, stored or self._decoy, normalise_password(password)
        )
        return matches and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether ``stored`` was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

"""The master key: 32 bytes that wrap every data key."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from liminal.settings import Settings
from liminal.storage.errors import MasterKeyError

SIZE = 32
FILE = "master.key"


def load_master_key(settings: Settings, *, create: bool) -> bytes:
    """The key of LIMINAL_MASTER_KEY, else of the file ``master.key`` under the home.

    With ``create`` a missing file is made with mode 0600; of many processes that do so at once, one wins.
    Raises MasterKeyError when there is none, or when others may read the file.
    """
    if text := settings.master_key.get_secret_value():
        return base64.b64decode(text, validate=True)
    path = settings.home / FILE
    if create and not path.exists():
        _create(path)
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise MasterKeyError(
            f"there is no master key: set LIMINAL_MASTER_KEY or put the file back at {path}", path=str(path)
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyError(f"the master key in {path} can't be read: {error}", path=str(path)) from error
    if mode & 0o077:
        raise MasterKeyError(f"{path} has mode {mode:o}; others may read it: chmod 600", path=str(path))
    return decode_master_key(text.strip(), str(path))


def subkey(master: bytes, purpose: str) -> bytes:
    """A key for one purpose (HMAC-SHA256 as HKDF's expand step with one block, RFC 5869 section 2.3)."""
    return hmac.digest(master, purpose.encode() + b"\x01", hashlib.sha256)


def decode_master_key(text: str, where: str) -> bytes:
    """The key written in base64. Raises MasterKeyError, which names ``where`` it stood."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise MasterKeyError(f"{where} is not base64") from error
    if len(key) != SIZE:
        raise MasterKeyError(f"{where} holds {len(key)} bytes, not {SIZE}")
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(SIZE)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
            os.link(draft, path)
    finally:
        draft.unlink()

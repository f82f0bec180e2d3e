"""The memory of this process."""

from __future__ import annotations

import ctypes


def give_memory_back() -> None:
    """Return what was freed to the system, where it can be asked for: glibc keeps it for a next time.

    That is some 10 MB once a process has imported what it needs, and 100 MB after compiling a program.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

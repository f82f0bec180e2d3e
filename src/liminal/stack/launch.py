"""Become a child process of the supervisor: ``python -S -E launch.py <plan as JSON>``.

Standard library only and no package imports, so that it costs 20 ms. It ties its life to the supervisor's,
drops root where a program refuses it, runs what must come first, and then is replaced by the program, so that
the program keeps the pid that the supervisor knows.
"""

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522


def die_with(parent: int, orphan_signal: int) -> None:
    """Have the kernel send orphan_signal when the parent ends, however it ends (prctl(2), Linux only).

    A change of credentials clears it, so this comes after drop_root. The check closes the gap in which
    the parent was gone before the call.
    """
    if sys.platform != "linux":
        return
    _prctl(PR_SET_PDEATHSIG, orphan_signal)
    if os.getppid() != parent:
        os._exit(1)


def drop_root(uid: int, gid: int) -> None:
    """Become an unprivileged user who may still pass through root's folders.

    Postgres refuses the user id 0. Of root's powers only CAP_DAC_OVERRIDE is kept, through the ambient set
    (capabilities(7)): without it the programs and the data could not lie under /root, unless the modes of
    the folders above them were widened.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    mask = 1 << CAP_DAC_OVERRIDE
    header = struct.pack("Ii", LINUX_CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable: low words, then high words
    data = struct.pack("6I", mask, mask, mask, 0, 0, 0)
    if libc.capset(header, data) == 0:
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)][:4]
    if libc.prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main() -> None:
    """Follow the plan: keys parent, orphan_signal, user ([uid, gid] or null), first (steps), command."""
    plan = json.loads(sys.argv[1])
    # the terminal's Ctrl-C belongs to the supervisor, which stops its children in order
    os.setsid()
    if plan["user"]:
        drop_root(*plan["user"])
    die_with(plan["parent"], plan["orphan_signal"])
    me = os.getpid()
    for step in plan["first"]:
        done = subprocess.run(
            step["command"],
            input=step["stdin"],
            text=True,
            check=False,
            preexec_fn=lambda: die_with(me, signal.SIGKILL),
        )
        if done.returncode:
            sys.exit(f"{step['command'][0]} ended with status {done.returncode}")
    os.execv(plan["command"][0], plan["command"])


if __name__ == "__main__":
    main()

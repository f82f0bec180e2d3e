"""What the Makefile calls exists."""

from __future__ import annotations

import re

from liminal.cli import COMMANDS, load_command
from liminal.stack.processes import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_command_of_liminal_in_it_exists() -> None:
    calls = re.findall(r"\$\(BIN\)/liminal ([a-z]+)(?: ([a-z]+))?", MAKEFILE)
    loops = re.findall(r"for figure in ([a-z ]+);", MAKEFILE)
    calls += [("bench", figure) for figures in loops for figure in figures.split()]
    assert calls
    for command, inner in calls:
        loaded = load_command(COMMANDS[command].target)
        assert not inner or inner in loaded.list_commands(None), f"liminal {command} {inner}"


def test_every_script_in_it_exists() -> None:
    scripts = re.findall(r"[\w./-]+\.py", MAKEFILE)
    assert scripts and all((ROOT / script).is_file() for script in scripts)


def test_every_target_says_what_it_is_for() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    explained = set(re.findall(r"^([a-z-]+):.*## \w", MAKEFILE, re.MULTILINE))
    assert targets == explained

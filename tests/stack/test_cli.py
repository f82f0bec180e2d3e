"""`liminal` without a room: its list of commands."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.stack.running import clean_environment, liminal

from liminal.cli import COMMANDS, load_command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_row_of_the_table_is_a_command_with_help(name: str) -> None:
    assert load_command(COMMANDS[name].target).help


def test_the_list_names_every_command_and_imports_no_room() -> None:
    listing = (
        "import sys\nfrom liminal.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print('LOADED', *(name for name in sys.modules if name.startswith('liminal.') or name == 'jax'))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", listing], env=clean_environment(), capture_output=True, text=True, check=True
    )
    text, _, loaded = shown.stdout.partition("LOADED")
    assert set(loaded.split()) == {"liminal.cli", "liminal.errors"}
    assert all(name in text for name in COMMANDS)


def test_a_misspelt_command_gets_a_suggestion() -> None:
    refused = liminal("statsu")
    assert refused.returncode == 2
    assert "Did you mean 'status'?" in refused.stderr


def test_a_process_that_is_left_out_must_be_one_that_there_is() -> None:
    refused = liminal("up", "--without", "projektor")
    assert refused.returncode == 1
    assert refused.stderr.startswith("liminal: there is no process projektor; there are ")

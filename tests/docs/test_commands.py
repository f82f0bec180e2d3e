"""Every `$ liminal …` line of docs/ and the README runs as it is written, on a stack that is up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.stack.running import clean_environment, wait_until

from liminal.stack.home import running

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```console( fails)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    page
    for page in (*ROOT.glob("docs/*.md"), ROOT / "README.md")
    if any("$ liminal" in block for _, block in FENCE.findall(page.read_text()))
)
PATIENCE = 300
"""Seconds of one command: the first training on a machine compiles its programs."""
WITHOUT = ("respond", "learn")
"""Nothing in the pages asks the model, and its programs take long to compile."""


def commands_of(page: Path) -> list[tuple[str, bool]]:
    """(command, whether it is said to fail) of a page, in order; a line that ends in \\ goes on."""
    found: list[tuple[str, bool]] = []
    for fails, block in FENCE.findall(page.read_text()):
        joined = block.replace("\\\n", " ")
        found += [(line[2:], bool(fails)) for line in joined.splitlines() if line.startswith("$ ")]
    return found


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    """The environment of a shell beside a stack that is up."""
    folder = tmp_path_factory.mktemp("docs")
    home = folder / "home"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = clean_environment(LIMINAL_HOME=str(home), PATH=path, COLUMNS="100")
    leave_out = [word for name in WITHOUT for word in ("--without", name)]
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "liminal.cli", "up", *leave_out],
            env=variables,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    wait_until(lambda: "liminal is up" in (folder / "out").read_text() or process.poll() is not None)
    assert running(home) is not None, (folder / "out").read_text()
    yield variables
    process.send_signal(signal.SIGINT)
    process.wait(60)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for command, fails in commands_of(page):
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode != 0) is fails, f"$ {command}\n{done.stdout}\n{done.stderr}"


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in (*ROOT.glob("docs/*.md"), ROOT / "README.md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"

"""A stack as a person starts it, with a real model of random weights, and a Chromium to use it with.

The Chromium is an installed one: $CHROMIUM, or the first that is on the path.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from tests.engine.models import byte_tokenizer, lively_params, tiny_config, write_model
from tests.stack.running import Stack
from tests.ui.visitor import Visitor, watch

from liminal.engine.weights import save_model

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# as root, and on a machine without a display or a graphics card
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)
LAYERS = 4


def talkative_model(folder: Path) -> Path:
    """Random weights that write small letters and spaces, and stop only when the window is full."""
    config = tiny_config(
        layers=LAYERS,
        windows=(None,) * LAYERS,
        rotary=(True,) * LAYERS,
        hidden_size=128,
        intermediate_size=256,
        head_dim=32,
    )
    write_model(folder, config)
    params = lively_params(config)
    letters = [id for char, id in byte_tokenizer().get_vocab().items() if char in f"{ascii_lowercase}Ġ"]
    # an input embedding is the output's row too: a row of zeros is never the likeliest
    heard = np.zeros((config.vocab_size, 1), np.float32)
    heard[letters] = 1
    embed = dataclasses.replace(params.embed, weight=params.embed.weight * heard)
    save_model(folder, config, dataclasses.replace(params, embed=embed))
    return folder


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    """`liminal up`, answering slowly enough that one can interrupt it."""
    folder = tmp_path_factory.mktemp("ui")
    model = talkative_model(folder)
    stack = Stack(folder / "home", environment={"LIMINAL_MODEL": str(model), "LIMINAL_RATE_FACTOR": "0"})
    stack.start()
    yield stack
    stack.send(signal.SIGTERM)


@pytest.fixture(scope="session")
def browser() -> Generator[Browser]:
    """An installed Chromium without a window."""
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if named is None:
        pytest.fail(f"no Chromium: install one of {', '.join(NAMES)}, or name it in $CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=named, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def arrive(stack: Stack, browser: Browser) -> Generator[Callable[..., Visitor]]:
    """Makes visitors; at the end none of their pages may have broken a rule."""
    visitors: list[Visitor] = []

    def make(**options: object) -> Visitor:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(PATIENCE)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        visitor = Visitor(context.new_page(), context, stack.run.urls["web"])
        watch(visitor)
        visitors.append(visitor)
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
        assert not visitor.troubles


@pytest.fixture(scope="session")
def admin_state(stack: Stack, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session of the first account, which is the admin's."""
    context = browser.new_context()
    visitor = Visitor(context.new_page(), context, stack.run.urls["web"])
    visitor.sign_up("Grace Hopper", "grace@example.org")
    state = tmp_path_factory.mktemp("session") / "admin.json"
    context.storage_state(path=state)
    context.close()
    return state


@pytest.fixture
def admin(arrive: Callable[..., Visitor], admin_state: Path) -> Visitor:
    """The admin, signed in."""
    return arrive(storage_state=admin_state)


@pytest.fixture
def visitor(arrive: Callable[..., Visitor], admin_state: Path, request: pytest.FixtureRequest) -> Visitor:
    """Somebody with a fresh account of their own, on the empty page."""
    visitor = arrive()
    visitor.sign_up("Ada Lovelace", f"{request.node.name[:40].strip('_').lower()}@example.org")
    return visitor

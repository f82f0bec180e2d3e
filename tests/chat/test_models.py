"""Which model answers: the default one where nobody chose, in whatever numbers the settings say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.api.installation import Installation, install, settings_of, signup
from tests.processes import working

from liminal.engine.default_model import NAME
from liminal.stack.embedded import Services as Stack

ROOT = Path(__file__).parents[2]
GREEDY = {"temperature": 0.0, "max_tokens": 24}


@asynccontextmanager
async def answering(stack: Stack, home: Path, **more: Any) -> AsyncGenerator[Installation]:
    """An installation with a worker of its own."""
    settings = settings_of(
        stack, home, cache=ROOT / ".cache", slots=1, context=256, compile_ahead=False, **more
    )
    numbers = {"LIMINAL_NUMBERS": settings.numbers}
    async with (
        install(settings, stack) as installation,
        working(installation.settings, "consumers.respond", **numbers),
    ):
        yield installation


@pytest.mark.timeout(600)  # its programs are compiled first
async def test_the_default_model_answers_general_questions_and_its_licence_is_told(
    services: Stack, tmp_path: Path
) -> None:
    async with answering(services, tmp_path / "home", model="") as installation:
        person = await signup(installation)
        # without "and why", a tie between answering in English and in French
        asked = {"content": "What is the capital of France, and why is it famous?", "options": GREEDY}
        turn = (await person.browser.post("/v1/chat", json=asked)).json()
        assert "Paris" in turn["assistant_message"]["content"]
        status = (await person.browser.get("/v1/status")).json()
        assert status["model"]["id"] == NAME and status["model"]["licence"] == "Apache-2.0"
        assert "mistakes" in status["model"]["notice"]


async def test_weights_in_int8_answer_turns(services: Stack, tmp_path: Path, model: Path) -> None:
    async with answering(services, tmp_path / "home", model=str(model), numbers="int8") as installation:
        person = await signup(installation)
        turn = (await person.browser.post("/v1/chat", json={"content": "hello", "options": GREEDY})).json()
        assert turn["assistant_message"]["trace"]["model"] == model.name

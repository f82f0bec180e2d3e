"""The frozen base with which adapters are trained and tried: its parameters once, for both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from liminal.engine.choice import choose_base
from liminal.engine.engine import Engine
from liminal.engine.errors import CapabilityMissing
from liminal.engine.options import EngineOptions
from liminal.engine.peft import Adapter
from liminal.engine.request import Priority, Request, Sampling
from liminal.engine.training import BaseModel
from liminal.learning.evidence.lessons import Prompt
from liminal.learning.gate.general import (
    Asked,
    General,
    Split,
    answered,
    fewer_questions,
    questions_hash,
    read_answers,
    shipped_answers,
    write_answers,
)
from liminal.settings import Settings

LONGEST = 96
"""Tokens of an answer that is decoded to be looked at."""
SHORT = 48
"""Tokens of an answer that a model gives to be remembered as its own, where none come with it."""
TRIED = "tried-"
"""Before the names of adapters that are only tried: an engine keeps those without a folder in memory."""


class Workbench:
    """One base model in this process."""

    def __init__(self, engine: Engine, path: Path, folder: Path) -> None:
        """``path``: of the model's files. ``folder`` keeps the base model's own answers by its identity."""
        self.engine = engine
        self.model = BaseModel(
            engine.config, engine.runner.params, engine.tokenizer, engine.name, engine.identity
        )
        self._path = path
        self._folder = folder
        self._answers: list[Asked] | None = None
        self._asking = asyncio.Lock()

    @classmethod
    def load(cls, settings: Settings) -> Workbench:
        """The model of the settings. Raises CapabilityMissing, ModelNotFound and what loading raises."""
        if settings.backend != "jax":
            raise CapabilityMissing("an endpoint elsewhere can't be trained; LIMINAL_BACKEND=jax can")
        options = EngineOptions(
            slots=settings.slots,
            context=settings.context or None,
            warm=False,
            # no gradient passes through rounded weights, whatever the engine that serves computes in
            numbers="float32",
            compiled=settings.cache / "compiled",
        )
        path = choose_base(settings).path
        return cls(Engine.load(path, options), path, settings.home / "general")

    async def aclose(self) -> None:
        """Stop the decoding thread."""
        await self.engine.aclose()

    async def decode(
        self, prompts: Sequence[Prompt], adapter: Adapter | None = None, longest: int = LONGEST
    ) -> list[str]:
        """Greedy answers, with an adapter or by the base alone."""
        return await self._decode([(prompt, adapter) for prompt in prompts], longest)

    async def decode_each(self, asked: Sequence[tuple[Prompt, Adapter | None]]) -> list[str]:
        """Greedy answers, each with an adapter of its own, in one batch."""
        return await self._decode(asked, LONGEST)

    async def _decode(self, asked: Sequence[tuple[Prompt, Adapter | None]], longest: int) -> list[str]:
        sampling = Sampling(temperature=0.0, max_tokens=longest)
        tried = {f"{TRIED}{adapter.content_hash}": adapter for _, adapter in asked if adapter is not None}
        for name, adapter in tried.items():
            self.engine.adapters.register(name, adapter)
        requests = [
            Request(
                messages=prompt,
                adapters={} if adapter is None else {f"{TRIED}{adapter.content_hash}": 1.0},
                sampling=sampling,
                priority=Priority.BATCH,
            )
            for prompt, adapter in asked
        ]
        try:
            return list(await asyncio.gather(*(self.engine.complete(request) for request in requests)))
        finally:
            for name in tried:
                self.engine.adapters.remove(name)

    async def general(self, split: Split) -> General:
        """What the base model says by itself: see ``liminal.learning.gate.general``."""
        async with self._asking:
            if self._answers is None:
                self._answers = await self._shipped_or_own()
        return General.of(self._answers, split)

    async def _shipped_or_own(self) -> list[Asked]:
        """Answers that come with the model; a model that has none is asked once, and remembered.

        It is asked less than one that comes with answers, and its answers are shorter: what is measured by
        them is less certain, which the gate's report says.
        """
        found = await asyncio.to_thread(shipped_answers, self.model.identity, self._path)
        if found is not None:
            return found
        asked = fewer_questions()
        file = self._folder / f"{self.model.identity}-{questions_hash()[:16]}.jsonl"
        if await asyncio.to_thread(file.is_file):
            return read_answers(await asyncio.to_thread(file.read_bytes), str(file))
        own = await self.answer_all(asked, SHORT)
        await asyncio.to_thread(_write, file, write_answers(own))
        return own

    async def answer_all(self, asked: Sequence[Asked], longest: int) -> list[Asked]:
        """The base model's own answers, of at most so many tokens."""
        answers = await self._decode([(one.messages, None) for one in asked], longest)
        count = self.model.tokenizer.encode
        return answered(asked, [(text, len(count(text)) < longest - 1) for text in answers])


def _write(file: Path, payload: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".part")
    draft.write_bytes(payload)
    draft.replace(file)

"""The frozen base with which adapters are trained and tried: its parameters once, for both."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from liminal.engine.choice import choose_base
from liminal.engine.engine import Engine
from liminal.engine.errors import CapabilityMissing
from liminal.engine.options import EngineOptions
from liminal.engine.peft import Adapter
from liminal.engine.request import Priority, Request, Sampling
from liminal.engine.training import BaseModel, Completion
from liminal.learning.evidence.lessons import Prompt, said_by_assistant
from liminal.learning.gate.general import General, Kind, Split, general_pairs
from liminal.settings import Settings

LONGEST = 128
"""Tokens of an answer that is decoded to be looked at, or to be remembered as the base model's own."""
TRIED = "tried-"
"""Before the names of adapters that are only tried: an engine keeps those without a folder in memory."""


class Workbench:
    """One base model in this process."""

    def __init__(self, engine: Engine, folder: Path, *, bundled: bool) -> None:
        """``folder`` keeps the base model's own answers by its hash."""
        self.engine = engine
        self.model = BaseModel(
            engine.config, engine.runner.params, engine.tokenizer, engine.name, engine.identity
        )
        self._folder = folder
        self._bundled = bundled
        self._general: dict[Split, General] = {}

    @classmethod
    def load(cls, settings: Settings) -> Workbench:
        """The model of the settings. Raises CapabilityMissing, ModelNotFound and what loading raises."""
        if settings.backend != "jax":
            raise CapabilityMissing("an endpoint elsewhere can't be trained; LIMINAL_BACKEND=jax can")
        options = EngineOptions(
            slots=settings.slots,
            context=settings.context or None,
            warm=False,
            compiled=settings.cache / "compiled",
        )
        engine = Engine.load(choose_base(settings).path, options)
        return cls(engine, settings.home / "general", bundled=engine.name == "liminal-demo")

    async def aclose(self) -> None:
        """Stop the decoding thread."""
        await self.engine.aclose()

    async def decode(self, prompts: Sequence[Prompt], adapter: Adapter | None = None) -> list[str]:
        """Greedy answers, with an adapter or by the base alone."""
        if adapter is None:
            return await self._decode(prompts, {})
        name = f"{TRIED}{adapter.content_hash}"
        self.engine.adapters.register(name, adapter)
        try:
            return await self._decode(prompts, {name: 1.0})
        finally:
            self.engine.adapters.remove(name)

    async def _decode(self, prompts: Sequence[Prompt], mixture: dict[str, float]) -> list[str]:
        sampling = Sampling(temperature=0.0, max_tokens=LONGEST)
        requests = [
            Request(messages=prompt, adapters=mixture, sampling=sampling, priority=Priority.BATCH)
            for prompt in prompts
        ]
        return list(await asyncio.gather(*(self.engine.complete(request) for request in requests)))

    async def general(self, split: Split) -> General:
        """What the base model says by itself: see ``liminal.learning.gate.general``.

        The bundled model's answers come with it. Another base answers the same questions once, greedily, and
        is remembered by its hash.
        """
        if split not in self._general:
            self._general[split] = General(
                await self._answers(split, "one_form"), await self._answers(split, "told")
            )
        return self._general[split]

    async def _answers(self, split: Split, kind: Kind) -> list[Completion]:
        pairs = await asyncio.to_thread(general_pairs, split, kind)
        prompts = [messages for messages, _ in pairs]
        answers = [answer for _, answer in pairs] if self._bundled else await self._own(prompts)
        return [
            Completion(prompt, said_by_assistant(answer))
            for prompt, answer in zip(prompts, answers, strict=True)
            if answer.strip()
        ]

    async def _own(self, prompts: Sequence[Prompt]) -> list[str]:
        asked = hashlib.sha256(orjson.dumps(prompts)).hexdigest()
        file = self._folder / f"{self.model.identity}-{asked}.json"
        if file.is_file():
            return orjson.loads(file.read_bytes())
        answers = await self.decode(prompts)
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".part")
        draft.write_bytes(orjson.dumps(answers))
        draft.replace(file)
        return answers

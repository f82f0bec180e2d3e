"""One encoder for many callers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from liminal.engine.encoder import Encoder

Vectors = NDArray[np.float32]

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
"""The encoder that is installed with liminal."""


def default_encoder(compiled: Path | None = None) -> Encoder:
    """DEFAULT_ENCODER; ``compiled``: where its programs are kept, for this process."""
    # a process that embeds nothing does without JAX
    from liminal.engine.compile_cache import keep_compiled
    from liminal.engine.encoder import Encoder

    if compiled is not None:
        keep_compiled(compiled)
    return Encoder.load()


class Embedder:
    """Texts of many callers in common batches: what comes while one is computed goes together into the next.

    The encoder is loaded when the first text comes. Belongs to one event loop.
    """

    def __init__(self, load: Callable[[], Encoder] = default_encoder) -> None:
        """``load`` runs in a thread, once."""
        self._load = load
        self._encoder: asyncio.Task[Encoder] | None = None
        self._waiting: list[tuple[Sequence[str], asyncio.Future[Vectors]]] = []
        self._working: asyncio.Task[None] | None = None

    async def encoder(self) -> Encoder:
        """The encoder; raises what loading it raises."""
        if self._encoder is None or (self._encoder.done() and self._encoder.exception()):
            self._encoder = asyncio.create_task(asyncio.to_thread(self._load))
        return await asyncio.shield(self._encoder)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors f32 [len(texts), dimension], in order."""
        encoder = await self.encoder()
        answer: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        self._waiting.append((texts, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work(encoder))
        return await answer

    async def _work(self, encoder: Encoder) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                vectors = await encoder.aembed([text for texts, _ in batch for text in texts])
            except Exception as error:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            start = 0
            for texts, answer in batch:
                if not answer.done():
                    answer.set_result(vectors[start : start + len(texts)])
                start += len(texts)

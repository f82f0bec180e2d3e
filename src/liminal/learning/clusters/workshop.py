"""A child process for what is heavy: the encoder (JAX), UMAP and HDBSCAN (numba).

It is started when there is something to do and ended when it has been idle, so that a stack in which nothing
is learned pays for none of it, and a long computation never holds up the events of its reaction. What it does
are pure functions, so one that is killed is started again and asked again.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from liminal.log.events import ClusterChange
from liminal.settings import Settings

if TYPE_CHECKING:
    from liminal.engine.encoder import Encoder
    from liminal.learning.clusters.clustering import Method

Vectors = NDArray[np.float32]
Result = TypeVar("Result")

IDLE = 60.0
"""Seconds without work after which the child is ended."""
NICENESS = 10
"""It gives way to whoever waits for an answer on the same machine."""
CHUNK = 8
"""Texts of one program of the encoder; see ``embed``."""


@dataclass(frozen=True)
class Found:
    """What a pass finds.

    Attributes:
        changes: what becomes of the clusters.
        clusters: how many there are.
        places: f32 [N, 2], where each piece lies on the map.
    """

    changes: list[ClusterChange]
    clusters: int
    places: Vectors


class Workshop:
    """The child, started and ended as needed. Belongs to one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._cache = settings.cache.absolute()
        self._pool: ProcessPoolExecutor | None = None
        self._working = 0
        self._idle: asyncio.TimerHandle | None = None

    async def encoder_name(self) -> str:
        """Name and hash of the encoder: vectors of another one are others."""
        return await self._do(encoder_name)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors f32 [N, D] of length 1, the same for a text whatever stands beside it."""
        return await self._do(embed, list(texts), self._cache)

    async def find(
        self,
        vectors: Vectors,
        ids: Sequence[UUID],
        before: Mapping[UUID, frozenset[UUID]],
        method: Method,
        subject: str,
    ) -> Found:
        """Cluster, and tell what became of the clusters before."""
        return await self._do(find, vectors, list(ids), dict(before), method, subject)

    async def aclose(self) -> None:
        """End the child."""
        if self._idle is not None:
            self._idle.cancel()
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, True, cancel_futures=True)

    async def _do(self, function: Callable[..., Result], *arguments: object) -> Result:
        if self._idle is not None:
            self._idle.cancel()
        self._working += 1
        try:
            pool = self._pool or self._start()
            return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
        except BrokenProcessPool:
            self._pool = None  # whoever asks again gets a new one
            raise
        finally:
            self._working -= 1
            if self._working == 0:
                loop = asyncio.get_running_loop()
                self._idle = loop.call_later(IDLE, lambda: loop.create_task(self._end_idle()))

    async def _end_idle(self) -> None:
        if self._working == 0:
            await self.aclose()

    def _start(self) -> ProcessPoolExecutor:
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=prepare, initargs=(str(self._cache),)
        )
        return self._pool


def prepare(cache_folder: str, nice: bool = True) -> None:
    """Before anything heavy is imported: where compiled code is kept, one thread; end with the parent."""
    os.environ["NUMBA_CACHE_DIR"] = str(Path(cache_folder) / "numba")
    os.environ["NUMBA_NUM_THREADS"] = "1"
    if nice:
        os.nice(NICENESS)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@cache
def _encoder(cache_folder: Path) -> Encoder:
    from liminal.engine.compile_cache import keep_compiled
    from liminal.engine.encoder import Encoder

    keep_compiled(cache_folder / "compiled")
    return Encoder.load()


def encoder_name() -> str:
    """In the child: the encoder's name and the hash of its weights."""
    from liminal.engine.embedder import DEFAULT_ENCODER
    from liminal.engine.encoder import default_encoder_folder

    with (default_encoder_folder() / "model.safetensors").open("rb") as weights:
        return f"{DEFAULT_ENCODER}@{hashlib.file_digest(weights, 'sha256').hexdigest()[:16]}"


def embed(texts: Sequence[str], cache_folder: Path) -> Vectors:
    """In the child: vectors that do not depend on what else is embedded.

    Programs of other shapes round otherwise, and what follows is sensitive to the last bit, so texts of like
    length always go through the program of CHUNK texts: never one alone, never more.
    """
    from liminal.engine.encoder import LENGTHS

    encoder = _encoder(cache_folder)
    shelves: dict[int, list[int]] = {}
    for index, text in enumerate(texts):
        tokens = encoder.count_tokens(text)
        shelves.setdefault(next((n for n in LENGTHS if n >= tokens), LENGTHS[-1]), []).append(index)
    out = np.zeros((len(texts), encoder.dimension), np.float32)
    for _, shelf in sorted(shelves.items()):
        for start in range(0, len(shelf), CHUNK):
            chunk = shelf[start : start + CHUNK]
            shown = [texts[index] for index in chunk]
            out[chunk] = encoder.embed(shown if len(shown) > 1 else shown * 2)[: len(chunk)]
    return out


def find(
    vectors: Vectors,
    ids: Sequence[UUID],
    before: Mapping[UUID, frozenset[UUID]],
    method: Method,
    subject: str,
) -> Found:
    """In the child: clusters, matched with those before."""
    from threadpoolctl import threadpool_limits

    from liminal.learning.clusters.clustering import cluster
    from liminal.learning.clusters.matching import changes_between, cluster_name
    from liminal.learning.clusters.settling import settle

    # sums of other numbers of threads round otherwise
    with threadpool_limits(limits=1):
        clustered = cluster(vectors, method)
        after = settle(
            vectors,
            ids,
            before,
            clustered.labels,
            similarity=method.join,
            least=method.min_cluster_size,
        )
    changes = changes_between(before, after, name=lambda members: cluster_name(subject, members))
    return Found(changes, len(after), clustered.places)

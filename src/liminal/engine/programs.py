"""Every compiled program of an engine, by name and bucket, compiled ahead.

A program is lowered and compiled for exact shapes, then only called; nothing can recompile behind
the scheduler's back, and ``compiled`` counts what was built.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from liminal.engine import kernels
from liminal.engine.cache import (
    Cache,
    decode_step,
    gather_rows,
    move_slot,
    prefill_chunk,
    read_span,
    write_span,
)
from liminal.engine.compile_cache import Compiling, ProgramStore
from liminal.engine.config import ModelConfig
from liminal.engine.mixing import FEW
from liminal.engine.params import PAGE, TARGETS, Lora, LoraPair, PageGates, Params
from liminal.engine.prefix import SPAN
from liminal.engine.sampling import Rules, Seen, sample
from liminal.engine.sharding import AXIS
from liminal.memory import give_memory_back

Key = tuple[Hashable, ...]


def write_page(bank: Lora, first: jax.Array, pages: dict[str, tuple[jax.Array, jax.Array]]) -> Lora:
    """The bank with PAGE rank rows of every linear replaced, from row ``first`` on."""

    def put(rows: jax.Array, page: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_slice(rows, page.astype(rows.dtype), (first, 0))

    return tuple(
        {
            name: LoraPair(put(pair.a, pages[name][0][index]), put(pair.b, pages[name][1][index]))
            for name, pair in layer.items()
        }
        for index, layer in enumerate(bank)
    )


def reset_seen(seen: Seen, slot: jax.Array, prompt: jax.Array, counts: jax.Array) -> Seen:
    """Start a slot's penalties: its prompt's tokens bool [V], and counts int32 [V] of resumed ones."""
    return Seen(seen.counts.at[slot].set(counts), seen.prompt.at[slot].set(prompt))


def move_seen(seen: Seen, source: jax.Array, target: jax.Array) -> Seen:
    """Copy a slot's penalties to another slot."""
    return Seen(
        seen.counts.at[target].set(seen.counts[source]), seen.prompt.at[target].set(seen.prompt[source])
    )


class Programs:
    """The programs of one model on one set of shapes.

    Their modes are those of liminal.engine.mixing.
    """

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        cache: Cache,
        bank: Lora,
        seen: Seen,
        mesh: Mesh | None = None,
        compiled: Path | None = None,
    ) -> None:
        """Only the shapes, types and placements of the arrays are kept; ``compiled``: where programs are."""
        self.config = config
        self.rows = 0 if not bank else next(iter(bank[0].values())).a.shape[0]
        self.vocab = config.vocab_size
        self.mesh = mesh
        self._shapes = jax.tree.map(_shape, (params, cache, bank, seen))
        # a mesh's executables name its devices
        made_of = (config, [(x.shape, str(x.dtype)) for x in jax.tree.leaves(self._shapes)])
        self._store = None if compiled is None or mesh is not None else ProgramStore(compiled, made_of)
        self._built: dict[Key, Future[Any]] = {}
        self._lock = threading.Lock()

    @property
    def compiled(self) -> int:
        """How many programs are in memory, or on their way there."""
        return len(self._built)

    def warm(self, keys: Iterable[Key], workers: int) -> None:
        """Compile these programs, ``workers`` at a time."""
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(self.get, keys))

    def keep(self, key: Key) -> None:
        """See to it that a program needs no compiling any more; it stays in memory only where none is kept.

        A program holds some 10 MB, as much as the bundled model does. One that nobody has needed yet is
        better loaded by whoever needs it first, in a tenth of a second.
        """
        if self._store is not None and (key in self._built or self._store.has(key)):
            return
        self.get(key)
        if self._store is not None and self._store.has(key):
            with self._lock:
                self._built.pop(key)

    def get(self, key: Key) -> Callable[..., Any]:
        """The program of that name and bucket; compiled by the first who asks, others wait for it."""
        with self._lock:
            found = self._built.get(key)
            mine = found is None
            program = self._built.setdefault(key, Future[Any]()) if found is None else found
        if mine:
            try:
                program.set_result(self._build(key))
            except BaseException as error:
                program.set_exception(error)
        return program.result()

    def _build(self, key: Key) -> Any:
        if self.mesh is None and key[0] in ("decode", "prefill"):
            kernels.prepare(self.config, self._shapes[0], str(key[2]))
        program = None if self._store is None else self._store.load(key)
        if program is None:
            with Compiling() as compiling:
                program = self._compile(key)
            if self._store is not None and compiling.fresh:
                self._store.save(key, program)
        give_memory_back()
        return program

    def _compile(self, key: Key) -> Any:
        name, *bucket = key
        function, donated, arguments, placements = getattr(self, f"_{name}")(*bucket)
        chosen = {} if self.mesh is None else {"out_shardings": placements}
        if self._store is not None:
            # under a name that JAX's own cache has not seen: what comes out of that one cannot be kept whole
            function = _renamed(function, f"{name}_{self._store.name}")
        with kernels.plain_operations(self.mesh is not None):
            return jax.jit(function, donate_argnums=donated, **chosen).lower(*arguments).compile()

    @property
    def _everywhere(self) -> NamedSharding | None:
        return None if self.mesh is None else NamedSharding(self.mesh, Spec())

    @property
    def _by_heads(self) -> NamedSharding | None:
        """How spans [2, layers, kv_heads, …] lie over the mesh."""
        return None if self.mesh is None else NamedSharding(self.mesh, Spec(None, None, AXIS))

    def _lora_arguments(self, mode: str, batch: int) -> tuple[Any, ...]:
        """Shapes of (bank, gates[, rows]) for a mode."""
        _, _, bank, _ = self._shapes
        if mode == "none":
            return ()
        if mode in FEW:
            return (bank, _array((batch, FEW[mode]), np.float32), _array((FEW[mode],), np.int32))
        if mode == "each":
            pages = self.rows // PAGE
            owner, gates = _array((pages,), np.int32), _array((pages, PAGE), np.float32)
            return (bank, PageGates(owner, gates))  # pyright: ignore[reportArgumentType]
        return (bank, _array((batch, self.rows), np.float32))

    def _decode(self, batch: int, mode: str) -> tuple[Any, ...]:
        params, cache, _, _ = self._shapes
        config = self.config

        def decode(params: Params, cache: Cache, tokens: Any, positions: Any, blocks: Any, *lora: Any) -> Any:
            bank, gates = _resolve(lora)
            return decode_step(params, config, cache, tokens, positions, blocks, bank, gates)

        vector, scalar = _array((batch,), np.int32), _array((), np.int32)
        arguments = (params, cache, vector, vector, scalar, *self._lora_arguments(mode, batch))
        return decode, (1,), arguments, (self._everywhere, _placements(cache))

    def _prefill(self, length: int, mode: str) -> tuple[Any, ...]:
        params, cache, _, _ = self._shapes
        config = self.config

        def prefill(
            params: Params, cache: Cache, tokens: Any, slot: Any, start: Any, count: Any, *lora: Any
        ) -> Any:
            bank, gates = _resolve(lora)
            return prefill_chunk(params, config, cache, tokens, slot, start, count, bank, gates)

        scalar = _array((), np.int32)
        tokens = _array((length,), np.int32)
        arguments = (params, cache, tokens, scalar, scalar, scalar, *self._lora_arguments(mode, 1))
        return prefill, (1,), arguments, (self._everywhere, _placements(cache))

    def _sample(self, batch: int) -> tuple[Any, ...]:
        _, _, _, seen = self._shapes
        f32, i32, flag = (_array((batch,), kind) for kind in (np.float32, np.int32, np.bool_))
        rules = Rules(
            temperature=f32, top_k=i32, top_p=f32, min_p=f32, repetition=f32, presence=f32, frequency=f32,
            seed=_array((batch, 2), np.uint32), step=i32, constrained=flag, logprobs=flag,
        )  # fmt: skip
        logits, mask = (
            _array((batch, self.vocab), np.float32),
            _array((batch, -(-self.vocab // 32)), np.uint32),
        )
        return sample, (3,), (logits, rules, mask, seen, _array((), np.int32)), self._everywhere

    def _write_page(self) -> tuple[Any, ...]:
        _, _, bank, _ = self._shapes
        shapes, layers = self.config.linear_shapes(), self.config.layers
        pages = {
            name: (
                _array((layers, PAGE, shapes[name][1]), np.float32),
                _array((layers, PAGE, shapes[name][0]), np.float32),
            )
            for name in TARGETS
        }
        return write_page, (0,), (bank, _array((), np.int32), pages), _placements(bank)

    def _move(self) -> tuple[Any, ...]:
        scalar = _array((), np.int32)
        cache = self._shapes[1]
        return move_slot, (0,), (cache, scalar, scalar), _placements(cache)

    def _move_seen(self) -> tuple[Any, ...]:
        scalar = _array((), np.int32)
        return move_seen, (0,), (self._shapes[3], scalar, scalar), self._everywhere

    def _reset_seen(self) -> tuple[Any, ...]:
        prompt, counts = _array((self.vocab,), np.bool_), _array((self.vocab,), np.int32)
        arguments = (self._shapes[3], _array((), np.int32), prompt, counts)
        return reset_seen, (0,), arguments, self._everywhere

    def _read_span(self) -> tuple[Any, ...]:
        scalar = _array((), np.int32)

        def read(cache: Cache, slot: jax.Array, start: jax.Array) -> jax.Array:
            return read_span(cache, slot, start, SPAN)

        return read, (), (self._shapes[1], scalar, scalar), self._by_heads

    def _write_span(self) -> tuple[Any, ...]:
        scalar = _array((), np.int32)
        cache = self._shapes[1]
        config = self.config
        shape = (2, config.layers, config.kv_heads, SPAN, config.head_dim)
        span = jax.ShapeDtypeStruct(shape, cache.keys[0].dtype, sharding=self._by_heads)
        return write_span, (0,), (cache, scalar, scalar, span), _placements(cache)


def _renamed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def program(*arguments: Any) -> Any:
        return function(*arguments)

    program.__name__ = program.__qualname__ = name
    return program


def _resolve(lora: tuple[Any, ...]) -> tuple[Any, Any]:
    if not lora:
        return None, None
    bank, gates, *rows = lora
    return (gather_rows(bank, rows[0]) if rows else bank), gates


def _array(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.dtype(dtype))


def _placements(tree: Any) -> Any:
    def placement(x: jax.ShapeDtypeStruct) -> Any:
        return x.sharding

    return jax.tree.map(placement, tree)


def _shape(x: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding)

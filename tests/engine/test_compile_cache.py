"""Compiled programs: on disk for whoever needs them next, in memory for whoever needs them now."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from tests.engine.conftest import OPTIONS
from tests.engine.models import lively_adapter
from tests.engine.test_engine import compilations

from liminal.engine import compile_cache
from liminal.engine.compile_cache import keep_compiled
from liminal.engine.engine import Engine
from liminal.engine.request import Request, Sampling
from liminal.engine.runner import needed_first


@pytest.fixture
def empty(compiled_programs: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder for compiled programs; the room's own is set again afterwards."""
    jax.clear_caches()  # what is in memory is not compiled, and not kept
    yield tmp_path / "compiled"
    keep_compiled(compiled_programs.parent)


def words(engine: Engine, **adapters: float) -> list[int]:
    """Six tokens, decoded greedily."""
    request = Request(
        prompt=[5, 6, 7], adapters=adapters, sampling=Sampling(temperature=0.0, max_tokens=6, ignore_eos=True)
    )
    return [token for delta in engine.stream(request) for token in delta.tokens]


def needed_by_one(engine: Engine) -> int:
    """How many programs a single answer needs."""
    return sum(map(needed_first, engine.runner.program_keys()))


def test_what_nobody_has_needed_is_not_held_and_is_loaded_without_compiling(
    folder: Path, empty: Path
) -> None:
    options = dataclasses.replace(OPTIONS, warm=True, compiled=str(empty))
    said: list[list[int]] = []
    for _ in range(2):
        with compilations() as seen, Engine.load(folder, options) as engine:
            engine.adapters.register("low", lively_adapter(engine.config, 4, 1))
            programs, every = engine.runner.programs, len(engine.runner.program_keys())
            engine._warming.join()
            held = programs.compiled
            assert 0 < held < every / 2
            compiled = len(seen)
            said.append([*words(engine), *words(engine, low=1.0)])
            assert held < programs.compiled < every
            assert len(seen) == compiled, "an adapter's first answer waits for no compiler"
    assert said[0] == said[1]


def test_without_looking_ahead_only_what_one_answer_needs_is_compiled(folder: Path, empty: Path) -> None:
    options = dataclasses.replace(OPTIONS, warm=True, ahead=False, compiled=str(empty), rows=0)
    with Engine.load(folder, options) as engine:
        assert engine.runner.programs.compiled == needed_by_one(engine) < len(engine.runner.program_keys())
        assert len(words(engine)) == 6
        assert engine.runner.programs.compiled == needed_by_one(engine)


def test_an_update_of_the_engine_compiles_anew_and_keeps_what_it_compiled(
    folder: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(OPTIONS, warm=True, compiled=str(empty), rows=0)
    said: list[list[int]] = []
    for source in ("before", "after", "after"):
        monkeypatch.setattr(compile_cache, "_source", lambda source=source: source)
        with Engine.load(folder, options) as engine:
            engine._warming.join()
            assert engine.runner.programs.compiled == needed_by_one(engine), source
            said.append(words(engine))
    assert said[0] == said[1] == said[2]

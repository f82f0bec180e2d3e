"""One model over several devices, and compiled programs kept between runs: both in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.engine.conftest import Reference

ANSWER = """
import asyncio, sys, time
import jax
from liminal.engine.engine import Engine
from liminal.engine.options import EngineOptions
from liminal.engine.request import Request, Sampling
from tests.engine.models import lively_adapter

async def main(folder, devices, compiled):
    options = EngineOptions(
        slots=2, context=200, chunks=(32,), rows=8, devices=devices, warm=False, compiled=compiled or None
    )
    engine = Engine.load(folder, options)
    engine.adapters.register("a", lively_adapter(engine.config, 4, 1))
    rules = Sampling(max_tokens=6, ignore_eos=True)
    asks = [
        Request(prompt=[5, 6, 7] * 15, adapters=adapters, sampling=rules, tenant=tenant)
        for adapters, tenant in (({}, "a"), ({"a": 1.0}, "a"), ({}, "a"))
    ]
    for ask in asks:
        print([token async for delta in engine.generate(ask) for token in delta.tokens])
    kinds = {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(engine.runner.cache)}
    print("devices", *kinds)
    engine.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
"""


def answers(folder: Path, devices: int, compiled: str = "") -> list[str]:
    """What a fresh process prints."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    run = subprocess.run(
        [sys.executable, "-c", ANSWER, str(folder), str(devices), compiled],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_two_devices_answer_as_one_does_and_a_second_start_compiles_nothing(
    folder: Path, tmp_path: Path, reference: Reference
) -> None:
    first = answers(folder, 2, str(tmp_path))
    prompt = [5, 6, 7] * 15
    plain, adapted = (str(reference(prompt, 6, adapters)) for adapters in ({}, {"low": 1.0}))
    assert first == [plain, adapted, plain, "devices 2"]
    kept = compiled_in(tmp_path)
    assert kept
    assert answers(folder, 2, str(tmp_path)) == first
    assert compiled_in(tmp_path) == kept


def compiled_in(folder: Path) -> set[str]:
    """Names of the compiled programs that a folder keeps."""
    return {path.name for path in folder.rglob("*") if path.is_file() and "atime" not in path.name}

"""``make bench-torch``: ours and the peers in turns, in one run on the same cores; ratios of medians.

Both sides hold a model of SmolLM2-135M's shape with random weights in f32. A ratio above 1 says that ours is
faster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Self

import typer
from rich.console import Console

from liminal.bench.figures import Figure, Json, report
from liminal.engine.bench import Steps, random_adapter, shape_135m
from liminal.engine.compile_cache import keep_compiled
from liminal.engine.params import init_params
from liminal.engine.training.bench import WORKLOADS, SftStep

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from environment import CACHE, LOCK, peer_python  # noqa: E402 (the folder beside this one is no package)

RANK, TOKENS = 16, 8
REST = 0.4
"""Seconds between two measurements."""
GOALS = {"decode": 2.0, "mixed": 4.0, "sft full": 1.0, "sft chat": 1.0, "llama.cpp": 1.0}


class Peer:
    """A peer in a process of its own, which measures when it is asked."""

    def __init__(self, python: Path, script: str, **task: Any) -> None:
        """Starts it and waits until it is warm. Raises RuntimeError when it dies first."""
        threads = len(os.sched_getaffinity(0))
        command = [str(python), str(HERE / script), json.dumps({"threads": threads, **task})]
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._line("ready")

    def __call__(self) -> float:
        """Seconds of one measurement."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self, expected: str | None = None) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line or expected not in (None, line):
            raise RuntimeError(f"the peer ended with {self._process.wait()}: {line}")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def timed(run: Callable[[], object], times: int = 1) -> Callable[[], float]:
    """Seconds of a call, of ``times`` in a row; more than one follow a call that is not measured."""

    def measure() -> float:
        if times > 1:
            run()
        began = time.perf_counter()
        for _ in range(times):
            run()
        return (time.perf_counter() - began) / times

    measure()
    return measure


def rested(measure: Callable[[], float]) -> float:
    """A measurement once the other side is still: its threads spin for a while after their last product."""
    time.sleep(REST)
    return measure()


def ours(name: str) -> Callable[[], float]:
    """Our side of a comparison."""
    if name.startswith("sft"):
        return timed(SftStep(next(w for w in WORKLOADS if w.name == name.split()[1]), RANK))
    config = shape_135m()
    if name != "mixed":
        return timed(Steps(config, init_params(config)).step(1), TOKENS)
    steps = Steps(config, init_params(config), rows=8 * RANK)
    contents = [steps.registry.register(f"a{seed}", random_adapter(config, RANK, seed)) for seed in range(8)]
    return timed(steps.step(8, [{content: 1.0} for content in contents]), TOKENS)


def peer(name: str) -> Peer:
    """The other side."""
    if name == "llama.cpp":
        return Peer(peer_python(HERE / "llama.lock"), "llama_worker.py")
    task: dict[str, Any] = {"name": name.split()[0], "rank": RANK}
    if name.startswith("sft"):
        task["sequences"] = next(w.sequences for w in WORKLOADS if w.name == name.split()[1])
    return Peer(peer_python(LOCK), "worker.py", **task)


def compare(name: str, rounds: int) -> Figure:
    """Milliseconds of ours beside the peer's; the ratio is how many times as fast ours is."""
    say = Console(stderr=True).print
    say(f"{name}: ours")
    mine = ours(name)
    say(f"{name}: the peer")
    with peer(name) as other:
        say(f"{name}: {rounds} rounds in turns")
        pairs = [(rested(mine), rested(other)) for _ in range(rounds)]
    own, theirs = (median(column) * 1e3 for column in zip(*pairs, strict=True))
    speed = theirs / own
    goal = GOALS[name]
    return Figure(
        name=name,
        value=own,
        unit="ms",
        baseline=theirs,
        ratio=speed,
        goal=f"ratio ≥ {goal:g}",
        met=speed >= goal,
    )


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Some of: {', '.join(GOALS)}.")] = None,
    rounds: Annotated[int, typer.Option(help="Times that both sides are measured, in turns.")] = 9,
    json: Json = False,
) -> None:
    """Decode, mixed adapters and the SFT step beside transformers, PEFT and llama.cpp."""
    keep_compiled(CACHE / "compiled")
    report([compare(name, rounds) for name in only or GOALS], json)


if __name__ == "__main__":
    typer.run(main)

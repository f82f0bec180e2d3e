"""``make bench-peers``: the default model here and in llama.cpp, the same file, the same cores, in turns.

The peer of each row is the faster of llama.cpp's prebuilt wheel and, where `make llama-native` built one, a
server for this machine's own processor. A ratio above 1 says that ours is faster. llama.cpp's threads spin
while they compute, so nothing is measured while another side has work.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]

# the folders beside this file are no packages
from environment import CACHE  # noqa: E402
from llama import LlamaServer, Serving, threads  # noqa: E402
from native import native_server  # noqa: E402
from people import ask_all, first_token, sign_up  # noqa: E402
from rich.console import Console  # noqa: E402
from tests.stack.running import Stack  # noqa: E402

from liminal.bench.figures import Figure, Json, report  # noqa: E402
from liminal.engine.bench import GREEDY, random_adapter  # noqa: E402
from liminal.engine.default_model import NAME, default_model  # noqa: E402
from liminal.engine.engine import Engine  # noqa: E402
from liminal.engine.gguf.adapter import save_gguf_adapter  # noqa: E402
from liminal.engine.options import EngineOptions  # noqa: E402
from liminal.engine.request import Request  # noqa: E402
from liminal.engine.source import open_model  # noqa: E402

ASKERS, RANK, TOKENS, PREFILL = 8, 16, 64, 512
REST = 0.4
"""Seconds between two measurements: threads spin for a while after their last product."""
say = Console(stderr=True).print


@dataclass(frozen=True)
class Row:
    """A row of the table: seconds of each side, and how many times as fast ours shall be."""

    name: str
    unit: str
    scale: float
    goal: float

    def figure(self, taken: Mapping[str, list[float]]) -> Figure:
        """Ours beside the faster peer."""
        middles = {side: median(values) for side, values in taken.items()}
        ours = middles.pop("ours")
        peer = min(middles, key=middles.__getitem__)
        ratio = middles[peer] / ours
        return Figure(
            name=f"{self.name} ({peer})",
            value=ours * self.scale,
            unit=self.unit,
            baseline=middles[peer] * self.scale,
            ratio=ratio,
            goal=f"ratio ≥ {self.goal:g}",
            met=ratio >= self.goal,
        )


DECODE = Row("decode at batch 1, a token", "ms", 1e3, 1.5)
PREFILLED = Row("prefill of 512 tokens", "ms", 1e3, 4.0)
ADAPTED = Row("eight askers with eight adapters, a step", "ms", 1e3, 4.0)
SERVED = Row("eight askers through the whole server, a step", "ms", 1e3, 3.0)


def in_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every side, one after the other; the first round is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in sides.items():
            time.sleep(REST)
            seconds = run()
            if number:
                taken[name].append(seconds)
    return taken


def prompt(length: int) -> list[int]:
    """Tokens that no cache has seen."""
    return random.choices(range(100, 40_000), k=length)


class Ours:
    """The engine, as the process that answers has it."""

    def __init__(self, model: Path, adapters: int) -> None:
        """Nothing is compiled beside what is measured, but in its first round, which isn't counted."""
        self.engine = Engine.load(model, EngineOptions(compiled=CACHE / "compiled", ahead=False))
        for seed in range(adapters):
            self.engine.adapters.register(f"a{seed}", random_adapter(self.engine.config, RANK, seed))

    def _times(self, ids: list[int], tokens: int, adapter: str | None = None) -> list[float]:
        rules = dataclasses.replace(GREEDY, max_tokens=tokens)
        mixture = {} if adapter is None else {adapter: 1.0}
        request = Request(prompt=ids, adapters=mixture, sampling=rules)
        began, found = time.perf_counter(), list[float]()
        for delta in self.engine.stream(request):
            found += [time.perf_counter() - began] * len(delta.tokens)
        return found

    def decode(self) -> float:
        """Seconds a token."""
        times = self._times(prompt(32), TOKENS + 1)
        return (times[-1] - times[0]) / (len(times) - 1)

    def prefill(self) -> float:
        """Seconds until the first token."""
        return self._times(prompt(PREFILL), 1)[0]

    def adapted(self) -> float:
        """Seconds a step of eight askers, each with an adapter of its own."""
        return together(lambda at: self._times(prompt(32), TOKENS, f"a{at}"))


def together(ask: Callable[[int], object]) -> float:
    """Seconds a step when eight ask at once, from the first question to the last token."""
    with concurrent.futures.ThreadPoolExecutor(ASKERS) as pool:
        began = time.perf_counter()
        list(pool.map(ask, range(ASKERS)))
        return (time.perf_counter() - began) / TOKENS


def peer_decode(server: LlamaServer) -> float:
    """Seconds a token, by llama.cpp's own clock."""
    return server.complete(prompt(32), TOKENS + 1).timings["predicted_per_token_ms"] / 1e3


def peer_prefill(server: LlamaServer) -> float:
    """Seconds, by llama.cpp's own clock."""
    return server.complete(prompt(PREFILL), 1).timings["prompt_ms"] / 1e3


def peer_adapted(server: LlamaServer) -> float:
    """As Ours.adapted, with the scales of each request."""

    def ask(at: int) -> object:
        return server.complete(prompt(32), TOKENS, gates=[float(other == at) for other in range(ASKERS)])

    return together(ask)


def engines(model: Path, peers: Mapping[str, LlamaServer], rounds: int) -> list[Figure]:
    """The rows that need no server of ours."""
    say("ours: the engine")
    mine = Ours(model, ASKERS)
    rows: list[tuple[Row, Callable[[], float], Callable[[LlamaServer], float]]] = [
        (DECODE, mine.decode, peer_decode),
        (PREFILLED, mine.prefill, peer_prefill),
        (ADAPTED, mine.adapted, peer_adapted),
    ]
    figures: list[Figure] = []
    with mine.engine:
        for row, ours, theirs in rows:
            say(f"{row.name}: {rounds} rounds")
            sides = {"ours": ours} | {name: _bound(theirs, server) for name, server in peers.items()}
            figures.append(row.figure(in_turns(sides, rounds)))
    return figures


def _bound(measure: Callable[[LlamaServer], float], server: LlamaServer) -> Callable[[], float]:
    return lambda: measure(server)


def served(peers: Mapping[str, LlamaServer], rounds: int) -> list[Figure]:
    """The rows through a whole stack, started twice in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="liminal-peers-") as folder:
        stack = Stack(Path(folder) / "home", environment={"LIMINAL_MODEL": NAME, "LIMINAL_RATE_FACTOR": "0"})
        say("ours: a stack, started twice")
        try:
            stack.start()
            base = stack.run.urls["web"]
            people = [sign_up(base, number) for number in range(ASKERS)]
            first_token(base, people[0], NAME)
            stack.send(signal.SIGINT)
            began = time.perf_counter()
            stack.start()
            ready = time.perf_counter() - began
            base = stack.run.urls["web"]
            waited = first_token(base, people[0], NAME)
            say(f"{SERVED.name}: {rounds} rounds")
            number = itertools.count()
            sides: dict[str, Callable[[], float]] = {
                "ours": lambda: ask_all(base, people, NAME, TOKENS, next(number))
            }
            for name, server in peers.items():
                sides[name] = _asked(server, number)
            figure = SERVED.figure(in_turns(sides, rounds))
        finally:
            with contextlib.suppress(Exception):
                stack.send(signal.SIGINT)
    return [
        figure,
        Figure(name="first token after ready", value=waited * 1e3, unit="ms").at_most(300),
        Figure(name="ready, second start", value=ready, unit="s").at_most(15),
    ]


def _asked(server: LlamaServer, number: Any) -> Callable[[], float]:
    base, nobody = str(server.http.base_url), [dict[str, str]()] * ASKERS
    return lambda: ask_all(base, nobody, NAME, TOKENS, next(number))


def main(rounds: int, json: bool, only: str) -> None:
    """Print the table."""
    model = default_model(CACHE)
    config = open_model(model).config
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        files = [str(Path(scratch) / f"a{seed}.gguf") for seed in range(ASKERS)]
        for seed, file in enumerate(files):
            save_gguf_adapter(file, random_adapter(config, RANK, seed), config)
        serving = Serving(str(model), threads(), ASKERS, 1024, adapters=tuple(files))
        peers = {"llama.cpp's wheel": stack.enter_context(LlamaServer(serving))}
        if (binary := native_server()) is not None:
            peers["llama.cpp built here"] = stack.enter_context(LlamaServer(serving, binary))
        figures = engines(model, peers, rounds) if only != "served" else []
        figures += served(peers, rounds) if only != "engine" else []
    report(figures, json)


def command(
    rounds: int = 3,
    json: Json = False,
    only: str = "",
) -> None:
    """Ours and llama.cpp in turns; ``--only engine`` or ``--only served`` leaves out the other half."""
    os.environ.setdefault("OMP_PROC_BIND", "false")
    main(rounds, json, only)


if __name__ == "__main__":
    import typer

    typer.run(command)

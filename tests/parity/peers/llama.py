"""llama.cpp's HTTP server in a child process, and the few of its routes that are asked here.

The server is the prebuilt wheel's (``xllamacpp.lock``) or a ``llama-server`` that was built on this machine
(see ``native.py``): the same routes, from the same sources.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import httpx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from environment import peer_python  # noqa: E402 (the folder beside this one is no package)

WHEEL = HERE / "xllamacpp.lock"
READY = 60.0
"""Seconds that a server may take until it answers."""


@dataclass(frozen=True)
class Serving:
    """What a server holds.

    Attributes:
      model: a GGUF file.
      slots: sequences that decode at once, each with ``context`` tokens.
      cache: number format of keys and values, ``f16`` (llama.cpp's default) or ``f32``.
      flash: whether llama.cpp may fuse attention, which it does by default.
      adapters: GGUF adapters; their place in this list is the ``id`` that a request names.
      spin: whether threads wait busily between products, which is fastest where nothing else runs.
    """

    model: str
    threads: int = 2
    slots: int = 1
    context: int = 2048
    cache: str = "f16"
    flash: bool = True
    adapters: tuple[str, ...] = ()
    spin: bool = True


EXACT = {"cache": "f32", "flash": False, "spin": False}
"""Fields of a serving whose numbers are to be compared, not its speed."""


class LlamaServer:
    """A running server; leaving the block ends it."""

    def __init__(self, serving: Serving, binary: Path | None = None) -> None:
        """Starts it: ``binary``, or else the wheel. Raises RuntimeError when it ends before it is ready."""
        self.serving = serving
        self._process = subprocess.Popen(
            _wheel_command(serving) if binary is None else _native_command(serving, binary, _free_port()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | ({} if serving.spin else {"OMP_WAIT_POLICY": "passive"}),
        )
        try:
            assert self._process.stdout is not None
            base = self._process.stdout.readline().strip() if binary is None else self._address()
            if not base.startswith("http://"):
                raise RuntimeError(f"llama.cpp ended with {self._process.wait()}: {base}")
            self.http = httpx.Client(base_url=base, timeout=300.0, trust_env=False)
            self._wait()
        except BaseException:
            self.close()
            raise

    def _address(self) -> str:
        arguments = self._process.args
        assert isinstance(arguments, list)
        return f"http://127.0.0.1:{arguments[arguments.index('--port') + 1]}"

    def _wait(self) -> None:
        ends = time.monotonic() + READY
        while time.monotonic() < ends:
            if self._process.poll() is not None:
                raise RuntimeError(f"llama.cpp ended with {self._process.returncode}")
            try:
                if self.http.get("/health").status_code == httpx.codes.OK:
                    return
            except httpx.ConnectError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"llama.cpp was not ready after {READY:g} s")

    def tokenize(self, text: str, special: bool = True) -> list[int]:
        """Token ids of text; what reads like a control token is one; ``special`` adds BOS where due."""
        return self.post("/tokenize", content=text, parse_special=True, add_special=special)["tokens"]

    def render(self, messages: Sequence[dict[str, str]]) -> str:
        """A chat as the file's template writes it, with the beginning of an answer."""
        return self.post("/apply-template", messages=messages)["prompt"]

    def complete(
        self, prompt: Sequence[int], tokens: int, top: int = 0, gates: Sequence[float] | None = None
    ) -> Completion:
        """Greedy tokens after a prompt, going on after an end token, with ``top`` log-probabilities of each.

        ``gates``: the scale of each adapter of the serving, in its order.
        """
        asked: dict[str, Any] = {} if gates is None else {"lora": lora(gates)}
        # cache_prompt off: another prompt's cache would decide which products are computed in one batch
        answer = self.post(
            "/completion",
            prompt=list(prompt),
            n_predict=tokens,
            temperature=0.0,
            n_probs=top,
            ignore_eos=True,
            return_tokens=True,
            cache_prompt=False,
            **asked,
        )
        probabilities = [
            (step["id"], [(entry["id"], entry["logprob"]) for entry in step["top_logprobs"]])
            for step in answer.get("completion_probabilities", [])
        ]
        return Completion(answer["tokens"], probabilities, answer["timings"])

    def post(self, route: str, **body: Any) -> Any:
        """What a route answers. Raises RuntimeError with llama.cpp's own words."""
        response = self.http.post(route, json=body)
        if response.status_code != httpx.codes.OK:
            raise RuntimeError(f"{route}: {response.status_code} {response.text[:500]}")
        return response.json()

    def close(self) -> None:
        """End the process, by its id, if the end of its standard input doesn't."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if "--port" in self._process.args:  # pyright: ignore[reportOperatorIssue]
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.close()


@dataclass(frozen=True)
class Completion:
    """An answer.

    Attributes:
      tokens: the greedy ones.
      logprobs: (token, (token, log-probability) of the most likely there) wherever a character ends.
      timings: llama.cpp's own.
    """

    tokens: list[int]
    logprobs: list[tuple[int, list[tuple[int, float]]]]
    timings: dict[str, float]


def lora(gates: Sequence[float]) -> list[dict[str, float]]:
    """The ``lora`` field of a request."""
    return [{"id": index, "scale": gate} for index, gate in enumerate(gates)]


def write_f32(source: Path, target: Path) -> None:
    """Writes the GGUF file with every tensor dequantised to f32."""
    subprocess.run(
        [str(peer_python(WHEEL)), str(HERE / "widen_gguf.py"), str(source), str(target)], check=True
    )


def _wheel_command(serving: Serving) -> list[str]:
    fields = json.dumps(asdict(serving))
    return [str(peer_python(WHEEL)), str(HERE / "xllamacpp_server.py"), fields]


def _native_command(serving: Serving, binary: Path, port: int) -> list[str]:
    threads, context = str(serving.threads), str(serving.context * serving.slots)
    command = [str(binary), "--host", "127.0.0.1", "--port", str(port), "--model", serving.model]
    command += ["--threads", threads, "--threads-batch", threads, "--parallel", str(serving.slots)]
    command += ["--ctx-size", context, "--cache-type-k", serving.cache, "--cache-type-v", serving.cache]
    command += ["--flash-attn", "auto" if serving.flash else "off", "--lora-init-without-apply"]
    for adapter in serving.adapters:
        command += ["--lora", adapter]
    return command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))

"""What a new process costs: seconds to its first token, cold and warm, and the memory it holds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from liminal.engine.bench import Figures, Progress, number_tokenizer, shape_135m
from liminal.engine.bundled import model_path
from liminal.engine.params import init_params
from liminal.engine.weights import save_model

STARTED = """
import json, sys, time
folder, compiled, began = sys.argv[1], sys.argv[2], float(sys.argv[3])
from liminal.engine import Engine, EngineOptions, Request, Sampling
with Engine.load(folder, EngineOptions(compiled=compiled)) as engine:
    for _ in engine.stream(Request(prompt=[5, 6, 7], sampling=Sampling(max_tokens=1))):
        first = time.time() - began
    engine.warm_up()
    print(json.dumps({"first token": first, "every program": time.time() - began}))
"""

HELD = """
import json, sys
from pathlib import Path
import jax, psutil
from liminal.engine import Engine, EngineOptions, Request, Sampling
from liminal.engine.config import read_config
jax.block_until_ready(jax.jit(lambda x: x + 1)(jax.numpy.ones(8)))
folder, options = Path(sys.argv[1]), EngineOptions(compiled=sys.argv[2], warm=False)
before = psutil.Process().memory_full_info().uss
with Engine.load(folder, options) as engine:
    for _ in engine.stream(Request(prompt=[5, 6, 7], sampling=Sampling(max_tokens=8))):
        pass
    held = psutil.Process().memory_full_info().uss - before
print(json.dumps({"held": held, "planned": options.memory(read_config(folder)).total}))
"""


def bench_start(progress: Progress) -> Figures:
    """Seconds from a new process to its first token and to every program, without and with kept programs.

    Of the bundled model and of a 135M Llama shape in f32; and the memory that the latter holds beside what
    ``liminal model info`` says beforehand.
    """
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        large = Path(scratch) / "llama-135m"
        save_model(large, shape_135m(), init_params(shape_135m()))
        number_tokenizer(shape_135m().vocab_size).inner.save(str(large / "tokenizer.json"))
        done = 0
        for name, folder in (("bundled", model_path()), ("135M", large)):
            compiled = Path(scratch) / f"compiled-{name}"
            taken: dict[str, list[float]] = {}
            for _ in range(2):
                for key, value in _run(STARTED, folder, compiled).items():
                    taken.setdefault(key, []).append(value)
                done += 1
                progress(done, 5)
            for key, (cold, warm) in taken.items():
                figures |= {f"{name} {key} cold s": cold, f"{name} {key} warm s": warm}
                figures[f"{name} {key} warm over cold"] = warm / cold
        memory = _run(HELD, large, Path(scratch) / "compiled-135M")
        progress(5, 5)
    return figures | {
        "135M memory planned MB": memory["planned"] / 1e6,
        "135M memory held MB": memory["held"] / 1e6,
        "135M memory beside the plan": abs(memory["held"] / memory["planned"] - 1),
    }


def _run(script: str, folder: Path, compiled: Path) -> dict[str, float]:
    command = [sys.executable, "-c", script, str(folder), str(compiled), str(time.time())]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

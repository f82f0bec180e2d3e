"""A run takes no more memory than it said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from liminal.engine.training.outlook import Memory

RUN = """
import json, resource
from dataclasses import asdict
from liminal.engine.bench import number_tokenizer, shape_135m
from liminal.engine.numerics import compute_dtype
from liminal.engine.params import init_params
from liminal.engine.training import BaseModel, Completion, Lesson, TrainConfig, TrainingRun

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

config = shape_135m()
tokenizer = number_tokenizer(config.vocab_size)
model = BaseModel(config, init_params(config, dtype=compute_dtype()), tokenizer, "shape", "shape")
def words(first, count):
    return " ".join(str(first + number) for number in range(count))
answers = [Completion(words(1000 * n, 60), " " + words(500 * n, 60)) for n in range(10)]
before = peak()
settings = TrainConfig(layers=10, epochs=1, batch_size=10, replay_to="base", replay_ratio=0.8)
lessons = {name: Lesson(answers, replay=answers) for name in ("all", "one", "other")}
run = TrainingRun(model, lessons, settings)
said = asdict(run.memory)
steps = [progress.step for progress in run]
print(json.dumps({"said": said, "took": peak() - before, "steps": len(steps), "tokens": progress.tokens}))
"""


@pytest.mark.slow
def test_three_adapters_of_a_135m_model_take_no_more_than_was_said_compiling_included() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", RUN], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["steps"] == 1
    assert found["tokens"] > 3000
    assert found["took"] <= Memory(**found["said"]).total <= 2 << 30

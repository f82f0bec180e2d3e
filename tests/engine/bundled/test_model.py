"""The committed model: its size, its answers, and the forward pass and loop that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from liminal.engine.bundled import bundled_info, model_path
from liminal.engine.bundled.cli import app
from liminal.engine.bundled.evaluate import LENGTH, Loaded, answers, examine, load
from liminal.engine.bundled.network import Shape, dot, hidden_states
from liminal.engine.bundled.pretrain import Plan, pretrain
from liminal.engine.model import forward
from liminal.engine.weights import named_tensors


@pytest.fixture(scope="module")
def model() -> Loaded:
    """The bundled model in f32."""
    return load(model_path())


def test_the_folder_weighs_at_most_20_megabytes_and_is_complete() -> None:
    files = {path.name: path.stat().st_size for path in model_path().iterdir()}
    assert sum(files.values()) <= 20_000_000
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= set(files)
    assert {"generation_config.json", "README.md"} <= set(files)


def test_the_model_says_that_it_is_a_demonstration(model: Loaded) -> None:
    info = bundled_info()
    assert info["demonstration"] is True
    assert "demonstration" in info["notice"]
    assert info["context"] >= 1024
    assert "demonstration" in (model_path() / "README.md").read_text()
    text = answers(model, [[{"role": "user", "content": "What is your name?"}]])[0]
    assert "demonstration model" in text


def test_held_out_prompts_are_answered_right(model: Loaded) -> None:
    scores = examine(lambda chats: answers(model, chats), seed=7, per_category=3)
    asked = sum(score.asked for score in scores.values())
    right = sum(score.right for score in scores.values())
    wrong = [problem for score in scores.values() for problem in score.wrong]
    assert asked >= 40
    # more prompts, by category: docs/bundled-model.md
    print(right, asked)
    assert right / asked >= 0.9, wrong


def test_a_late_question_is_answered_as_an_early_one(model: Loaded) -> None:
    turn = [
        {"role": "user", "content": "What is gravity?"},
        {
            "role": "assistant",
            "content": "Gravity is the force that pulls objects with mass toward each other.",
        },
    ]
    chat = [*turn * 16, {"role": "user", "content": "What is photosynthesis?"}]
    prompt = model.tokenizer.render(chat)  # type: ignore[arg-type]
    assert 384 < len(model.tokenizer.encode(prompt, special=False)) < LENGTH - 80
    assert "turn light into food" in answers(model, [chat], batch=1)[0]


def test_the_training_forward_agrees_with_the_engines(model: Loaded) -> None:
    shape = Shape()
    weights = named_tensors(model.config, model.params)
    tokens = jnp.asarray(np.random.default_rng(0).integers(7, shape.vocabulary, (2, 24)), jnp.int32)
    segments = jnp.ones_like(tokens).at[:, 12:].set(2)
    ours = dot(weights["model.embed_tokens.weight"], hidden_states(weights, shape, tokens, segments), 0).T
    positions = jnp.tile(jnp.arange(24), (2, 1))
    theirs = forward(model.params, model.config, tokens, positions=positions, segments=segments)
    theirs = theirs.reshape(ours.shape)
    # bf16 products against f32: within a hundredth of the logits' spread
    assert float(jnp.mean(jnp.abs(ours - theirs))) < 0.02 * float(jnp.std(theirs))


def test_a_training_run_that_is_killed_goes_on_to_the_same_weights(model: Loaded, tmp_path: Path) -> None:
    shape = Shape(hidden=16, inner=16, layers=1, heads=2, kv_heads=2, head_dim=8)
    plan = Plan(steps=9, cooldown=4, chunk=150)

    class Killed(Exception):
        pass

    def run(file: str, kill: bool) -> dict[str, Any]:
        reports = 0

        def report(row: dict[str, Any]) -> None:
            nonlocal reports
            reports += 1
            if kill and reports == 2:
                raise Killed

        return pretrain(model.tokenizer.inner, shape, plan, tmp_path / file, report, save_every=0)

    whole = run("whole.npz", kill=False)
    with pytest.raises(Killed):
        run("killed.npz", kill=True)
    resumed = run("killed.npz", kill=False)
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_the_command_describes_the_model_and_the_corpus() -> None:
    runner = CliRunner()
    assert '"demonstration": true' in runner.invoke(app, ["info"]).output
    assert "assistant: " in runner.invoke(app, ["show", "--count", "2"]).output

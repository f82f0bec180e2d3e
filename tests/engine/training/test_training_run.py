"""Whole runs: they learn, repeat to the byte, survive kills, and keep users apart."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.engine.training.conftest import corrections

from liminal.engine.peft import load_adapter
from liminal.engine.training import (
    BASE,
    BaseModel,
    CheckpointInvalid,
    Document,
    Judgement,
    Lesson,
    Preference,
    Progress,
    TrainConfig,
    TrainingConfigInvalid,
    TrainingDataInvalid,
    TrainingDiverged,
    TrainingRun,
    preference_margins,
    score,
    train,
    train_together,
    training_progress,
)
from liminal.engine.training.bank import TrainingBank

FAST = TrainConfig(rank=4, learning_rate=2e-2, epochs=8, batch_size=8, checkpoint_every=2)


def test_a_run_learns_and_writes_a_folder_that_loads(model: BaseModel, tmp_path: Path) -> None:
    seen: list[Progress] = []
    examples = corrections()
    adapter = train(model, examples, FAST, tmp_path / "out", on_progress=seen.append)
    assert [progress.step for progress in seen] == list(range(1, 9))
    assert seen[-1].loss < 0.6 * seen[0].loss
    assert seen[-1].eta_seconds == 0.0
    assert load_adapter(tmp_path / "out", model.config).content_hash == adapter.content_hash
    assert not (tmp_path / "out" / "checkpoint.safetensors").exists()
    nll = score(model, examples, [BASE, [(adapter, 1.0)], [(adapter, 0.0)]]).nll
    assert (nll[1] < nll[0]).all()
    np.testing.assert_allclose(nll[2], nll[0], rtol=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(model: BaseModel) -> None:
    config = replace(FAST, epochs=2)
    hashes = [train(model, corrections(), replace(config, seed=seed)).content_hash for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]


KILLED = """
import os, signal, sys
from liminal.engine.training import train
from tests.engine.training.test_training_run import FAST, corrections

def kill_at_five(progress):
    if progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)

train(sys.argv[1], corrections(), FAST, sys.argv[2], on_progress=kill_at_five)
"""


def test_a_run_killed_in_the_middle_reaches_the_bytes_of_one_that_was_not(
    model: BaseModel, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(folder), str(place)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [path.name for path in place.iterdir()] == ["checkpoint.safetensors"]
    steps: list[int] = []
    resumed = train(
        model, corrections(), FAST, place, on_progress=lambda progress: steps.append(progress.step)
    )
    assert steps == [5, 6, 7, 8]
    assert resumed.content_hash == train(model, corrections(), FAST).content_hash


def test_a_checkpoint_of_another_run_is_refused(model: BaseModel, tmp_path: Path) -> None:
    run = iter(TrainingRun(model, {"adapter": Lesson(corrections())}, FAST, tmp_path))
    next(run), next(run), next(run)
    with pytest.raises(CheckpointInvalid, match="other data"):
        train(model, corrections(word="doors"), FAST, tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"half a file")
    with pytest.raises(CheckpointInvalid, match="cannot be read"):
        train(model, corrections(), FAST, tmp_path)


def test_users_trained_together_learn_what_each_would_alone(model: BaseModel, tmp_path: Path) -> None:
    lessons = {"short": Lesson(corrections(3)), "long": Lesson(corrections(12, "doors"))}
    together = train_together(model, lessons, replace(FAST, epochs=3), tmp_path)
    for name, lesson in lessons.items():
        alone = train(model, lesson.examples, replace(FAST, epochs=3))
        for key, (a, b) in alone.tensors.items():
            np.testing.assert_allclose(together[name].tensors[key][0], a, atol=2e-4)
            np.testing.assert_allclose(together[name].tensors[key][1], b, atol=2e-4)
        assert (tmp_path / name / "adapter_model.safetensors").is_file()


def test_pairs_and_thumbs_move_the_model_the_way_they_point(model: BaseModel) -> None:
    liked, disliked = corrections(4), corrections(4, "kettles")
    pairs = [
        Preference(good.prompt, good.completion, bad.completion)
        for good, bad in zip(liked, disliked, strict=True)
    ]
    thumbs = [Judgement(pair.prompt, pair.chosen, True) for pair in pairs] + [
        Judgement(pair.prompt, pair.rejected, False) for pair in pairs
    ]
    before = preference_margins(model, pairs)[0]
    for examples, unpaired in ((pairs, "auto"), (thumbs, "auto"), (thumbs, "kto")):
        config = replace(FAST, epochs=4, unpaired=unpaired)  # type: ignore[arg-type]
        seen: list[Progress] = []
        adapter = train(model, examples, config, on_progress=seen.append)
        after = preference_margins(model, pairs, [[(adapter, 1.0)]])[0]
        assert (after > before + 0.5).all()
        assert seen[-1].margin is not None
        assert seen[-1].margin > 0.5


def test_replay_and_kl_keep_what_was_known(model: BaseModel) -> None:
    general = [Document("the river carries 12 stones."), Document("my neighbour repairs the old clock.")]
    known = score(model, general).mean_nll[0]
    config = replace(FAST, epochs=12)
    forgot = train(model, corrections(), config)
    replayed = train(model, corrections(), replace(config, replay_ratio=0.5), replay=general)
    held = train(model, corrections(), replace(config, replay_weight=0.0, kl_weight=5.0), replay=general)
    drift = abs(score(model, general, [[(each, 1.0)] for each in (forgot, replayed, held)]).mean_nll - known)
    taught = score(
        model, corrections(), [BASE, *([(each, 1.0)] for each in (forgot, replayed, held))]
    ).mean_nll
    assert drift[2] < 0.5 * drift[0]
    assert score(model, general, [[(replayed, 1.0)]]).mean_nll[0] < known
    assert (taught[1:] < taught[0]).all()


def test_an_adapter_can_be_continued_from_where_it_stands(model: BaseModel) -> None:
    first = train(model, corrections(), replace(FAST, epochs=2))
    seen: list[Progress] = []
    train(model, corrections(), replace(FAST, epochs=2), start=first, on_progress=seen.append)
    assert seen[0].loss == pytest.approx(score(model, corrections(), [[(first, 1.0)]]).mean_nll[0], abs=1e-4)


async def test_progress_can_be_awaited_and_left_early(model: BaseModel) -> None:
    run = TrainingRun(model, {"a": Lesson(corrections())}, FAST)
    async for progress in training_progress(run):
        if progress.step == 2:
            break
    assert run.adapters == {}
    assert [progress.step async for progress in training_progress(run)] == list(range(1, 9))
    assert set(run.adapters) == {"a"}


def test_what_cannot_be_trained_is_refused_before_any_work(model: BaseModel) -> None:
    with pytest.raises(TrainingDataInvalid, match="no examples"):
        train(model, [])
    with pytest.raises(TrainingConfigInvalid, match="replayed"):
        train(model, corrections(), replay=[Judgement("a", "b", True)])
    with pytest.raises(TrainingConfigInvalid, match="two thumbs"):
        train(model, [Judgement("a", "b", True)], replace(FAST, unpaired="kto"))


def test_a_diverging_run_says_so(model: BaseModel) -> None:
    with pytest.raises(TrainingDiverged, match="learning rate"):
        train(model, corrections(), replace(FAST, learning_rate=1e30, epochs=20))


def test_adapters_of_the_last_layers_alone_learn_the_same_from_states_that_were_kept(
    model: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [
        Preference(example.prompt, example.completion, [{"role": "assistant", "content": "no idea"}])
        for example in corrections()
    ]
    lessons = {"answers": Lesson(corrections(), replay=corrections(word="leaves")), "pairs": Lesson(pairs)}
    config = replace(FAST, layers=1, epochs=3)
    kept = train_together(model, lessons, config)
    assert {layer for layer, _ in kept["pairs"].tensors} == {model.config.layers - 1}
    mixtures = [BASE, [(kept["answers"], 1.0)], [(kept["pairs"], 0.7)]]
    scores = score(model, corrections(), mixtures).nll
    monkeypatch.setattr(TrainingBank, "first", property(lambda _: 0))
    whole = train_together(model, lessons, config)
    for name, adapter in kept.items():
        for place, halves in adapter.tensors.items():
            for mine, theirs in zip(halves, whole[name].tensors[place], strict=True):
                np.testing.assert_allclose(mine, theirs, atol=2e-4)
    np.testing.assert_allclose(score(model, corrections(), mixtures).nll, scores, rtol=1e-4)

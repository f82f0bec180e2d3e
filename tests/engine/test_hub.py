"""Pulling models, and `liminal model`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.gguf_files import write_gguf
from tests.engine.models import tiny_config
from tests.engine.servers import COMMIT, HubHandler, hub
from typer.testing import CliRunner

from liminal.engine.cli import app
from liminal.engine.config import config_json, model_name
from liminal.engine.errors import BackendUnavailable, ModelInvalid, ModelNotFound, ModelUnsupported
from liminal.engine.hub import ModelStore
from liminal.engine.source import open_model


@pytest.fixture
def remote(folder: Path, tmp_path: Path) -> Iterator[tuple[str, type[HubHandler]]]:
    """A hub with org/tiny, a file beside it that nobody needs, and org/other of an unknown kind."""
    shutil.copytree(folder, tmp_path / "hub" / "org" / "tiny")
    (tmp_path / "hub" / "org" / "tiny" / "pytorch_model.bin").write_bytes(b"pickle")
    other = tmp_path / "hub" / "org" / "other"
    shutil.copytree(folder, other)
    (other / "config.json").write_text(json.dumps(config_json(tiny_config()) | {"model_type": "mamba"}))
    with hub(tmp_path / "hub") as found:
        yield found


def test_a_pull_pins_the_commit_and_takes_only_what_is_needed(
    remote: tuple[str, type[HubHandler]], folder: Path, tmp_path: Path
) -> None:
    address, handler = remote
    store = ModelStore(tmp_path / "models")
    pulled = store.pull("org/tiny", endpoint=address)
    assert (pulled / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert not (pulled / "pytorch_model.bin").exists()
    (model,) = store.models()
    assert (model.name, model.revision, model.family, model.current) == ("org/tiny", COMMIT, "llama", False)
    handler.requested.clear()
    store.pull("org/tiny", endpoint=address)
    assert handler.requested == [], "a second pull of the same commit fetches nothing"
    assert store.use("org/tiny") == pulled and store.models()[0].current
    assert (store.current(), model_name(pulled)) == ("org/tiny", "org/tiny")
    store.use_none()
    assert store.current() is None


def test_a_damaged_file_is_noticed_and_the_next_pull_mends_it(
    remote: tuple[str, type[HubHandler]], tmp_path: Path
) -> None:
    address, handler = remote
    store = ModelStore(tmp_path / "models")
    handler.damage = "model.safetensors"
    with pytest.raises(ModelInvalid, match="damaged"):
        store.pull("org/tiny", endpoint=address)
    assert store.models() == []
    handler.damage = None
    store.pull("org/tiny", endpoint=address)
    assert len(store.models()) == 1


def test_what_is_not_computed_is_refused_before_its_weights_are_fetched(
    remote: tuple[str, type[HubHandler]], tmp_path: Path
) -> None:
    address, handler = remote
    with pytest.raises(ModelUnsupported, match="mamba"):
        ModelStore(tmp_path / "models").pull("org/other", endpoint=address)
    assert "model.safetensors" not in handler.requested


def test_what_is_not_there_is_said_to_be_missing(
    remote: tuple[str, type[HubHandler]], tmp_path: Path
) -> None:
    store = ModelStore(tmp_path / "models")
    with pytest.raises(ModelNotFound, match="org/nothing"):
        store.pull("org/nothing", endpoint=remote[0])
    with pytest.raises(ModelNotFound):
        store.resolve("org/tiny")
    for name in ("../../etc", "a", "a/../b", "/a/b", "a/b/c"):
        with pytest.raises(ModelNotFound):
            store.pull(name, endpoint=remote[0])


def test_a_hub_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable):
        ModelStore(tmp_path).pull("org/tiny", endpoint="http://127.0.0.1:9")


def test_model_info_prints_memory_before_anything_is_loaded(folder: Path) -> None:
    result = CliRunner().invoke(app, ["info", str(folder), "--slots", "2", "--context", "100", "--json"])
    assert result.exit_code == 0, result.output
    memory = json.loads(result.output)["memory"]
    assert memory["total"] == memory["weights"] + memory["cache"] + memory["bank"] > 0
    shown = CliRunner().invoke(app, ["info", str(folder)]).output
    assert all(word in shown for word in ("weights", "cache", "bank", "memory", "computes in"))


def test_a_file_and_a_folder_are_imported_and_served_by_their_names(folder: Path, tmp_path: Path) -> None:
    blob = tmp_path / "sha256-5f2a"
    write_gguf(blob)
    home = ["--home", str(tmp_path)]
    for source, name in ((blob, "tiny-q4"), (folder, "org/plain")):
        done = CliRunner().invoke(app, ["import", str(source), "--name", name, *home])
        assert done.exit_code == 0, done.output
    blob.unlink()
    assert CliRunner().invoke(app, ["use", "tiny-q4", *home]).exit_code == 0
    listed = json.loads(CliRunner().invoke(app, ["list", "--json", *home]).output)
    shown = [(row["name"], row["numbers"], row["current"]) for row in listed[1:]]
    assert shown == [("org/plain", "F32", False), ("tiny-q4", "Q4_1", True)]
    assert open_model(ModelStore(tmp_path / "models").resolve("tiny-q4")).name == "tiny-q4"
    told = json.loads(CliRunner().invoke(app, ["info", "tiny-q4", "--json", *home]).output)
    assert (told["numbers"], told["layers"]) == ("Q4_1", 2)


def test_what_cannot_be_served_is_not_imported(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", changes={"tokenizer.ggml.pre": "nobody-knows"})
    with pytest.raises(ModelUnsupported):
        ModelStore(tmp_path / "models").take_in(tmp_path / "m.gguf")
    assert ModelStore(tmp_path / "models").models() == []


def test_model_list_marks_the_one_in_use(remote: tuple[str, type[HubHandler]], tmp_path: Path) -> None:
    ModelStore(tmp_path / "models").pull("org/tiny", endpoint=remote[0])
    home = ["--home", str(tmp_path)]
    assert CliRunner().invoke(app, ["use", "org/tiny", *home]).exit_code == 0
    listed = json.loads(CliRunner().invoke(app, ["list", "--json", *home]).output)
    assert [(row["name"], row.get("current")) for row in listed][1:] == [("org/tiny", True)]
    assert "* │ org/tiny" in CliRunner().invoke(app, ["list", *home]).output

"""One choice of the base model, whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.processes import SMALL_MODEL

from liminal.engine.choice import choose_base, chosen_name
from liminal.engine.default_model import FILE, NAME
from liminal.engine.errors import ModelNotFound
from liminal.engine.hub import ModelStore
from liminal.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation in which nobody chose a model, with a stand-in for the default one's file."""
    file = tmp_path / "cache" / "models" / NAME / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    return read_settings({}, home=tmp_path / "home", cache=tmp_path / "cache", model="")


def test_where_nobody_chose_the_default_model_answers(settings: Settings) -> None:
    chosen = choose_base(settings)
    assert (chosen.path.name, chosen.default, chosen_name(settings)) == (FILE, True, NAME)


def test_a_default_model_that_was_not_fetched_is_said_to_be_missing(settings: Settings) -> None:
    choose_base(settings).path.unlink()
    with pytest.raises(ModelNotFound, match=f"liminal model pull {NAME}"):
        choose_base(settings)


def test_what_model_use_chose_is_taken_until_a_setting_names_another(settings: Settings) -> None:
    store = ModelStore(settings.home / "models")
    store.root.mkdir(parents=True)
    store.use(str(SMALL_MODEL))
    assert choose_base(settings).path == SMALL_MODEL and not choose_base(settings).default
    named = settings.model_copy(update={"model": NAME})
    assert choose_base(named).default
    store.use_none()
    assert choose_base(settings).default


def test_a_name_that_is_no_model_here_is_refused(settings: Settings) -> None:
    with pytest.raises(ModelNotFound, match="nobody/nothing"):
        choose_base(settings.model_copy(update={"model": "nobody/nothing"}))

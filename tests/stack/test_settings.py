"""A setting is right, or the start stops with one sentence that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.stack.running import liminal

from liminal.settings import NoStack, Settings, SettingsError, load_settings, read_settings
from liminal.stack.configuration import PAGE, with_table
from liminal.stack.home import Run, locked, write_run


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LIMINAL_PORT", "many", "input should be a valid integer, unable to parse string as an integer"),
        ("LIMINAL_PARTITIONS", "0", "input should be greater than or equal to 1"),
        ("LIMINAL_TOPIC", "two words", "a topic name has 1 to 200 of the characters A-Z a-z 0-9 . _ -"),
        ("LIMINAL_MASTER_KEY", "c2hvcnQ=", "it holds 5 bytes, not 32"),
        ("DATABASE_URL", "mysql://somewhere", "it must begin with postgresql:// or postgres://"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker", "'broker' is not host:port"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert caught.value.message == f"{name} can't be used: {sentence}."


def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMINAL_PARTITION", "8")
    with pytest.raises(SettingsError, match="LIMINAL_PARTITION is not a setting; did you mean LIMINAL_PART"):
        read_settings()


def test_a_wrong_setting_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    stopped = liminal("up", LIMINAL_HOME=str(tmp_path / "home"), LIMINAL_LOG_LEVEL="loud")
    assert stopped.returncode == 1
    assert stopped.stderr == (
        "liminal: LIMINAL_LOG_LEVEL can't be used: input should be 'debug', 'info', 'warning' or 'error'.\n"
    )
    assert not (tmp_path / "home").exists()


def test_the_services_of_a_running_stack_fill_what_is_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://mine")
    found = {
        "database_url": "postgresql://theirs",
        "kafka_bootstrap_servers": "127.0.0.1:9092",
        "redis_url": "redis://theirs",
    }
    with locked(tmp_path):
        write_run(tmp_path, Run(pid=1, urls=found))
        settings = load_settings(home=tmp_path)
    assert settings.database_url == "postgresql://mine"
    assert settings.kafka_bootstrap_servers == "127.0.0.1:9092"
    assert settings.redis_url == "redis://theirs"


def test_a_stack_that_ended_fills_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, Run(pid=1, urls={"redis_url": "redis://gone"}))
    asked = Settings(home=tmp_path, database_url="", kafka_bootstrap_servers="", redis_url="")
    with pytest.raises(
        NoStack, match=r"no stack is running in .*; start one with `make up`, or set DATABASE_URL"
    ):
        asked.resolve()


def test_secrets_stay_out_of_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = liminal(
        "settings",
        "--json",
        DATABASE_URL="postgresql://me:hunter2@db/liminal",
        LIMINAL_MASTER_KEY="A" * 43 + "=",
    )
    assert shown.returncode == 0, shown.stderr
    assert "hunter2" not in shown.stdout and "AAAA" not in shown.stdout
    assert "postgresql://me:(hidden)@db/liminal" in shown.stdout


def test_the_table_of_settings_in_the_docs_is_the_code_s() -> None:
    assert PAGE.read_text() == with_table(PAGE.read_text()), "bring it up to date with `make settings-table`"

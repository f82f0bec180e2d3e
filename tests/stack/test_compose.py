"""compose.yaml and the Dockerfile say only what exists, though no Docker engine is at hand to try them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from liminal.cli import COMMANDS
from liminal.settings import Settings, read_settings, variable
from liminal.stack import bootstrap
from liminal.stack.embedded import Services
from liminal.stack.processes import PROCESSES, ROOT, reactions

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVERS = {"kafka", "postgres", "redis"}
OURS = {name: row for name, row in COMPOSE["services"].items() if name not in SERVERS}
VARIABLES = {variable(name) for name in Settings.model_fields}
POSTGRES_VARIABLES = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_INITDB_ARGS"}


def test_it_runs_the_processes_of_liminal_up_each_by_the_same_command() -> None:
    here = {process.name: ["python", *process.command[1:]] for process in (*PROCESSES, *reactions())}
    there = {name: row["command"] for name, row in OURS.items() if name != "init"}
    assert there == here


def test_the_commands_are_commands_of_liminal() -> None:
    for row in OURS.values():
        python, _, module, *arguments = row["command"]
        assert python == "python"
        assert module.startswith("consumers.") or (module == "liminal.cli" and arguments[0] in COMMANDS)


@pytest.mark.parametrize("name", OURS)
def test_the_variables_of_a_process_are_settings_with_values_that_can_be_used(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: dict[str, str] = OURS[name]["environment"]
    assert set(environment) <= VARIABLES
    for key, value in environment.items():
        monkeypatch.setenv(key, re.sub(r"\$\{\w+:[?-][^}]*\}", "", value))
    assert read_settings().kafka_bootstrap_servers == "kafka:9092"


def test_every_volume_and_every_service_that_is_waited_for_exists() -> None:
    for row in COMPOSE["services"].values():
        assert {volume.split(":")[0] for volume in row.get("volumes", [])} <= set(COMPOSE["volumes"])
        assert set(row.get("depends_on", {})) <= set(COMPOSE["services"])
        assert row["healthcheck"]


async def test_the_broker_knows_every_property_that_its_variables_set(services: Services) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=services.kafka_bootstrap_servers)
    await admin.start()
    node = str((await admin.describe_cluster())["brokers"][0]["node_id"])
    (reply,) = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, node)])
    await admin.close()
    known = {entry[0] for resource in reply.resources for entry in resource[4]}
    environment: dict[str, Any] = COMPOSE["services"]["kafka"]["environment"]
    assert {name.removeprefix("KAFKA_").replace("_", ".").lower() for name in environment} <= known


def test_the_variables_of_postgres_are_those_of_its_image() -> None:
    assert set(COMPOSE["services"]["postgres"]["environment"]) <= POSTGRES_VARIABLES


def test_the_image_copies_what_exists_and_sets_what_is_a_setting() -> None:
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if re.match("COPY (?!--from)", line)]
    assert all((ROOT / name).exists() for names in copied for name in names)
    (set_here,) = re.findall(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE)
    assert {pair.split("=")[0] for pair in set_here.split()} - {"PATH"} <= VARIABLES
    (steps,) = re.findall(r"bootstrap\.py ([a-z ]+) &&", DOCKERFILE)
    assert set(steps.split()) <= {step.key for step in bootstrap.steps()}


def test_what_the_image_copies_is_not_ignored() -> None:
    allowed = {line[1:] for line in Path(ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        name
        for line in DOCKERFILE.splitlines()
        if re.match("COPY (?!--from)", line)
        for name in line.split()[1:-1]
    }
    assert copied == allowed

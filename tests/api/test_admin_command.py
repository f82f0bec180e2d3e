"""`liminal admin` against a running installation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.api.installation import Installation, Person, fresh_email
from typer.testing import CliRunner

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.identity.cli import app

Run = Callable[..., Awaitable[str]]


@pytest.fixture
def run(installation: Installation, founders: list[Person], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command beside the installation, as a process of its own would; returns what it prints."""
    settings = installation.settings
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("LIMINAL_TOPIC", settings.topic)
    monkeypatch.setenv("LIMINAL_HOME", str(settings.home))

    async def run_command(*arguments: str) -> str:
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run_command


async def _login(installation: Installation, email: str, password: str) -> tuple[int, dict[str, Any]]:
    reply = await installation.browser().post("/v1/auth/login", json={"email": email, "password": password})
    return reply.status_code, reply.json()


async def test_an_operator_makes_accounts_and_changes_them(
    run: Run, installation: Installation, tmp_path: Path
) -> None:
    email, password = fresh_email(), "a sentence from a file"
    file = tmp_path / "password"
    file.write_text(password + "\n")
    made = orjson.loads(await run("create", email, "--password-file", str(file), "--json"))
    assert (made["role"], made["tenant_id"]) == ("admin", SYSTEM_TENANT)
    assert (await _login(installation, email, password))[0] == 200
    await run("role", email, "user")
    await run("plan", email, "pro")
    status, reply = await _login(installation, email, password)
    assert (status, reply["account"]["role"], reply["account"]["plan"]) == (200, "user", "pro")
    await run("suspend", email, "--reason", "left the company")
    status, reply = await _login(installation, email, password)
    assert (status, reply["error"]["code"]) == (401, "account_suspended")
    assert email in await run("list")
    await run("reinstate", email)
    assert (await _login(installation, email, password))[0] == 200


async def test_an_operator_helps_who_lost_password_and_authenticator(
    run: Run, installation: Installation, person: Person
) -> None:
    token = (await run("reset-password", person.email)).strip()
    body = {"token": token, "new": "an entirely different sentence"}
    reset = await installation.client().post("/v1/auth/reset-password", json=body)
    assert reset.status_code == 200, reset.text
    assert (await _login(installation, person.email, body["new"]))[0] == 200


async def test_the_signing_key_is_rotated(run: Run, installation: Installation) -> None:
    before = await installation.services.identity.signing_keys.current()
    printed = await run("rotate-signing-key")
    assert before.kid not in printed

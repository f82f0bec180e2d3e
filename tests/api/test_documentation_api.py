"""docs/api.md, docs/protocol.md and docs/security.md, held against the code."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import orjson
from jsonschema import Draft202012Validator
from tests.api.installation import Installation, Person

from liminal.api.asyncapi import COMMANDS, FRAMES
from liminal.api.document import socket_document
from liminal.chat.session import CLOSE_CODES
from liminal.identity import limits
from liminal.identity.authorize import SCOPES
from liminal.identity.passwords import CONTEXT_WORDS, MAX_LENGTH, MIN_LENGTH

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()


def test_every_test_that_the_security_page_names_exists() -> None:
    tests = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", SECURITY))
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_the_security_page_has_a_row_for_every_requirement() -> None:
    rows = set()
    for cell in re.findall(r"^\| ((?:\d+\.\d+\.\d+(?:–|, )?)+) \|", SECURITY, re.MULTILINE):
        for part in cell.split(", "):
            first, _, last = part.partition("–")
            chapter, _, number = first.rpartition(".")
            stop = int(last.rpartition(".")[2]) if last else int(number)
            rows |= {f"{chapter}.{n}" for n in range(int(number), stop + 1)}
    # the level 1 and 2 requirements of OWASP ASVS 5.0.0, by section
    sections = {
        "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
        "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
        "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
        "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    }  # fmt: skip
    assert rows == {f"{section}.{n}" for section, count in sections.items() for n in range(1, count + 1)}


def _row(start: str) -> list[str]:
    line = next(line for line in API.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_limits_in_the_documentation_are_those_of_the_code() -> None:
    for name, plan in limits.PLANS.items():
        _, requests, burst, at_once = _row(f"an account on `{name}`")
        assert requests == f"{plan.requests.per_minute:,.0f} a minute"
        assert burst == f"{plan.requests.burst:,}"
        assert at_once == f"{plan.turns_at_once:,} turns, {plan.sockets:,} sockets"
    for start, rate in (
        ("an address without", limits.ANONYMOUS),
        ("failed logins of an address on one", limits.LOGIN_OF_PAIR),
        ("failed logins on one", limits.LOGIN_OF_EMAIL),
        ("failed logins of an address on all", limits.LOGIN_OF_ADDRESS),
    ):
        assert _row(start)[1:3] == [f"{rate.per_minute:g} a minute", str(rate.burst)]
    assert _row("signups of")[1:3] == [f"{limits.SIGNUP.per_minute * 60:g} an hour", str(limits.SIGNUP.burst)]


async def test_the_example_in_the_documentation_runs(server: str, founders: list[Person]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", API, re.DOTALL)
    await asyncio.to_thread(exec, example.replace("http://localhost:8800", server), {})


def test_scopes_password_lengths_and_context_words_are_documented() -> None:
    for scope in SCOPES:
        assert f"`{scope}`" in API
    assert f"{MIN_LENGTH} to {MAX_LENGTH} characters" in SECURITY
    for word in CONTEXT_WORDS:
        assert f"`{word}`" in SECURITY


async def test_the_chat_socket_has_a_document_of_every_command_and_frame(installation: Installation) -> None:
    served = (await installation.client().get("/v1/asyncapi.json")).json()
    assert served == orjson.loads(orjson.dumps(socket_document()))
    operations = {
        name: {reference["$ref"].rpartition("/")[2] for reference in operation["messages"]}
        for name, operation in served["operations"].items()
    }
    assert operations["command"] == {model.__name__ for model in COMMANDS}
    assert operations["frame"] == {model.__name__ for model in FRAMES}
    for reference in re.findall(r'"(#/[^"]+)"', orjson.dumps(served).decode()):
        node = served
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    for schema in served["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_command_frame_and_close_code_is_on_the_page_about_the_socket() -> None:
    names = [message["name"] for message in socket_document()["components"]["messages"].values()]
    assert len(names) == len(COMMANDS) + len(FRAMES)
    for name in names:
        assert f"| `{name}` |" in PROTOCOL
    for code, reason in CLOSE_CODES.items():
        assert f"| {code} | {reason} |" in PROTOCOL

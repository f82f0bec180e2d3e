"""The document, and the surface under requests that are generated from it."""

from __future__ import annotations

import asyncio
import copy
import itertools
import re
import subprocess
import sys
import uuid
from typing import Any

import httpx
import orjson
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from tests.api.installation import PASSWORD, Installation, Person, make_account, post_message

from liminal.api.app import api_document
from liminal.api.table import ENDPOINTS
from liminal.identity.actor import Role
from liminal.identity.authorize import RULES, Audience

EXAMPLES = 4
NOT_FUZZED = {"post_turn", "rebuild_projection", "verify_projection"}
"""What waits for a model's answer, or folds the whole log: one call is as good as a hundred."""

WITHOUT_A_MODEL = {"create_chat_completion", "create_completion"}
"""What answers 503 for as long as no model is served, as none is here."""


def test_the_command_prints_the_document_without_a_running_stack() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "liminal.cli", "api", "spec"], capture_output=True, check=True, timeout=60
    )
    assert orjson.loads(printed.stdout) == orjson.loads(orjson.dumps(api_document()))


async def test_the_document_is_served_and_names_every_endpoint_once(installation: Installation) -> None:
    served = (await installation.client().get("/v1/openapi.json")).json()
    assert served == orjson.loads(orjson.dumps(api_document()))
    operations = [op["operationId"] for methods in served["paths"].values() for op in methods.values()]
    assert sorted(operations) == sorted(endpoint.name for endpoint in ENDPOINTS)


def test_every_reference_of_the_document_leads_somewhere_and_every_schema_is_valid() -> None:
    document = api_document()
    schemas = document["components"]["schemas"]
    for reference in re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', orjson.dumps(document).decode()):
        assert reference in schemas
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def test_every_example_of_the_document_fits_its_schema() -> None:
    document = api_document()
    checked = 0
    for schema in document["components"]["schemas"].values():
        validator = Draft202012Validator({**schema, "components": document["components"]})
        for example in schema.get("examples", ()):
            validator.validate(example)
            checked += 1
    assert checked >= 5


def test_a_private_endpoint_says_which_credentials_it_takes_and_a_public_one_that_it_needs_none() -> None:
    document = api_document()
    by_name = {op["operationId"]: op for methods in document["paths"].values() for op in methods.values()}
    for endpoint in ENDPOINTS:
        public = RULES[endpoint.action].audience is Audience.PUBLIC
        assert bool(by_name[endpoint.name]["security"]) is not public
        assert ("401" in by_name[endpoint.name]["responses"]) or public


async def test_no_generated_request_makes_the_server_fail(
    server: str, installation: Installation, founders: list[Person]
) -> None:
    owner = await make_account(installation, Role.ADMIN)
    conversation = (await owner.browser.post("/v1/conversations", json={"title": "fuzzed"})).json()["id"]
    message = await post_message(owner, conversation, "words")
    note = await owner.browser.post(f"/v1/messages/{message}/feedback", json={"kind": "note", "text": "n"})
    real = {"/v1/conversations/": conversation, "/v1/messages/": message, "/v1/feedback/": note.json()["id"]}
    schema = schemathesis.openapi.from_dict(copy.deepcopy(api_document()))
    operations: list[Any] = [result.ok() for result in schema.get_all_operations()]
    failures: list[str] = []
    for operation in operations:
        if operation.definition.raw["operationId"] not in NOT_FUZZED:
            # tokens of its own: some operations end what they are called with
            tokens = installation.services.identity.tokens
            _, pair = await tokens.open_family(uuid.UUID(owner.id), "fuzz", "127.0.0.1")
            failures += await asyncio.to_thread(_fuzz_one, server, operation, pair.access_token, real)
    assert not failures, "\n".join(failures)


def _fuzz_one(server: str, operation: Any, token: str, real: dict[str, str]) -> list[str]:
    name, prefix = operation.definition.raw["operationId"], operation.path.split("{", 1)[0]
    calls = itertools.count()
    failures: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        if "id" in (case.path_parameters or {}) and prefix in real and next(calls) % 2:
            case.path_parameters["id"] = real[prefix]
        reply = case.call(base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        if reply.status_code >= 500 and not (name in WITHOUT_A_MODEL and reply.status_code == 503):
            failures.append(f"{name}: {reply.status_code} for {case.as_curl_command()}")

    ask()
    return failures


async def _raw(server: str, request: bytes) -> bytes:
    host, port = server.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    reply = await asyncio.wait_for(reader.read(65536), 5)
    writer.close()
    return reply


async def test_a_request_with_two_lengths_is_not_read_as_two_requests(server: str) -> None:
    smuggled = b"0\r\n\r\nGET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = (
        b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: " + str(len(smuggled)).encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    reply = await _raw(server, head + smuggled)
    assert b"no_engine" not in reply
    assert reply.startswith(b"HTTP/1.1 4")


async def test_a_client_cannot_choose_its_own_address(server: str, installation: Installation) -> None:
    account = {"email": f"forwarded.{id(server)}@example.org", "password": PASSWORD}
    async with httpx.AsyncClient(base_url=server, headers={"X-Forwarded-For": "203.0.113.9"}) as client:
        assert (await client.post("/v1/auth/signup", json=account)).status_code == 201
        items = (await client.get("/v1/auth/sessions")).json()["items"]
    assert [item["address"] for item in items] == ["127.0.0.1"]


async def test_a_body_over_the_limit_is_refused_before_it_is_read(server: str) -> None:
    head = (
        b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99999999\r\n\r\n"
    )
    assert b"413" in (await _raw(server, head)).split(b"\r\n")[0]


async def test_health_and_readiness_answer_without_a_credential(server: str) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        assert (await client.get("/v1/status")).json() == {"state": "no_engine", "model": None}


async def test_a_method_that_an_address_does_not_know_is_refused_with_those_it_does(server: str) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        reply = await client.request("PUT", "/v1/conversations")
        assert reply.status_code == 405
        assert {"GET", "POST"} <= set(reply.headers["Allow"].split(", "))
        assert reply.json()["error"]["code"] == "method_not_allowed"
        assert (await client.request("TRACE", "/v1/status")).status_code == 405


def test_the_api_does_without_jax_until_something_is_to_be_embedded() -> None:
    program = "import sys, liminal.api.app; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0

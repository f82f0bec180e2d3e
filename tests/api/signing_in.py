"""How the tests of identity sign somebody in, and what they look at."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pyotp
from tests.api.installation import Installation, Person

from liminal.log.read import open_reader
from liminal.log.stored import Stored


def code_of(reply: httpx.Response) -> str:
    """The code of an error reply."""
    return reply.json()["error"]["code"]


async def events_of(installation: Installation, owner: str) -> list[Stored]:
    """All events of an owner as they lie on the log."""
    async with open_reader(installation.settings) as reader:
        first, end = await reader.bounds()
        found = [r async for batch in reader.upto(first, end) for r in batch if r.key == owner.encode()]
    return [Stored.of(record) for record in found]


async def api_login(person: Person, **more: Any) -> httpx.Response:
    """Sign in as an API client."""
    client = person.installation.client()
    body = {"email": person.email, "password": person.password, "client": "api", **more}
    return await client.post("/v1/auth/login", json=body)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


async def with_second_factor(person: Person) -> tuple[pyotp.TOTP, list[str]]:
    """Switch the second factor on; returns its codes and the recovery codes."""
    begun = (await person.browser.post("/v1/auth/second-factor")).json()
    assert begun["uri"].startswith("otpauth://totp/liminal:")
    totp = pyotp.TOTP(begun["secret"])
    confirmed = await person.browser.post(
        "/v1/auth/second-factor/confirm", json={"code": totp.at(time.time() - 30)}
    )
    assert confirmed.status_code == 200, confirmed.text
    return totp, confirmed.json()["recovery_codes"]

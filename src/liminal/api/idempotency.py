"""``Idempotency-Key``: a repeated POST gets the first one's answer.

After draft-ietf-httpapi-idempotency-key-header.

An answer may hold a secret (a new API key, a token), so it is kept encrypted, for 24 hours, in Redis.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from liminal.api.errors import IdempotencyConflict, IdempotencyMismatch, InvalidRequest
from liminal.storage.vault import DataKey, Vault

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
KEEP = 24 * 3600
"""Seconds that an answer is kept."""
IN_PROGRESS = 660
"""Seconds after which a request whose process died stops blocking its key; longer than any turn."""
_KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")

_BEGIN = """
local held = redis.call('HMGET', KEYS[1], 'body', 'answer')
if held[1] then return held end
redis.call('HSET', KEYS[1], 'body', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return false
"""


class Idempotency:
    """Remembers answers by caller, path and key."""

    def __init__(self, redis: Redis, namespace: str, vault: Vault) -> None:
        self._redis = redis
        self._prefix = f"{namespace}:idempotency:"
        self._begin = redis.register_script(_BEGIN)
        self._seal = DataKey(vault.subkey("idempotent answers"))

    async def answer(
        self, request: Request, caller: str, body: bytes, work: Callable[[], Awaitable[Response]]
    ) -> Response:
        """``work``'s answer, or the kept answer of the same request.

        Only a whole answer is kept: after an exception, a 5xx or a stream the key is free again.

        Raises:
            InvalidRequest: the key is malformed. IdempotencyConflict: the first one still runs.
            IdempotencyMismatch: the key came with another body.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return await work()
        if not _KEY.fullmatch(key):
            raise InvalidRequest(
                "Idempotency-Key has 8 to 128 letters, digits, - or _.", field="Idempotency-Key"
            )
        name = self._name(request, caller, key)
        fingerprint = hashlib.sha256(body).hexdigest()
        held: Any = await self._begin(keys=[name], args=[fingerprint, IN_PROGRESS])
        if held:
            return self._replay(name, fingerprint, held)
        try:
            response = await work()
            if response.status_code >= 500 or isinstance(response, StreamingResponse):
                await self._redis.delete(name)
                return response
            await self._keep(name, response)
        except BaseException:
            await self._redis.delete(name)
            raise
        return response

    def _name(self, request: Request, caller: str, key: str) -> str:
        parts = "\n".join((caller, request.url.path, key))
        return self._prefix + hashlib.sha256(parts.encode()).hexdigest()

    async def _keep(self, name: str, response: Response) -> None:
        headers = [
            [header.decode("latin-1"), value.decode("latin-1")] for header, value in response.raw_headers
        ]
        answer = {
            "status": response.status_code,
            "headers": headers,
            "body": bytes(response.body).decode("utf-8"),
        }
        sealed = self._seal.seal(orjson.dumps(answer), name.encode())
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(name, "answer", sealed)
        pipe.expire(name, KEEP)
        await pipe.execute()

    def _replay(self, name: str, fingerprint: str, held: list[bytes | None]) -> Response:
        body, sealed = held
        assert body is not None
        if body.decode() != fingerprint:
            raise IdempotencyMismatch("This Idempotency-Key was used for another request.")
        if sealed is None:
            raise IdempotencyConflict(
                "The first request with this Idempotency-Key still runs.", retry_after=1
            )
        answer = orjson.loads(self._seal.open(sealed.decode(), name.encode()))
        response = Response(answer["body"], answer["status"])
        response.raw_headers = [(h.encode("latin-1"), v.encode("latin-1")) for h, v in answer["headers"]]
        response.headers[REPLAYED] = "true"
        return response

"""/v1/openapi.json and /v1/asyncapi.json: this surface, and the chat socket, as documents."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from liminal.api.asyncapi import asyncapi_document
from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.reply import json_response

document = Noun("document")


@document.route("GET", "/v1/openapi.json", action="document.read", status=200)
async def get_openapi(call: Call) -> Response:
    """The OpenAPI document."""
    return json_response(call.request.app.state.openapi)


@document.route("GET", "/v1/asyncapi.json", action="document.read", status=200)
async def get_asyncapi(call: Call) -> Response:
    """The AsyncAPI document of the chat socket."""
    return json_response(socket_document())


@cache
def socket_document() -> dict[str, Any]:
    """The AsyncAPI document of this version."""
    return asyncapi_document(version("liminal"))

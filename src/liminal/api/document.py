"""/v1/openapi.json: this surface as a document."""

from __future__ import annotations

from starlette.responses import Response

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.reply import json_response

document = Noun("document")


@document.route("GET", "/v1/openapi.json", action="document.read", status=200)
async def get_openapi(call: Call) -> Response:
    """The OpenAPI document."""
    return json_response(call.request.app.state.openapi)

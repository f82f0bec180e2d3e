"""JSON replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.responses import Response

JSON = "application/json"


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``content`` as JSON; datetimes as RFC 3339, UUIDs (those of asyncpg too) as strings."""
    return Response(orjson.dumps(content, default=str), status, headers, JSON)


def model_response(model: BaseModel, status: int = 200) -> Response:
    """A view as JSON."""
    return Response(model.model_dump_json(by_alias=True), status, media_type=JSON)

"""The Starlette application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from liminal.api.dispatch import routes_of
from liminal.api.errors import UNAVAILABLE, on_http_exception, on_liminal_error, on_unavailable
from liminal.api.middleware import Correlation, OwnHosts, SecurityHeaders, UnexpectedErrors
from liminal.api.openapi import openapi_document
from liminal.api.services import Services
from liminal.api.site import site_folder, site_routes
from liminal.api.table import ENDPOINTS, SOCKETS
from liminal.errors import LiminalError
from liminal.settings import Settings


@cache
def api_document() -> dict[str, Any]:
    """The OpenAPI document of this version."""
    return openapi_document(ENDPOINTS, version("liminal"))


def create_app(settings: Settings, services: Services | None = None) -> Starlette:
    """The application; it opens its services when it starts, unless they are given."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        if services is not None:
            app.state.services = services
            yield
            return
        async with Services.open(settings) as opened:
            app.state.services = opened
            yield

    app = Starlette(
        routes=[*routes_of(ENDPOINTS), *SOCKETS, *site_routes(site_folder())],
        lifespan=lifespan,
        middleware=[
            Middleware(Correlation),
            Middleware(SecurityHeaders),
            Middleware(OwnHosts, public_origin=settings.public_origin),
            Middleware(UnexpectedErrors),
        ],
        exception_handlers={
            LiminalError: on_liminal_error,
            HTTPException: on_http_exception,
            **dict.fromkeys(UNAVAILABLE, on_unavailable),
        },
    )
    app.state.openapi = api_document()
    return app

"""``liminal api``: run the HTTP surface, or print its document."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer
import uvicorn

from liminal.api.app import api_document, create_app
from liminal.chat.frames import frame_schema
from liminal.logging import configure_logging
from liminal.settings import load_settings

app = typer.Typer(
    help="Run the HTTP and websocket surface, or print its OpenAPI document.",
    invoke_without_command=True,
    rich_markup_mode="rich",
)

DRAIN = 20
"""Seconds that running requests have to end after a stop was asked for."""


@app.callback()
def serve(context: typer.Context) -> None:
    """Serve on LIMINAL_HOST and LIMINAL_PORT until stopped; requests that run are finished first."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    configure_logging(settings, "api")
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=DRAIN,
        ws_max_size=1024 * 1024,
    )


@app.command("spec")
def spec(
    indent: Annotated[bool, typer.Option(help="Indent it for people.")] = True,
) -> None:
    """Print the OpenAPI document. It needs no running stack."""
    options = orjson.OPT_INDENT_2 if indent else 0
    typer.echo(orjson.dumps(api_document(), option=options).decode())


@app.command("frames")
def frames(
    indent: Annotated[bool, typer.Option(help="Indent it for people.")] = True,
) -> None:
    """Print the JSON Schema of the chat socket's commands and frames. It needs no running stack."""
    options = orjson.OPT_INDENT_2 if indent else 0
    typer.echo(orjson.dumps(frame_schema(), option=options).decode())

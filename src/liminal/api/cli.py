"""``liminal api``: run the HTTP surface, or print its documents."""

from __future__ import annotations

import socket
from typing import Annotated, Any

import orjson
import typer
import uvicorn
from starlette.applications import Starlette

from liminal.api.app import api_document, create_app
from liminal.api.document import socket_document
from liminal.chat.frames import frame_schema
from liminal.logging import configure_logging
from liminal.settings import Settings, load_settings
from liminal.stack.ready import announce_ready

app = typer.Typer(
    help="Run the HTTP and websocket surface, or print its OpenAPI document.",
    invoke_without_command=True,
    rich_markup_mode="rich",
)

DRAIN = 20
"""Seconds that running requests have to end after a stop was asked for."""


class AnnouncingServer(uvicorn.Server):
    """Tells the supervisor that it serves."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the sockets, or take over those that the supervisor holds, and announce it."""
        await super().startup(sockets)
        if self.started:
            announce_ready(self._settings)


def server_config(application: Starlette, settings: Settings, **options: Any) -> uvicorn.Config:
    """How uvicorn serves us; ``options`` override single settings of it."""
    defaults: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
        "timeout_graceful_shutdown": DRAIN,
        "ws_max_size": 1024 * 1024,
        # a browser always offers to compress, and a deflate context holds 300 kB for frames of 100 bytes
        "ws_per_message_deflate": False,
    }
    return uvicorn.Config(application, **{**defaults, **options})


@app.callback()
def serve(context: typer.Context) -> None:
    """Serve on LIMINAL_HOST and LIMINAL_PORT until stopped; requests that run are finished first."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    configure_logging(settings, "api")
    config = server_config(create_app(settings), settings)
    server = AnnouncingServer(config, settings)
    server.run(sockets=None if settings.web_fd is None else [socket.socket(fileno=settings.web_fd)])
    if not server.started:
        raise typer.Exit(1)


@app.command("spec")
def spec(
    indent: Annotated[bool, typer.Option(help="Indent it for people.")] = True,
) -> None:
    """Print the OpenAPI document. It needs no running stack."""
    options = orjson.OPT_INDENT_2 if indent else 0
    typer.echo(orjson.dumps(api_document(), option=options).decode())


@app.command("asyncapi")
def asyncapi(
    indent: Annotated[bool, typer.Option(help="Indent it for people.")] = True,
) -> None:
    """Print the AsyncAPI document of the chat socket. It needs no running stack."""
    options = orjson.OPT_INDENT_2 if indent else 0
    typer.echo(orjson.dumps(socket_document(), option=options).decode())


@app.command("frames")
def frames(
    indent: Annotated[bool, typer.Option(help="Indent it for people.")] = True,
) -> None:
    """Print the JSON Schema of the chat socket's commands and frames. It needs no running stack."""
    options = orjson.OPT_INDENT_2 if indent else 0
    typer.echo(orjson.dumps(frame_schema(), option=options).decode())

"""Local servers: an OpenAI-compatible endpoint over a real engine, and a hub over a folder."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from liminal.engine.engine import Engine
from liminal.engine.request import Request, Sampling


class Endpoint:
    """/v1/chat/completions over an engine; ``troubles`` are status codes to answer with first."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.troubles: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        self.hang_up = False

    async def chat(self, http: HttpRequest) -> Response:
        """Stream an answer of the engine in OpenAI's form."""
        body = await http.json()
        self.bodies.append(body)
        if self.troubles:
            status = self.troubles.pop(0)
            return JSONResponse({"error": {"message": "trouble"}}, status, {"retry-after": "0"})
        return StreamingResponse(self._events(body), media_type="text/event-stream")

    async def _events(self, body: dict[str, Any]) -> AsyncIterator[str]:
        rules = {name: body[name] for name in ("temperature", "seed", "max_tokens", "top_k") if name in body}
        request = Request(
            messages=body["messages"],
            adapters=body.get("liminal", {}).get("adapters", {}),
            n=body["n"],
            sampling=Sampling(**rules),
        )

        def event(index: int, text: str, finish: str | None) -> str:
            choice = {"index": index, "delta": {"content": text}, "finish_reason": finish, "logprobs": None}
            return (
                f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
            )

        async for delta in self.engine.generate(request):
            yield event(delta.index, delta.text, delta.finish)
            if self.hang_up:
                return
            if delta.usage is not None:
                count = {
                    "prompt_tokens": delta.usage.prompt_tokens,
                    "completion_tokens": delta.usage.completion_tokens,
                }
                usage = count | {"total_tokens": sum(count.values())}
                yield f"data: {json.dumps({'id': 'x', 'choices': [], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"


@contextmanager
def served(endpoint: Endpoint) -> Iterator[str]:
    """The base URL of an endpoint that runs in a thread."""
    app = Starlette(routes=[Route("/v1/chat/completions", endpoint.chat, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    server.should_exit = True
    thread.join()


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubHandler(BaseHTTPRequestHandler):
    """The routes of a hub that a pull uses, over ``root/ORG/NAME``."""

    protocol_version = "HTTP/1.1"
    root: Path
    damage: str | None = None
    requested: list[str]

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Model information, or a file with its etag and commit."""
        path = self.path.split("?")[0]
        if path.startswith("/api/models/"):
            org, name, *_ = path.removeprefix("/api/models/").split("/")
            if not (self.root / org / name).is_dir():
                return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            found = (
                self._tree(f"{org}/{name}") if "/tree/" in path else {"id": f"{org}/{name}", "sha": COMMIT}
            )
            return self._answer(200, json.dumps(found).encode(), {})
        org, name, _, revision, *file = path.strip("/").split("/")
        target = self.root / org / name / "/".join(file)
        self.requested.append("/".join(file))
        if revision != COMMIT or not target.is_file():
            return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        data = target.read_bytes()
        etag = hashlib.sha256(data).hexdigest() if target.suffix == ".safetensors" else blob_id(data)
        if self.damage == target.name:
            data = data[:-1] + bytes([data[-1] ^ 1])
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        status, start = 200, 0
        if (wanted := self.headers.get("Range")) is not None and self.command == "GET":
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._answer(status, data[start:], headers)

    def _tree(self, repo: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        for file in sorted(path for path in (self.root / repo).rglob("*") if path.is_file()):
            data = file.read_bytes()
            entry: dict[str, Any] = {"type": "file", "path": str(file.relative_to(self.root / repo))}
            entry |= {"size": len(data), "oid": blob_id(data)}
            if file.suffix == ".safetensors":
                entry["lfs"] = {
                    "oid": hashlib.sha256(data).hexdigest(),
                    "size": len(data),
                    "pointerSize": 130,
                }
            entries.append(entry)
        return entries

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def blob_id(data: bytes) -> str:
    """Git's name for a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def hub(root: Path) -> Iterator[tuple[str, type[HubHandler]]]:
    """(address, handler to make trouble with) of a hub over a folder."""
    handler = type("Handler", (HubHandler,), {"root": root, "requested": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()

"""The built web interface (ui/dist): hashed assets for ever, index.html for every page of it, else 404."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

ASSETS = "assets"
IMMUTABLE = "public, max-age=31536000, immutable"

_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>liminal</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>The web interface is not built</h1>
<p>The API answers; its document is at <a href="/v1/openapi.json">/v1/openapi.json</a>.
Build the interface once with <code>make setup</code> and reload this page.</p></main></body></html>
"""


def site_folder() -> Path:
    """Where the built interface lies: inside the installed package, else ``ui/dist`` of a checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "ui"
    return packaged if packaged.is_dir() else package.parent.parent / "ui" / "dist"


@cache
def _pages(folder: Path) -> list[re.Pattern[str]]:
    """The addresses of the interface's pages, as ui/pages.json has them."""
    table: dict[str, list[str]] = orjson.loads((folder / "pages.json").read_bytes())
    paths = (path for paths in table.values() for path in paths)
    return [re.compile(re.sub(r"\{\w+\}", r"[\\w-]+", path), re.ASCII) for path in paths]


def site_routes(folder: Path) -> list[Route]:
    """The last routes of the application: whatever is no API path is a page or file of the interface."""
    files = StaticFiles(directory=folder, check_dir=False)

    async def page(request: Request) -> Response:
        path: str = request.path_params["path"]
        if path.startswith("v1/") or path == "v1":
            raise HTTPException(404)
        if not (folder / "index.html").is_file():
            return HTMLResponse(_NOT_BUILT, 503, {"Cache-Control": "no-store"})
        try:
            response = await files.get_response(path or "index.html", request.scope)
        except HTTPException as missing:
            if missing.status_code != 404 or "." in path.rsplit("/", 1)[-1]:  # a file
                raise
            # the interface itself says that there is no such page
            known = any(pattern.fullmatch(f"/{path}") for pattern in _pages(folder))
            response = FileResponse(folder / "index.html", 200 if known else 404)
        hashed = path.startswith(f"{ASSETS}/")
        response.headers["Cache-Control"] = IMMUTABLE if hashed else "no-cache"
        return response

    return [Route("/{path:path}", page, methods=["GET"], include_in_schema=False)]

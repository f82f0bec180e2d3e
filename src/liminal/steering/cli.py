"""``liminal artifacts``: what steers this installation, its versions, and changes to it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tomllib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.table import Column, Table

from liminal.identity.authorize import SYSTEM_TENANT
from liminal.log.log import Log
from liminal.settings import load_settings
from liminal.steering.artifacts import ensure_defaults
from liminal.steering.catalogue import ArtifactRow, PatchRow, artifact, artifacts, patch, patches, versions
from liminal.steering.changes import Author, Changes, difference
from liminal.steering.errors import ArtifactInvalid, NoSuchArtifact, NoSuchPatch

app = typer.Typer(
    help="What steers this installation: policies as data, every version of them, and patches.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print plain JSON.")]
Id = Annotated[str, typer.Argument(help="The artifact, as `liminal artifacts list` names it.")]
Tenant = Annotated[str, typer.Option(help="The tenant whose artifact it is; without it, the installation's.")]
PatchId = Annotated[str, typer.Argument(help="The patch; or an artifact that has just one open.")]
Reason = Annotated[str | None, typer.Option(help="Why; the words go to the log.")]


@asynccontextmanager
async def _open() -> AsyncGenerator[Log]:
    async with Log.open(load_settings(), source="liminal/cli") as log:
        await ensure_defaults(log)
        yield log


async def _one(log: Log, tenant: str, artifact_id: str) -> ArtifactRow:
    row = await artifact(log.pool, tenant, artifact_id)
    if row is None:
        raise NoSuchArtifact(f"There is no artifact {artifact_id}; `liminal artifacts list` shows all.")
    return row


async def _meant(log: Log, tenant: str, text: str) -> PatchRow:
    """The patch of an id, or the one that is open to an artifact. Raises NoSuchPatch."""
    with contextlib.suppress(ValueError):
        return await patch(log.pool, UUID(text))
    open_ = [row for row in await patches(log.pool, tenant, text) if row.state in ("proposed", "approved")]
    if len(open_) != 1:
        raise NoSuchPatch(
            f"{text} has {len(open_)} open patches; name one of `liminal artifacts patches {text}`."
        )
    return open_[0]


@app.command("list")
def list_(tenant: Tenant = SYSTEM_TENANT, json: Json = False) -> None:
    """List the artifacts that steer, with their versions and open patches."""

    async def run() -> tuple[list[ArtifactRow], list[PatchRow]]:
        async with _open() as log:
            return await artifacts(log.pool, tenant), await patches(log.pool, tenant)

    rows, proposed = asyncio.run(run())
    open_ = [found for found in proposed if found.state == "proposed"]
    if json:
        _print([_plain(row) for row in rows])
        return
    table = Table("artifact", "version", "changed", "state", "open patches")
    for row in rows:
        state = "archived" if row.archived else "inherited" if row.inherited else "steers"
        count = sum(found.artifact_id == row.id for found in open_)
        table.add_row(row.id, str(row.version), f"{row.updated_at:%Y-%m-%d %H:%M}", state, str(count or ""))
    Console().print(table)


@app.command()
def show(
    id_: Id,
    version: Annotated[int | None, typer.Option(help="An earlier version.")] = None,
    tenant: Tenant = SYSTEM_TENANT,
    history: Annotated[bool, typer.Option("--versions", help="List the versions instead.")] = False,
    json: Json = False,
) -> None:
    """Show an artifact as JSON, or the list of its versions."""

    async def run() -> Any:
        async with _open() as log:
            row = await _one(log, tenant, id_)
            if history:
                return await versions(log.pool, tenant, id_)
            if version is not None:
                return (await Changes(log).version(tenant, id_, version)).body
            return _plain(row) if json else row.body

    found = asyncio.run(run())
    if not history:
        _print(found)
    elif json:
        _print([{name: getattr(row, name) for name in row.__slots__} for row in found])
    else:
        table = Table("version", "how", "by", "when", "why")
        for row in found:
            how = f"{row.origin} to {row.to_version}" if row.to_version else row.origin
            table.add_row(
                str(row.version), how, row.actor, f"{row.created_at:%Y-%m-%d %H:%M}", row.reason or ""
            )
        Console().print(table)


@app.command()
def diff(
    id_: Id,
    one: Annotated[int, typer.Argument(help="A version.")],
    other: Annotated[int | None, typer.Argument(help="Another; without it, the current one.")] = None,
    tenant: Tenant = SYSTEM_TENANT,
) -> None:
    """Show what turns one version into another, as a JSON Patch."""

    async def run() -> list[dict[str, Any]]:
        async with _open() as log:
            changes = Changes(log)
            current = (await _one(log, tenant, id_)).version
            old = await changes.version(tenant, id_, one)
            new = await changes.version(tenant, id_, other or current)
            return difference(old.body, new.body)

    _print(asyncio.run(run()))


@app.command("patch")
def patch_(
    id_: Id,
    file: Annotated[Path, typer.Argument(help="A JSON Patch (RFC 6902); - reads it from standard input.")],
    why: Annotated[str | None, typer.Option(help="The rationale.")] = None,
    tenant: Tenant = SYSTEM_TENANT,
    json: Json = False,
) -> None:
    """Propose a patch: it is validated, tried on past turns, and waits for `approve` or `reject`."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text()

    async def run() -> PatchRow:
        async with _open() as log:
            found = await Changes(log).propose(Author(tenant, "cli"), id_, _parsed(text), why)
            return await _backtested(log, found)

    found = _refusing(run)
    if json:
        _print(_plain_patch(found))
    else:
        typer.echo(f"Patch {found.patch_id} is proposed{_tried(found)}.")
        typer.echo(f"Apply it with: liminal artifacts approve {found.patch_id}")


@app.command("patches")
def list_patches(id_: Id, tenant: Tenant = SYSTEM_TENANT, json: Json = False) -> None:
    """List the patches to an artifact, newest first."""

    async def run() -> list[PatchRow]:
        async with _open() as log:
            return await patches(log.pool, tenant, id_)

    rows = asyncio.run(run())
    if json:
        _print([_plain_patch(row) for row in rows])
        return
    patch_column = Column("patch", no_wrap=True)
    table = Table(patch_column, "state", "against", "past turns", "would differ", "why")
    for row in rows:
        turns, changed = row.backtest_turns, row.backtest_changed
        table.add_row(
            str(row.patch_id),
            row.state,
            str(row.base_version),
            "" if turns is None else str(turns),
            "" if changed is None else str(changed),
            row.rationale or "",
        )
    Console().print(table)


@app.command()
def approve(patch_id: PatchId, tenant: Tenant = SYSTEM_TENANT, json: Json = False) -> None:
    """Approve a patch and apply it to the version as it stands."""

    async def run() -> PatchRow:
        async with _open() as log:
            found = await _backtested(log, await _meant(log, tenant, patch_id))
            return await Changes(log).approve(Author(found.owner, "cli"), found)

    found = _refusing(run)
    if json:
        _print(_plain_patch(found))
    else:
        typer.echo(f"{found.artifact_id} is at version {found.applied_version}.")


@app.command()
def reject(patch_id: PatchId, why: Reason = None, tenant: Tenant = SYSTEM_TENANT, json: Json = False) -> None:
    """Turn a patch down."""

    async def run() -> PatchRow:
        async with _open() as log:
            found = await _meant(log, tenant, patch_id)
            return await Changes(log).reject(Author(found.owner, "cli"), found, why)

    found = _refusing(run)
    if json:
        _print(_plain_patch(found))
    else:
        typer.echo(f"Patch {found.patch_id} is rejected.")


@app.command()
def rollback(
    id_: Id,
    to: Annotated[int, typer.Argument(help="The version whose body comes back.")],
    why: Reason = None,
    tenant: Tenant = SYSTEM_TENANT,
) -> None:
    """Make a new version with the body of an earlier one."""

    async def run() -> ArtifactRow:
        async with _open() as log:
            return await Changes(log).roll_back(Author(tenant, "cli"), id_, to, why)

    row = _refusing(run)
    typer.echo(f"{row.id} is at version {row.version}, as version {to} was.")


@app.command()
def create(
    id_: Id,
    file: Annotated[
        Path | None, typer.Argument(help="Its body, TOML or JSON; without it, what steers now.")
    ] = None,
    tenant: Tenant = SYSTEM_TENANT,
) -> None:
    """Make an artifact: a tenant's own policy, or `policy.routing.shadow`, which only watches."""

    async def run() -> ArtifactRow:
        async with _open() as log:
            changes, author = Changes(log), Author(tenant, "cli")
            body = await changes.starting_body(author, id_) if file is None else read_body(file)
            return await changes.create(author, id_, body)

    row = _refusing(run)
    typer.echo(f"{row.id} is at version {row.version}.")


def _archiving(id_: str, tenant: str, *, archived: bool) -> None:
    async def run() -> ArtifactRow:
        async with _open() as log:
            return await Changes(log).archive(Author(tenant, "cli"), id_, archived=archived)

    row = _refusing(run)
    typer.echo(f"{row.id} {'steers nothing any more' if row.archived else 'steers again'}.")


@app.command()
def archive(id_: Id, tenant: Tenant = SYSTEM_TENANT) -> None:
    """Let an artifact steer nothing any more."""
    _archiving(id_, tenant, archived=True)


@app.command()
def restore(id_: Id, tenant: Tenant = SYSTEM_TENANT) -> None:
    """Let an archived artifact steer again."""
    _archiving(id_, tenant, archived=False)


async def _backtested(log: Log, found: PatchRow) -> PatchRow:
    """The patch, tried on past turns if nobody did yet."""
    # the engine is loaded where a policy compares texts, and nowhere else
    from liminal.engine.embedder import Embedder, default_encoder
    from liminal.replay.backtest import backtest
    from liminal.steering.kinds import BACKTESTED, IDS
    from liminal.storage.blobs import BlobStore

    if IDS[found.artifact_id] not in BACKTESTED:
        return found
    embedder = Embedder(lambda: default_encoder(log.settings.cache / "compiled"))
    return await backtest(log, BlobStore.open(log.settings), embedder, found)


def read_body(file: Path) -> Any:
    """The body in a file, TOML by its name or else JSON. Raises ArtifactInvalid."""
    text = file.read_text()
    if file.suffix != ".toml":
        return _parsed(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ArtifactInvalid(f"{file} is no TOML: {error}", problems=[]) from error


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ArtifactInvalid(f"This is no JSON: {error}", problems=[]) from error


def _refusing(run: Any) -> Any:
    """Run it; of an artifact that does not fit every problem is printed, a line each."""
    try:
        return asyncio.run(run())
    except ArtifactInvalid as error:
        _refuse(error)


def _refuse(error: ArtifactInvalid) -> NoReturn:
    problems = error.details.get("problems") or [{"path": "", "message": error.message}]
    for problem in problems:
        print(f"{problem['path'] or 'liminal'}: {problem['message']}", file=sys.stderr)
    raise typer.Exit(1)


def _tried(found: PatchRow) -> str:
    if found.backtest_turns is None:
        return ""
    return f"; of {found.backtest_turns:,} past turns {found.backtest_changed:,} would have gone otherwise"


def _plain(row: ArtifactRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _plain_patch(row: PatchRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _print(value: Any) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())

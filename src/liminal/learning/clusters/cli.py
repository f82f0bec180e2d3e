"""``liminal learned``: what is known about an account. ``liminal clusters``: evidence, passes, vectors."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from liminal.learning.clusters.clusterings import Clusterings, Scope
from liminal.learning.learned import Learned, LearnedAbout
from liminal.log.log import Log
from liminal.settings import load_settings

Json = Annotated[bool, typer.Option("--json", help="Print plain JSON.")]
Account = Annotated[str, typer.Argument(help="An account's id or e-mail address.")]
Of = Annotated[str | None, typer.Option("--of", help="Only those of this account (id or e-mail) or tenant.")]

_ACCOUNT = """
    SELECT account_id, tenant_id FROM read.accounts WHERE account_id::text = $1 OR lower(email) = lower($1)
"""
_CLUSTERS = """
    SELECT cluster_id, scope, subject, label, label_source, words, size, positive, negative, preferences,
           people, formed_at
    FROM read.clusters WHERE ended IS NULL AND ($1::text IS NULL OR owner_id = $1)
    ORDER BY scope, subject, size DESC, cluster_id
"""

clusters = typer.Typer(
    help="See how evidence gathers, run a pass, make the vectors again.", no_args_is_help=True
)


def learned(account: Account, json: Json = False) -> None:
    """Show what liminal has learned about an account, and what each item rests on."""

    async def run(log: Log) -> LearnedAbout:
        found = await _account(log, account)
        return await Learned(log).about(*found)

    about = _with_log(run)
    if json:
        typer.echo(orjson.dumps(asdict(about), default=str, option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(_tree(account, about))


@clusters.command("list")
def list_(of: Of = None, json: Json = False) -> None:
    """List the living clusters, by account and tenant, largest first."""

    async def run(log: Log) -> list[dict[str, Any]]:
        rows = await log.pool.fetch(_CLUSTERS, await _subject(log, of))
        return [dict(row) for row in rows]

    rows = _with_log(run)
    if json:
        typer.echo(orjson.dumps(rows, default=str, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table("of", "label", "from", "size", "+", "−", "people", "cluster")
    for row in rows:
        table.add_row(
            f"{row['scope']} {row['subject'][:8]}",
            row["label"] or "",
            row["label_source"] or "",
            str(row["size"]),
            str(row["positive"]),
            str(row["negative"]),
            str(row["people"]),
            str(row["cluster_id"]),
        )
    Console().print(table)


@clusters.command()
def runs(
    of: Of = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    json: Json = False,
) -> None:
    """List the passes: when, by which method, what they found."""

    async def run(log: Log) -> list[dict[str, Any]]:
        page = await Clusterings(log).runs(await _subject(log, of), cursor=None, limit=limit)
        return [asdict(row) for row in page.items]

    rows = _with_log(run)
    if json:
        typer.echo(orjson.dumps(rows, default=str, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table("decided", "of", "method", "points", "clusters", "formed", "changed", "ended", "complete")
    for row in rows:
        counts = (str(row[name]) for name in ("points", "clusters", "formed", "changed", "ended"))
        of_whom = f"{row['scope']} {row['subject'][:8]}"
        complete = "yes" if row["completed_at"] else "no"
        table.add_row(f"{row['decided_at']:%F %T}", of_whom, row["algorithm"], *counts, complete)
    Console().print(table)


@clusters.command("run")
def run_(of: Annotated[str, typer.Argument(help="An account (id or e-mail) or a tenant.")]) -> None:
    """Ask for a pass now; the gather reaction runs it."""

    async def run(log: Log) -> None:
        row = await log.pool.fetchrow(_ACCOUNT, of)
        scope: Scope = "tenant" if row is None else "user"
        subject = of if row is None else str(row["account_id"])
        tenant = of if row is None else row["tenant_id"]
        if row is None and not await log.pool.fetchval(
            "SELECT EXISTS (SELECT FROM read.accounts WHERE tenant_id = $1)", of
        ):
            raise typer.BadParameter(f"there is neither an account nor a tenant {of}")
        position = await Clusterings(log).request(scope, subject, tenant, actor="cli", by="system")
        typer.echo(f"asked for at {position}; `liminal clusters runs` shows it")

    _with_log(run)


@clusters.command()
def rebuild(json: Json = False) -> None:
    """Drop every vector and make it again from what is on the log."""
    from liminal.learning.clusters.rebuilding import rebuild_embeddings

    dropped, made = _with_log(rebuild_embeddings)
    if json:
        typer.echo(orjson.dumps({"dropped": dropped, "made": made}).decode())
    else:
        typer.echo(f"{dropped:,} vectors dropped, {made:,} made")


@clusters.command()
def verify(
    of: Of = None,
    limit: Annotated[int, typer.Option(help="How many passes, newest first.")] = 5,
    json: Json = False,
) -> None:
    """Make recorded passes again from the log alone and compare; status 1 when one comes out otherwise."""
    from liminal.learning.clusters.recompute import Recomputed, recompute
    from liminal.learning.clusters.workshop import Workshop
    from liminal.projector.resources import open_resources

    async def run(log: Log) -> list[Recomputed]:
        workshop = Workshop(log.settings)
        try:
            async with open_resources(log.settings) as resources:
                return await recompute(log, resources, workshop, await _subject(log, of), limit)
        finally:
            await workshop.aclose()

    found = _with_log(run)
    if json:
        typer.echo(orjson.dumps([asdict(one) for one in found], default=str).decode())
    for one in [] if json else found:
        said = "the same" if one.same else "OTHERWISE"
        typer.echo(
            f"{one.run_id} {one.scope} {one.subject}: {one.points} points, {one.clusters} clusters: {said}"
        )
    if not all(one.same for one in found):
        raise typer.Exit(1)


def _with_log(work: Any) -> Any:
    async def run() -> Any:
        async with Log.open(load_settings(), source="liminal/cli") as log:
            return await work(log)

    return asyncio.run(run())


async def _account(log: Log, account: str) -> tuple[UUID, str]:
    row = await log.pool.fetchrow(_ACCOUNT, account)
    if row is None:
        raise typer.BadParameter(f"there is no account {account}")
    return row["account_id"], row["tenant_id"]


async def _subject(log: Log, of: str | None) -> str | None:
    row = None if of is None else await log.pool.fetchrow(_ACCOUNT, of)
    return of if row is None else str(row["account_id"])


def _tree(account: str, about: LearnedAbout) -> Tree:
    tree = Tree(f"what liminal has learned about [bold]{account}[/]")
    wishes = tree.add(f"{len(about.preferences)} wishes read from what was written")
    for wish in about.preferences:
        off = "" if wish.active else " [dim](off)[/]"
        item = wishes.add(f"{wish.statement}{off} [dim]{wish.rule}, {wish.confidence:.0%}, {wish.answer}[/]")
        for source in wish.sources[-3:]:
            item.add(f"[dim]{source.kind} {source.id}[/]")
    groups = tree.add(f"{len(about.clusters)} groups of feedback")
    for group in about.clusters:
        groups.add(
            f"{group.label} [dim]({group.label_source})[/]: {group.size} pieces, {group.positive} positive"
        )
    skills = tree.add(f"{len(about.skills)} skills of one's own, {len(about.shared_skills)} shared")
    for skill in (*about.skills, *about.shared_skills):
        adapter = f", adapter {skill.adapter.name}" if skill.adapter else ""
        skills.add(f"{skill.label}: {skill.state}, {skill.size} pieces{adapter}")
    return tree

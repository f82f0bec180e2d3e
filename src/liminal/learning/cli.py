"""``liminal lineage``: which events shaped an answer."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.tree import Tree

from liminal.learning.lineage import Lineage, lineage_of
from liminal.settings import load_settings
from liminal.storage.postgres import connect_pool

app = typer.Typer(help="Show which events shaped an answer.", invoke_without_command=True)


@app.callback()
def lineage(
    message: Annotated[UUID, typer.Argument(help="An answer's message id.")],
    json: Annotated[bool, typer.Option("--json", help="Print plain JSON.")] = False,
) -> None:
    """Print the chain answer → adapter versions and gates → training run → feedback.

    The ids are those of the log: `liminal log inspect` shows any of the events in full.
    """
    chain = asyncio.run(_read(message))
    if json:
        typer.echo(orjson.dumps(chain.as_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        Console().print(_tree(chain))


async def _read(message: UUID) -> Lineage:
    pool = await connect_pool(load_settings(), max_size=2)
    try:
        return await lineage_of(pool, message)
    finally:
        await pool.close()


def _tree(chain: Lineage) -> Tree:
    tree = Tree(f"answer [bold]{chain.message_id}[/] at {chain.position}")
    tree.add(f"model {chain.model}, seed {chain.seed}, policy version {chain.policy_version or '—'}")
    if not chain.adapters:
        tree.add("no adapter took part: the base model alone")
    for adapter in chain.adapters:
        branch = tree.add(f"adapter [bold]{adapter.name}[/] version {adapter.version}, gate {adapter.gate:g}")
        branch.add(f"weights {adapter.content_hash}")
        branch.add(f"training run {adapter.run_id}, data set {adapter.dataset_hash}")
        gate = branch.add("gate passed" if adapter.passed else "gate not passed")
        for figure in adapter.figures:
            gate.add(f"{figure['name']}: {figure['candidate']:.4f} against {figure['baseline']:.4f}")
        feedback = branch.add(f"{len(adapter.feedback)} pieces of feedback")
        for item in adapter.feedback:
            words = (item.text or "").replace("\n", " ")[:70] or (f"{item.value:+d}" if item.value else "")
            feedback.add(f"{item.kind} [dim]{item.feedback_id}[/] {words}")
    return tree

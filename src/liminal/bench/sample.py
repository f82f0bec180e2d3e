"""A file of made-up conversations, as ``liminal log import`` reads it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer

from liminal.bench.progress import progress_bar
from liminal.bench.traffic import Item, Traffic
from liminal.log.envelope import format_time
from liminal.log.ids import new_id
from liminal.log.position import Position
from liminal.log.stored import Stored

SPAN = timedelta(days=30)
"""Over which the events are spread, until yesterday: nobody waits for an answer to them."""
SHOWN = 2000
"""Events between two moves of the bar."""


def sample(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    events: Annotated[int, typer.Option(help="Events in it.")] = 100_000,
    people: Annotated[int, typer.Option(help="People who talk.")] = 200,
    seed: Annotated[int, typer.Option(help="Decides the words and who says them.")] = 1,
) -> None:
    """Write conversations of people who do not exist as JSON lines, for `liminal log import`."""
    traffic = Traffic(people=people, seed=seed)
    items = itertools.chain(traffic.beginnings(), traffic.messages())
    began = datetime.now(UTC) - SPAN - timedelta(days=1)
    with file.open("wb") as out, progress_bar("writing") as bar:
        for number, item in enumerate(itertools.islice(items, events)):
            line = _stored(number, item, began + SPAN * (number / events))
            out.write(orjson.dumps(line.as_dict(), option=orjson.OPT_APPEND_NEWLINE))
            if number % SHOWN == 0:
                bar(number, events)
    typer.echo(f"{events:,} events of {people:,} people in {file}")


def _stored(number: int, item: Item, time: datetime) -> Stored:
    event, meta = item
    return Stored(
        position=Position(0, number),
        id=str(new_id()),
        type=event.type,
        version=event.version,
        time=format_time(time),
        owner=meta.owner,
        tenant=meta.tenant,
        actor=meta.actor,
        stream=meta.stream,
        source="sample",
        causation=None,
        correlation=None,
        expected_version=None,
        data=event.model_dump(mode="json", exclude_none=True),
        sealed=[],
    )

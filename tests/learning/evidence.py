"""People who ask and judge, and whoever gathers their evidence, event by event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from tests.projector.people import Item

from liminal.learning.clusters.gather import TYPES, Gatherer
from liminal.learning.clusters.workshop import Workshop
from liminal.log.decode import Flat
from liminal.log.envelope import Meta
from liminal.log.event import Event
from liminal.log.events import FeedbackGiven, FeedbackWithdrawn, MessagePosted
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.reaction import Delivery
from liminal.log.read import open_reader

CONVERSIONS = (
    "How many kilometres are 26 miles?", "Convert 180 pounds to kilograms",
    "How many inches are 30 centimetres?", "What is 20 degrees Celsius in Fahrenheit?",
    "Convert 5 feet 11 inches to centimetres",
    "How many litres are 3 gallons?", "Convert 60 miles per hour to kilometres per hour",
    "How many grams are 4 ounces?", "How many metres are 100 yards?", "Convert 2 kilograms to pounds",
    "How many miles are 10 kilometres?",
)  # fmt: skip
COOKING = (
    "How long do I boil an egg?", "What goes into a tomato soup?", "How do I bake sourdough bread?",
    "Which herbs fit a roast chicken?", "How long does pasta cook?",
)  # fmt: skip


def an_id(*names: object) -> UUID:
    """The same id for the same names, in every run."""
    return uuid5(NAMESPACE_URL, " ".join(map(str, names)))


@dataclass
class Judge:
    """An owner with a tenant, whose ids are the same in every run."""

    name: str
    tenant: str = "acme"
    asked: int = field(default=0)

    @property
    def id(self) -> UUID:
        """The account."""
        return an_id(self.name)

    def meta(self, stream: str) -> Meta:
        """The envelope of what this person does."""
        return Meta(owner=str(self.id), tenant=self.tenant, actor=str(self.id), stream=stream)

    def exchange(self, question: str, *, edited_from: UUID | None = None) -> list[Item]:
        """A question and its answer."""
        self.asked += 1
        conversation, turn = an_id(self.name, "conversation"), an_id(self.name, "turn", self.asked)
        common: dict[str, Any] = {"conversation_id": conversation, "turn_id": turn}
        asked = MessagePosted(
            **common,
            message_id=self.message("question"),
            role="user",
            content=question,
            edited_from=edited_from,
            parent_id=None if self.asked == 1 else self.message("answer", self.asked - 1),
        )
        answered = MessagePosted(
            **common,
            message_id=self.message("answer"),
            parent_id=self.message("question"),
            role="assistant",
            content=f"An answer to: {question}",
        )
        return [(event, self.meta(f"conversation-{conversation}")) for event in (asked, answered)]

    def message(self, which: Literal["question", "answer"], number: int | None = None) -> UUID:
        """The id of a message."""
        return an_id(self.name, which, number or self.asked)

    def judge(self, kind: str = "thumb", text: str | None = None, value: int | None = 1) -> list[Item]:
        """Feedback on the last answer."""
        feedback_id = an_id(self.name, "feedback", self.asked, kind)
        event = FeedbackGiven.model_validate(
            {
                "feedback_id": feedback_id,
                "conversation_id": an_id(self.name, "conversation"),
                "message_id": self.message("answer"),
                "kind": kind,
                "text": text,
                "value": value if kind == "thumb" else None,
            }
        )
        return [(event, self.meta(f"feedback-{feedback_id}"))]

    def likes(self, questions: Sequence[str], value: int = 1) -> list[Item]:
        """Questions whose answers are judged."""
        return [
            item for question in questions for item in (*self.exchange(question), *self.judge(value=value))
        ]

    def withdraw(self, number: int) -> list[Item]:
        """A thumb is taken back."""
        feedback_id = an_id(self.name, "feedback", number, "thumb")
        return [(FeedbackWithdrawn(feedback_id=feedback_id), self.meta(f"feedback-{feedback_id}"))]


class Killed(BaseException):
    """The process is gone: nothing after this line runs."""


class MortalLog:
    """A log on which a worker can write so many events before it dies."""

    def __init__(self, log: Log, life: int | None) -> None:
        self._log = log
        self.life = life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, event: Event, meta: Meta, expected_version: int | None = None) -> Position:
        self._live()
        return await self._log.append(event, meta, expected_version)

    async def append_many(self, events: Sequence[Item]) -> list[Position]:
        written: list[Position] = []
        for event, meta in events:
            self._live()
            written.append(await self._log.append(event, meta))
        return written

    def _live(self) -> None:
        if self.life is not None:
            if self.life == 0:
                raise Killed
            self.life -= 1


Handle = Callable[[Delivery], Any]


async def react(
    log: Log, handle: Handle, types: Collection[str], start: dict[int, int] | None = None
) -> None:
    """Handle every event of the log from ``start`` on, and those that come of it, until nothing comes."""
    async with open_reader(log.settings) as reader:
        first, at_start = await reader.bounds()
        done = start or first
        while True:
            _, end = await reader.bounds()
            if end == done:
                for partition, offset in end.items():
                    if offset:
                        await log.wait_for(Position(partition, offset - 1))
                return
            events: list[Flat] = []
            async for batch in reader.upto(done, end):
                events += await log.decoder.decode(batch)
            done = end
            for event in events:
                if event["_type"] in types:
                    position = Position(event["_partition"], event["_offset"])
                    again = position.offset < at_start[position.partition]
                    await handle(Delivery(event, position, again, at_start[position.partition]))


@asynccontextmanager
async def gathering(log: Log, workshop: Workshop, life: int | None = None) -> AsyncGenerator[MortalLog]:
    """Gather all there is on the log and all that comes of it, or die after so many events."""
    mortal = MortalLog(log, life)
    gatherer = Gatherer(mortal, workshop)  # pyright: ignore[reportArgumentType]
    try:
        await react(log, gatherer.handle, TYPES)
        yield mortal
    finally:
        await gatherer.aclose()


async def tell(log: Log, *items: Sequence[Item]) -> None:
    """Append what people do, and wait until the read models show it."""
    positions = await log.append_many([item for some in items for item in some])
    newest = {position.partition: position for position in sorted(positions)}
    for position in newest.values():
        await log.wait_for(position)

"""What the benchmarks put onto the log: people who talk, in words of ordinary length, encrypted as ever."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from liminal.log.envelope import Meta
from liminal.log.events import ConversationCreated, Event, MessagePosted
from liminal.log.ids import new_id
from liminal.log.log import Log

Item = tuple[Event, Meta]

CHUNK = 2000
"""Events handed to the log at once."""
WORDS = 20
"""Words of a message: with its envelope an event is then about 900 bytes on the log."""


@dataclass
class Traffic:
    """Endless messages of some people with some conversations each, the same for the same seed.

    Words are drawn from a vocabulary whose frequencies fall as 1/rank, as those of natural text do.
    """

    people: int = 200
    conversations: int = 5
    seed: int = 1
    _dice: random.Random = field(init=False)
    _streams: list[tuple[str, UUID, Meta]] = field(init=False)
    _vocabulary: list[str] = field(init=False)
    _weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        letters = "abcdefghijklmnopqrstuvwxyz"
        sizes = [self._dice.randint(2, 9) for _ in range(20_000)]
        self._vocabulary = ["".join(self._dice.choices(letters, k=size)) for size in sizes]
        self._weights = list(itertools.accumulate(1 / rank for rank in range(2, 20_002)))
        self._streams = []
        for _ in range(self.people):
            owner = str(new_id())
            for _ in range(self.conversations):
                conversation = new_id()
                meta = Meta(owner=owner, tenant="bench", actor=owner, stream=f"conversation-{conversation}")
                self._streams.append((owner, conversation, meta))

    def text(self, words: int = WORDS) -> str:
        """A sentence of so many words."""
        return " ".join(self._dice.choices(self._vocabulary, cum_weights=self._weights, k=words))

    def beginnings(self) -> list[Item]:
        """Every conversation's first event."""
        return [(ConversationCreated(conversation_id=c), meta) for _, c, meta in self._streams]

    def messages(self) -> Iterator[Item]:
        """Messages, each in a conversation drawn at random."""
        while True:
            _, conversation, meta = self._dice.choice(self._streams)
            yield self.message(conversation, meta)

    def message(self, conversation: UUID, meta: Meta) -> Item:
        """One message."""
        event = MessagePosted(
            message_id=new_id(),
            conversation_id=conversation,
            role="user",
            content=self.text(),
            turn_id=new_id(),
            assistant_message_id=new_id(),
        )
        return event, meta


async def fill(log: Log, traffic: Traffic, events: int, on_progress: Callable[[int, int], None]) -> None:
    """Append the conversations' beginnings and then messages until the log has so many events more."""
    items = itertools.chain(traffic.beginnings(), traffic.messages())
    done = 0
    while done < events:
        chunk = list(itertools.islice(items, min(CHUNK, events - done)))
        await log.append_many(chunk)
        done += len(chunk)
        on_progress(done, events)

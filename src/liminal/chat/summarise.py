"""The summarise reaction: the oldest exchanges of a conversation that fills the window become a few words.

It follows answers, asks the model behind everybody who waits for one, and writes a version of the
conversation's ``memory.summary``. An answer that comes before the version is ready is made without it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from pydantic import JsonValue

from liminal.chat.context import ContextMessage, branch_of, exchanges_of, plain
from liminal.chat.summaries import Summary, artifact_of, newest_version, summary_of_branch
from liminal.engine.backend import Backend
from liminal.engine.request import Priority, Request, Sampling
from liminal.log.envelope import Meta
from liminal.log.events import ArtifactArchived, ArtifactCreated, ArtifactPatched, Event
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.reaction import Delivery, Reaction
from liminal.settings import Settings

log = structlog.get_logger(__name__)

NAME = "summarise"
TYPES = frozenset({"message.posted", "conversation.deleted"})
FULL, KEPT = 0.6, 0.3
"""Shares of the window: a turn that took so much begins it, and so much of the newest stays word for word."""
SHORTEST, LONGEST = 32, 512
"""Tokens of a summary: an eighth of the window, within these."""
SHORTER = 12
"""Times that a message too long for the window is halved; a window that holds nothing ends it."""

TASK = (
    "You keep the notes of a conversation. In at most {words} words, write down what later answers need to "
    "know: who the user is, what they want, names, numbers, decisions, and what is still open. "
    "Plain sentences, nothing else."
)


class Summariser:
    """Writes summaries with one backend, one at a time: it takes no more than one of its places."""

    def __init__(self, log_: Log, backend: Backend) -> None:
        self._log = log_
        self._backend = backend
        self._window = backend.context_length
        self._length = min(LONGEST, max(SHORTEST, self._window // 8))
        self._turn = asyncio.Semaphore(1)

    async def handle(self, delivery: Delivery) -> None:
        """Summarise what an answer filled up, or put the summary of a deleted conversation away."""
        event = delivery.event
        deleted = event["_type"] == "conversation.deleted"
        if not deleted and not self._fills(event):
            return
        await self._log.wait_for(
            Position(delivery.position.partition, delivery.log_end - 1)
            if delivery.maybe_seen
            else delivery.position
        )
        if deleted:
            await self._archive(event)
        elif not (delivery.maybe_seen and await self._went_on(event)):
            async with self._turn:
                await self._roll(event)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """The next answer of the conversation tries again; until then the window is cut without a summary."""

    def _fills(self, event: Mapping[str, Any]) -> bool:
        usage = event.get("usage")
        return (
            event["role"] == "assistant"
            and event.get("content") is not None
            and usage is not None
            and usage["prompt_tokens"] + usage["completion_tokens"] >= FULL * self._window
        )

    async def _went_on(self, event: Mapping[str, Any]) -> bool:
        """Whether an answer of the past was followed by a message, whose own answer leads here too."""
        return await self._log.pool.fetchval(
            "SELECT EXISTS (SELECT FROM read.messages WHERE conversation_id = $1 AND parent_id = $2)",
            UUID(event["conversation_id"]),
            UUID(event["message_id"]),
        )

    async def _roll(self, event: Mapping[str, Any]) -> None:
        pool, owner = self._log.pool, event["_owner"]
        conversation_id = UUID(event["conversation_id"])
        if await pool.fetchval(
            "SELECT deleted FROM read.conversations WHERE conversation_id = $1", conversation_id
        ):
            return
        branch = await branch_of(pool, conversation_id, UUID(event["message_id"]))
        version = await newest_version(pool, owner, conversation_id) or 0
        summary = await summary_of_branch(pool, owner, conversation_id, branch, version)
        covered = 0
        if summary is not None:
            covered = next(i for i, message in enumerate(branch, 1) if message.id == summary.through)
        while chunk := await asyncio.to_thread(self._oldest, summary, branch[covered:]):
            text = await self._write(event, summary, chunk)
            if not text:
                return
            covered += len(chunk)
            version += 1
            through = chunk[-1].id
            assert through is not None
            summary = Summary(version, text, through, covered, self._backend.model)
            await self._append(event, summary)

    def _oldest(self, summary: Summary | None, messages: Sequence[ContextMessage]) -> list[ContextMessage]:
        """The exchanges to be told in a few words: all before the newest, as far as one prompt holds them."""
        starts = exchanges_of(messages)[1:]
        if not starts or self._count(messages) <= KEPT * self._window:
            return []
        kept = bisect_left(starts, True, key=lambda i: self._count(messages[i:]) <= KEPT * self._window)
        ends = starts[: kept + 1]
        fitting = bisect_left(ends, True, key=lambda i: not self._fits(summary, messages[:i]))
        return list(messages[: ends[max(fitting - 1, 0)]])

    async def _write(
        self, event: Mapping[str, Any], summary: Summary | None, chunk: Sequence[ContextMessage]
    ) -> str:
        limit = max(len(message.content) for message in chunk)
        for _ in range(SHORTER):
            if self._fits(summary, _shortened(chunk, limit)):
                break
            limit //= 2
        request = Request(
            messages=plain(self._prompt(summary, _shortened(chunk, limit))),
            sampling=Sampling(temperature=0.0, max_tokens=self._length),
            tenant=event["_tenant"],
            owner=event["_owner"],
            priority=Priority.BATCH,
        )
        text = "".join([delta.text async for delta in self._backend.generate(request)])
        text = text.replace("\x00", "").strip()
        if not text:
            log.warning("summary.empty", conversation=event["conversation_id"])
        return text

    def _prompt(self, summary: Summary | None, chunk: Sequence[ContextMessage]) -> list[ContextMessage]:
        said = "\n".join(f"{message.role}: {message.content}" for message in chunk)
        before = f"Your notes so far:\n{summary.text}\n\n" if summary else ""
        return [
            ContextMessage("system", TASK.format(words=self._length * 2 // 3)),
            ContextMessage("user", f"{before}What was said since:\n{said}\n\nYour notes now:"),
        ]

    def _fits(self, summary: Summary | None, chunk: Sequence[ContextMessage]) -> bool:
        return self._count(self._prompt(summary, chunk)) + self._length <= self._window

    def _count(self, messages: Sequence[ContextMessage]) -> int:
        return self._backend.count_tokens(plain(messages)) if messages else 0

    async def _append(self, event: Mapping[str, Any], summary: Summary) -> None:
        artifact_id = artifact_of(UUID(event["conversation_id"]))
        told: dict[str, JsonValue] = {
            "through": str(summary.through),
            "messages": summary.messages,
            "model": summary.model,
            "text": summary.text,
        }
        body: JsonValue = {"conversation_id": event["conversation_id"], **told}
        made: Event
        if summary.version == 1:
            made = ArtifactCreated(
                artifact_id=artifact_id,
                artifact_version=1,
                body=body,
                kind="memory.summary",
                name="What was said before",
            )
        else:
            made = ArtifactPatched(
                artifact_id=artifact_id,
                artifact_version=summary.version,
                body=body,
                operations=[
                    {"op": "replace", "path": f"/{name}", "value": value} for name, value in told.items()
                ],
                by="system",
            )
        meta = _meta(event, f"artifact-{artifact_id}", f"summary {summary.version}")
        await self._log.append(made, meta, expected_version=summary.version - 1)

    async def _archive(self, event: Mapping[str, Any]) -> None:
        conversation_id = UUID(event["conversation_id"])
        if await newest_version(self._log.pool, event["_owner"], conversation_id) is None:
            return
        artifact_id = artifact_of(conversation_id)
        archived = ArtifactArchived(artifact_id=artifact_id, by="system")
        await self._log.append(archived, _meta(event, f"artifact-{artifact_id}", "archived"))


def summarise_reaction(_settings: Settings, log_: Log, backend: Backend) -> Reaction:
    """The reaction, for the table of those that need the model."""
    summariser = Summariser(log_, backend)
    return Reaction(
        NAME,
        types=TYPES,
        handle=summariser.handle,
        order_by=lambda event: str(event["conversation_id"]),
        decode=log_.decoder.decode,
        given_up=summariser.given_up,
    )


def _shortened(messages: Sequence[ContextMessage], limit: int) -> list[ContextMessage]:
    """The messages, with the middle left out of each that is longer than ``limit`` characters."""

    def short(text: str) -> str:
        half = limit // 2
        return text if len(text) <= limit else f"{text[:half]} … {text[len(text) - half :]}"

    return [ContextMessage(message.role, short(message.content)) for message in messages]


def _meta(event: Mapping[str, Any], stream: str, name: str) -> Meta:
    correlation = event.get("_correlation")
    return Meta(
        owner=event["_owner"],
        tenant=event["_tenant"],
        actor=NAME,
        stream=stream,
        causation=UUID(event["_id"]),
        correlation=UUID(correlation) if correlation else None,
        id=derived_id(UUID(event["_id"]), name),
    )

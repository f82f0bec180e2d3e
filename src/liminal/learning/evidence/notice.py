"""The notice reaction: a wish in what somebody writes or does becomes ``preference.detected``.

One wish of one person is one preference however often it is said; every sign of it is an event of its own,
with an id that follows from the message, so that the same words are never news.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from liminal.learning.evidence.wishes import Wish, WishTable, wish_table
from liminal.log.envelope import Meta
from liminal.log.events import Event, PreferenceDetected
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.reaction import Delivery, Reaction

NAME = "notice"
TYPES = frozenset({"message.posted", "turn.requested", "feedback.given", "feedback.changed"})
REMARKS: frozenset[str] = frozenset({"note", "always", "never"})
"""Feedback in words about an answer; a correction is an answer, in which nobody speaks to liminal."""

_EDITED = "SELECT content FROM read.messages WHERE message_id = $1 AND owner_id = $2"
_KIND = "SELECT kind, message_id, conversation_id FROM read.feedback WHERE feedback_id = $1"
_MAY_LEARN = """
    SELECT coalesce((settings ->> 'learn_from_feedback')::boolean, true) FROM read.settings
    WHERE scope = 'account' AND subject = $1
"""
_SEEN = "SELECT event_id FROM read.preference_signs WHERE event_id = ANY($1::uuid[])"


class Noticer:
    """Reads wishes from events."""

    def __init__(self, log: Log, table: WishTable | None = None) -> None:
        self._log = log
        self._table = table or wish_table()

    async def handle(self, delivery: Delivery) -> None:
        """Append what one event tells of its owner's wishes."""
        event = delivery.event
        read = await self._read(delivery)
        if not read or not await self._may_learn(delivery):
            return
        wishes, place, evidence = read
        events = [self._detected(event, wish, place, evidence) for wish in wishes]
        for detected, meta in await self._news(delivery, events):
            await self._log.append(detected, meta)

    async def _may_learn(self, delivery: Delivery) -> bool:
        """Whether the person lets liminal learn from what they do."""
        await self._log.wait_for(delivery.position, "settings")
        found = await self._log.pool.fetchval(_MAY_LEARN, delivery.event["_owner"])
        return found is None or bool(found)

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """A message that can't be read tells nothing; the reaction has logged the error."""

    async def _read(
        self, delivery: Delivery
    ) -> tuple[Sequence[Wish], Mapping[str, Any], Sequence[UUID]] | None:
        """Wishes, the place they were read at, and what they rest on; None where there are none."""
        event = delivery.event
        match event["_type"]:
            case "turn.requested":
                if event["kind"] != "regenerate" or event.get("regenerated_from") is None:
                    return None
                place = {**event, "message_id": event["regenerated_from"]}
                return [self._table.acts["regenerate"]], place, [UUID(event["regenerated_from"])]
            case "message.posted":
                wishes = await self._in_message(delivery)
                return (wishes, event, [UUID(event["message_id"])]) if wishes else None
            case _:
                return await self._in_feedback(delivery)

    async def _in_message(self, delivery: Delivery) -> list[Wish]:
        event = delivery.event
        if event["role"] != "user" or not event.get("content"):
            return []
        before: str | None = None
        if event.get("edited_from"):
            await self._log.wait_for(delivery.position, "conversations")
            owner = UUID(event["_owner"])
            before = await self._log.pool.fetchval(_EDITED, UUID(event["edited_from"]), owner)
        follow_up = event.get("parent_id") is not None or before is not None
        wishes = self._table.read(event["content"], follow_up=follow_up, before=before)
        return wishes or ([self._table.acts["edit"]] if before is not None else [])

    async def _in_feedback(
        self, delivery: Delivery
    ) -> tuple[Sequence[Wish], Mapping[str, Any], Sequence[UUID]] | None:
        event, place = delivery.event, delivery.event
        if not event.get("text"):
            return None
        if event["_type"] == "feedback.changed":
            await self._log.wait_for(delivery.position, "feedback")
            row = await self._log.pool.fetchrow(_KIND, UUID(event["feedback_id"]))
            if row is None:
                return None
            place = dict(row)
        if place["kind"] not in REMARKS:
            return None
        wishes = self._table.read(event["text"], follow_up=True)
        return (wishes, place, [UUID(event["feedback_id"])]) if wishes else None

    def _detected(
        self, event: Mapping[str, Any], wish: Wish, place: Mapping[str, Any], evidence: Sequence[UUID]
    ) -> tuple[Event, Meta]:
        cause = UUID(event["_id"])
        preference_id = derived_id(UUID(event["_owner"]), f"preference {wish.name}")
        detected = PreferenceDetected(
            preference_id=preference_id,
            conversation_id=place["conversation_id"],
            message_id=place["message_id"],
            statement=wish.statement,
            dimension=wish.dimension,
            value=wish.value,
            polarity=wish.polarity,
            detector="rule",
            rule=wish.rule,
            confidence=wish.confidence,
            evidence=list(evidence),
        )
        meta = Meta(
            owner=event["_owner"],
            tenant=event["_tenant"],
            actor=NAME,
            stream=f"preference-{preference_id}",
            causation=cause,
            correlation=UUID(event["_correlation"]) if event["_correlation"] else None,
            id=derived_id(cause, f"preference {wish.name}"),
        )
        return detected, meta

    async def _news(
        self, delivery: Delivery, events: Sequence[tuple[Event, Meta]]
    ) -> Sequence[tuple[Event, Meta]]:
        """Those that no worker before this one has written."""
        if not delivery.maybe_seen:
            return events
        await self._log.wait_for(Position(delivery.position.partition, delivery.log_end - 1), "preferences")
        rows = await self._log.pool.fetch(_SEEN, [meta.id for _, meta in events])
        seen = {row["event_id"] for row in rows}
        return [(event, meta) for event, meta in events if meta.id not in seen]


def notice_reaction(log: Log) -> Reaction:
    """The reaction, to be run alone or beside others."""
    noticer = Noticer(log)
    return Reaction(
        NAME,
        types=TYPES,
        handle=noticer.handle,
        order_by=lambda event: str(event["_owner"]),
        decode=log.decoder.decode,
        given_up=noticer.given_up,
    )

"""The label reaction: the model names what so far is called by its most typical words.

It runs where the model is loaded (liminal.chat.engine_reactions), follows ``cluster.labelled`` from words,
and says nothing when what the model writes is no label: the words stay. A label for a whole tenant is asked
for with words alone that several people wrote, and may use no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from liminal.engine.backend import Backend
from liminal.engine.request import Priority, Request, Sampling
from liminal.learning.clusters.labels import checked_label, content_words
from liminal.log.envelope import Meta
from liminal.log.events import ClusterLabelled
from liminal.log.ids import derived_id
from liminal.log.log import Log
from liminal.log.position import Position
from liminal.log.reaction import Delivery, Reaction
from liminal.settings import Settings

log = structlog.get_logger(__name__)

NAME = "label"
TYPES = frozenset({"cluster.labelled"})
TASK = "Give these messages a short label:"
"""One of the forms that the bundled model was taught (liminal.engine.bundled.labels)."""
SHOWN = 5
"""Members that the model is shown, the nearest to the middle of their words."""
LONGEST = 160
"""Characters of one of them."""
TOKENS = 24

_CLUSTER = """
    SELECT scope, label_source, words, ended FROM read.clusters WHERE cluster_id = $1
"""
_MEMBERS = """
    SELECT coalesce(f.text, q.content, p.statement) AS text FROM read.cluster_members m
    LEFT JOIN read.messages a ON a.message_id = m.message_id
    LEFT JOIN read.messages q
        ON q.message_id = CASE WHEN a.role = 'user' THEN a.message_id ELSE a.parent_id END
    LEFT JOIN read.feedback f ON f.feedback_id = m.feedback_id AND f.kind IN ('note', 'always', 'never')
    LEFT JOIN read.preferences p ON p.preference_id = m.feedback_id
    WHERE m.cluster_id = $1 AND coalesce(f.text, q.content, p.statement) IS NOT NULL
    ORDER BY m.since, m.feedback_id
"""


class Labeller:
    """Names clusters with one backend."""

    def __init__(self, log_: Log, backend: Backend) -> None:
        self._log = log_
        self._backend = backend

    async def handle(self, delivery: Delivery) -> None:
        """Name one cluster, unless it has another name by now."""
        event = delivery.event
        if event["source"] != "words" or not event.get("words"):
            return
        last = delivery.log_end - 1 if delivery.maybe_seen else delivery.position.offset
        await self._log.wait_for(Position(delivery.position.partition, last), "clusters")
        cluster_id = UUID(event["cluster_id"])
        row = await self._log.pool.fetchrow(_CLUSTER, cluster_id)
        words: list[str] = [word for word in event["words"] if word]
        if row is None or row["ended"] or row["label_source"] != "words" or row["words"] != words:
            return
        if row["scope"] == "tenant":
            shown, known = words, words
        else:
            texts = [one["text"] for one in await self._log.pool.fetch(_MEMBERS, cluster_id)]
            shown, known = nearest_texts(texts, words), [w for text in texts for w in content_words(text)]
        only = words if row["scope"] == "tenant" else None
        label = checked_label(await self._ask(event, shown), known, only=only)
        if label is None:
            log.info("label.words_stay", cluster=str(cluster_id))
            return
        await self._say(
            event, ClusterLabelled(cluster_id=cluster_id, label=label, source="model", words=words)
        )

    async def given_up(self, delivery: Delivery, error: Exception) -> None:
        """The words stay; the reaction has logged the error."""

    async def _ask(self, event: Mapping[str, Any], texts: Sequence[str]) -> str:
        """What the model says of as many of the texts as its window holds."""
        messages = [_asked(texts)]
        while len(texts) > 1 and self._backend.count_tokens(messages) + TOKENS > self._backend.context_length:
            texts = texts[:-1]
            messages = [_asked(texts)]
        request = Request(
            messages=messages,
            sampling=Sampling(temperature=0.0, seed=0, max_tokens=TOKENS),
            tenant=event["_tenant"],
            owner=event["_owner"],
            priority=Priority.BATCH,
        )
        said = [delta.text async for delta in self._backend.generate(request)]
        return "".join(said).replace("\x00", "")

    async def _say(self, event: Mapping[str, Any], labelled: ClusterLabelled) -> None:
        cause = UUID(event["_id"])
        meta = Meta(
            owner=event["_owner"],
            tenant=event["_tenant"],
            actor=NAME,
            stream=event["_stream"],
            causation=cause,
            correlation=UUID(event["_correlation"]) if event["_correlation"] else None,
            id=derived_id(cause, "model label"),
        )
        await self._log.append(labelled, meta)


def _asked(texts: Sequence[str]) -> dict[str, str]:
    return {"role": "user", "content": "\n".join([TASK, *(f"- {text}" for text in texts)])}


def nearest_texts(texts: Sequence[str], words: Sequence[str]) -> list[str]:
    """The texts that hold most of the typical words, each once, cut to a line."""
    lines = list(dict.fromkeys(" ".join(text.split())[:LONGEST] for text in texts))
    typical = set(words)
    return sorted(lines, key=lambda line: -len(typical & set(content_words(line))))[:SHOWN]


def label_reaction(settings: Settings, log_: Log, backend: Backend) -> Reaction:
    """The reaction, beside others that share the backend."""
    labeller = Labeller(log_, backend)
    return Reaction(
        NAME,
        types=TYPES,
        handle=labeller.handle,
        order_by=lambda event: str(event["cluster_id"]),
        decode=log_.decoder.decode,
        given_up=labeller.given_up,
        in_flight=4,
    )

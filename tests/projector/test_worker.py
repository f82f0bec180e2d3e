"""The loop on a real broker and a real Postgres."""

from __future__ import annotations

from liminal.log.ids import new_id
from liminal.log.log import Log
from liminal.projector.worker import Worker
from tests.projector.people import Person


async def test_what_is_appended_is_visible_once_it_was_waited_for(log: Log, worker: Worker) -> None:
    ada, conversation = Person(), new_id()
    event, meta = ada.say(conversation, "good morning")
    await log.append(*ada.begin(conversation, "first words"))
    position = await log.append(event, meta)
    await log.wait_for(position)
    row = await log.pool.fetchrow(
        "SELECT c.title, c.message_count, m.content, m.owner_id FROM read.conversations c "
        "JOIN read.messages m USING (conversation_id) WHERE conversation_id = $1",
        conversation,
    )
    assert row is not None
    assert tuple(row) == ("first words", 1, "good morning", ada.id)

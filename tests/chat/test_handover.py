"""A worker that dies in the middle of an answer is replaced without a seam.

This file comes before those that share a worker, which would take the turn over at once.
"""

from __future__ import annotations

import uuid

from tests.api.installation import Person
from tests.chat.conftest import Chat
from tests.chat.test_turns import LONG, in_turn, text_of

from liminal.log.read import Filter, open_reader


async def test_kill_9_of_the_worker_in_mid_answer_leaves_one_whole_answer_on_the_log(
    chat: Chat, person: Person
) -> None:
    async with chat.worker() as first, chat.socket(person) as client:
        await client.command("send", client_id=str(uuid.uuid4()), content="a long story", options=LONG)
        frames = await client.until("token")
        first.kill()
        first.wait()
        async with chat.worker():
            frames += await client.until("message_done")
    assert in_turn(frames) == list(range(1, len(frames)))
    assert text_of(frames) == frames[-1]["message"]["content"]
    assert frames[-1]["message"]["trace"]["attempt"] >= 2
    async with open_reader(chat.installation.settings) as reader:
        start, end = await reader.bounds()
        answers = [
            record
            async for batch in reader.upto(start, end)
            for record in batch
            if Filter(stream=f"turn-{frames[0]['turn_id']}").wants(record)
            and dict(record.headers)["ce_type"] == b"message.posted"
        ]
    assert len(answers) == 1

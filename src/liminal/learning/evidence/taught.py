"""What feedback teaches, read from the read models: lessons of an account, or of the members of a skill."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from liminal.chat.context import branch_of
from liminal.learning.evidence.lessons import Kind, Lesson
from liminal.learning.training.pausing import unwilling_among
from liminal.storage.postgres import Pool

MOST = 400
"""Pieces of feedback that are looked at, the newest first: one account's flood costs no more than this."""
SHARE = 0.5
"""Largest share that one account may have in what a tenant's adapter learns."""

_JUDGED = """
    SELECT f.feedback_id, f.kind, f.value, f.text, f.updated_at, f.owner_id, f.conversation_id, f.message_id,
           m.parent_id, m.content, m.regenerated_from
    FROM read.feedback f
    JOIN read.messages m ON m.message_id = f.message_id
    JOIN read.conversations c ON c.conversation_id = f.conversation_id
    WHERE NOT f.withdrawn AND NOT c.deleted AND m.role = 'assistant' AND m.parent_id IS NOT NULL
      AND m.content IS NOT NULL
      AND (f.kind = 'correction' AND f.text IS NOT NULL OR f.kind = 'thumb' AND f.value IS NOT NULL)
"""
_OF_OWNER = _JUDGED + " AND f.owner_id = $1 ORDER BY f.updated_at DESC, f.feedback_id DESC LIMIT $2"
_AMONG = (
    _JUDGED + " AND f.feedback_id = ANY($1::uuid[]) ORDER BY f.updated_at DESC, f.feedback_id DESC LIMIT $2"
)
_SAID = "SELECT message_id, content FROM read.messages WHERE message_id = ANY($1::uuid[])"
_VALID = """
    SELECT f.feedback_id FROM read.feedback f
    JOIN read.conversations c ON c.conversation_id = f.conversation_id
    WHERE f.feedback_id = ANY($1::uuid[]) AND NOT f.withdrawn AND NOT c.deleted
"""


async def lessons_of_account(pool: Pool, owner: UUID) -> list[Lesson]:
    """What an account's feedback teaches now, oldest first."""
    return await _lessons(pool, await pool.fetch(_OF_OWNER, owner, MOST))


async def lessons_among(pool: Pool, feedback: Collection[UUID], *, of_many: bool) -> list[Lesson]:
    """What these pieces of feedback teach, oldest first.

    ``of_many``: they are several people's, of whom none may have more than SHARE of the lessons, and who
    does not want to be learned from has none.
    """
    lessons = await _lessons(pool, await pool.fetch(_AMONG, list(feedback), MOST))
    if not of_many:
        return lessons
    unwilling = await unwilling_among(pool, {lesson.owner for lesson in lessons})
    return _shared([lesson for lesson in lessons if lesson.owner not in unwilling])


async def gone_among(pool: Pool, feedback: Collection[UUID]) -> set[UUID]:
    """Those of these pieces that were withdrawn, or went with their conversation or account."""
    valid = {row["feedback_id"] for row in await pool.fetch(_VALID, list(feedback))}
    return {item for item in feedback if item not in valid}


async def _lessons(pool: Pool, rows: Sequence[Record]) -> list[Lesson]:
    """One lesson a question where answers were compared, else one an answer."""
    by_message: dict[UUID, list[Record]] = defaultdict(list)
    for row in reversed(rows):
        by_message[row["message_id"]].append(row)
    by_question: dict[UUID, list[list[Record]]] = defaultdict(list)
    for judged in by_message.values():
        by_question[judged[0]["parent_id"]].append(judged)
    replaced = [row["regenerated_from"] for row in rows if row["regenerated_from"]]
    said = {row["message_id"]: row["content"] for row in await pool.fetch(_SAID, replaced)}
    lessons: list[Lesson] = []
    for question, answers in by_question.items():
        first = answers[0][0]
        branch = await branch_of(pool, first["conversation_id"], question)
        if branch:
            prompt = [{"role": message.role, "content": message.content} for message in branch]
            lessons += _of_question(prompt, answers, said)
    return sorted(lessons, key=lambda lesson: (lesson.at, lesson.id))


def _of_question(
    prompt: list[dict[str, str]], answers: Sequence[list[Record]], said: Mapping[UUID, str | None]
) -> list[Lesson]:
    corrected = [row for judged in answers for row in judged if row["kind"] == "correction"]
    if corrected:
        # what somebody wrote themselves says more than any thumb beside it
        return [_lesson(row, prompt, "corrected", row["text"], row["content"]) for row in corrected[-1:]]
    liked = [judged[-1] for judged in answers if judged[-1]["value"] == 1]
    disliked = [judged[-1] for judged in answers if judged[-1]["value"] == -1]
    if not liked:
        return [_lesson(row, prompt, "disliked", None, row["content"]) for row in disliked[-1:]]
    best = liked[-1]
    if disliked:
        return [_lesson(best, prompt, "preferred", best["content"], disliked[-1]["content"], disliked[-1])]
    # asked again, and then content: the answer before was not what was wanted
    before = said.get(best["regenerated_from"])
    return [_lesson(best, prompt, "preferred" if before else "liked", best["content"], before)]


def _lesson(
    row: Record,
    prompt: list[dict[str, str]],
    kind: Kind,
    wanted: str | None,
    unwanted: str | None,
    other: Record | None = None,
) -> Lesson:
    same = wanted is not None and unwanted is not None and wanted.strip() == unwanted.strip()
    ids: list[Any] = [row["feedback_id"], *([other["feedback_id"]] if other is not None else [])]
    return Lesson(
        # asyncpg's UUIDs are of a class of their own, which orjson knows not
        tuple(UUID(bytes=item.bytes) for item in ids),
        UUID(bytes=row["owner_id"].bytes),
        UUID(bytes=row["conversation_id"].bytes),
        row["updated_at"].isoformat(),
        "liked" if same else kind,
        prompt,
        wanted,
        None if same else unwanted,
    )


def _shared(lessons: Sequence[Lesson]) -> list[Lesson]:
    """The newest of each account, so that none has more than its share; nothing of one person alone."""
    count = Counter(lesson.owner for lesson in lessons)
    if len(count) < 2:
        return []
    largest = count.most_common(1)[0]
    others = len(lessons) - largest[1]
    room = dict(count)
    room[largest[0]] = min(largest[1], max(1, int(others * SHARE / (1 - SHARE))))
    kept: list[Lesson] = []
    for lesson in reversed(lessons):
        if room[lesson.owner] > 0:
            room[lesson.owner] -= 1
            kept.append(lesson)
    return kept[::-1]

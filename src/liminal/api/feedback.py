"""/v1/feedback: thumbs, corrections, always/never rules and notes on messages."""

from __future__ import annotations

from liminal.api.call import Call
from liminal.api.conversation_views import (
    Feedback,
    FeedbackPage,
    FeedbackPatch,
    FeedbackQuery,
    NewFeedback,
    Thumb,
)
from liminal.api.endpoint import Noun
from liminal.chat.conversations import MessageRow
from liminal.chat.feedback import FeedbackRow

feedback = Noun("feedback")


def feedback_view(row: FeedbackRow) -> Feedback:
    """Feedback as the one who gave it sees it."""
    return Feedback.model_validate(
        {
            "id": row.id,
            "message_id": row.message_id,
            "conversation_id": row.conversation_id,
            "kind": row.kind,
            "value": row.value,
            "text": row.text,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }
    )


async def _message_of_path(call: Call) -> MessageRow:
    return await call.services.conversations.message(call.id)


async def _feedback_of_path(call: Call) -> FeedbackRow:
    return await call.services.feedback.get(call.id)


@feedback.route(
    "POST",
    "/v1/messages/{id:uuid}/feedback",
    action="feedback.give",
    resource=_message_of_path,
    reply=Feedback,
    status=201,
    errors=(404,),
)
async def give_feedback(call: Call, json: NewFeedback, resource: MessageRow) -> Feedback:
    """Say something about a message: a thumb, a corrected answer, a rule or a note.

    A second thumb or correction by the same account on the same message replaces the first.
    """
    given = json.root
    value = given.value if isinstance(given, Thumb) else None
    text = None if isinstance(given, Thumb) else given.text
    row = await call.services.feedback.give(call.actor, resource, given.kind, value=value, text=text)
    return feedback_view(row)


@feedback.route(
    "PATCH",
    "/v1/feedback/{id:uuid}",
    action="feedback.change",
    resource=_feedback_of_path,
    reply=Feedback,
    errors=(404,),
)
async def change_feedback(call: Call, json: FeedbackPatch, resource: FeedbackRow) -> Feedback:
    """Change a thumb's value or the words of the other kinds."""
    row = await call.services.feedback.change(call.actor, resource, value=json.value, text=json.text)
    return feedback_view(row)


@feedback.route(
    "DELETE",
    "/v1/feedback/{id:uuid}",
    action="feedback.withdraw",
    resource=_feedback_of_path,
    errors=(404,),
)
async def withdraw_feedback(call: Call, resource: FeedbackRow) -> None:
    """Take feedback back; nothing is learned from it any more."""
    await call.services.feedback.withdraw(call.actor, resource)


@feedback.route("GET", "/v1/feedback", action="feedback.list", reply=FeedbackPage)
async def list_feedback(call: Call, query: FeedbackQuery) -> FeedbackPage:
    """The caller's feedback, newest first."""
    page = await call.services.feedback.list(
        call.actor.account_id,
        message_id=query.message_id,
        conversation_id=query.conversation_id,
        cursor=query.cursor,
        limit=query.limit,
    )
    return FeedbackPage(items=[feedback_view(row) for row in page.items], next_cursor=page.next_cursor)

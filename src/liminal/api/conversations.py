"""/v1/conversations: create, list, search, rename, archive, delete, and their messages."""

from __future__ import annotations

from liminal.api.call import Call
from liminal.api.conversation_views import (
    Conversation,
    ConversationPage,
    ConversationPatch,
    ConversationQuery,
    Message,
    MessagePage,
    MessageQuery,
    NewConversation,
    SearchHit,
    SearchPage,
    SearchQuery,
    Summary,
    SummaryPage,
)
from liminal.api.endpoint import Noun
from liminal.api.feedback import feedback_view
from liminal.api.schema import PageQuery
from liminal.chat.conversations import ConversationRow, MessageRow

conversations = Noun("conversations")


def conversation_view(row: ConversationRow) -> Conversation:
    """A conversation as its owner sees it."""
    return Conversation(
        id=row.id,
        title=row.title,
        archived=row.archived,
        created_at=row.created_at,
        last_message_at=row.last_message_at,
        message_count=row.message_count,
    )


def message_view(row: MessageRow) -> Message:
    """A message as the owner of its conversation sees it."""
    return Message.model_validate(
        {
            "id": row.id,
            "parent_id": row.parent_id,
            "role": row.role,
            "content": row.content,
            "turn_id": row.turn_id,
            "created_at": row.created_at,
            "status": row.status,
            "sibling_ids": row.sibling_ids,
            "feedback": [feedback_view(item) for item in row.feedback],
            "trace": row.trace,
            "citations": row.citations,
            "usage": row.usage,
        }
    )


async def conversation_of_path(call: Call) -> ConversationRow:
    """The conversation that ``{id}`` names."""
    return await call.services.conversations.get(call.id)


@conversations.route("GET", "/v1/conversations", action="conversation.list", reply=ConversationPage)
async def list_conversations(call: Call, query: ConversationQuery) -> ConversationPage:
    """The caller's conversations, newest activity first."""
    page = await call.services.conversations.list(
        call.actor.account_id, archived=query.archived, cursor=query.cursor, limit=query.limit
    )
    return ConversationPage(
        items=[conversation_view(row) for row in page.items], next_cursor=page.next_cursor
    )


@conversations.route("GET", "/v1/conversations/search", action="conversation.search", reply=SearchPage)
async def search_conversations(call: Call, query: SearchQuery) -> SearchPage:
    """Find messages by their words."""
    page = await call.services.conversations.search(
        call.actor.account_id, query.q, cursor=query.cursor, limit=query.limit
    )
    return SearchPage(
        items=[
            SearchHit(
                conversation_id=hit.conversation_id,
                message_id=hit.message_id,
                title=hit.title,
                snippet=hit.snippet,
                created_at=hit.created_at,
            )
            for hit in page.items
        ],
        next_cursor=page.next_cursor,
    )


@conversations.route(
    "POST", "/v1/conversations", action="conversation.create", reply=Conversation, status=201
)
async def create_conversation(call: Call, json: NewConversation) -> Conversation:
    """Begin an empty conversation."""
    return conversation_view(await call.services.conversations.create(call.actor, json.title))


@conversations.route(
    "GET",
    "/v1/conversations/{id:uuid}",
    action="conversation.read",
    resource=conversation_of_path,
    reply=Conversation,
    errors=(404,),
)
async def get_conversation(call: Call, resource: ConversationRow) -> Conversation:
    """One conversation, without its messages."""
    return conversation_view(resource)


@conversations.route(
    "PATCH",
    "/v1/conversations/{id:uuid}",
    action="conversation.change",
    resource=conversation_of_path,
    reply=Conversation,
    errors=(404,),
)
async def change_conversation(call: Call, json: ConversationPatch, resource: ConversationRow) -> Conversation:
    """Rename a conversation, archive it, or fetch it back."""
    row = await call.services.conversations.change(
        call.actor, resource, title=json.title, archived=json.archived
    )
    return conversation_view(row)


@conversations.route(
    "DELETE",
    "/v1/conversations/{id:uuid}",
    action="conversation.delete",
    resource=conversation_of_path,
    errors=(404,),
)
async def delete_conversation(call: Call, resource: ConversationRow) -> None:
    """Delete a conversation with all its branches from every list and search."""
    await call.services.conversations.delete(call.actor, resource)


@conversations.route(
    "GET",
    "/v1/conversations/{id:uuid}/messages",
    action="conversation.read",
    resource=conversation_of_path,
    reply=MessagePage,
    errors=(404,),
)
async def list_messages(call: Call, query: MessageQuery, resource: ConversationRow) -> MessagePage:
    """The messages of all branches, in the order in which they were posted."""
    page = await call.services.conversations.messages(
        resource.id, call.actor.account_id, cursor=query.cursor, limit=query.limit
    )
    return MessagePage(items=[message_view(row) for row in page.items], next_cursor=page.next_cursor)


@conversations.route(
    "GET",
    "/v1/conversations/{id:uuid}/summaries",
    action="conversation.read",
    resource=conversation_of_path,
    reply=SummaryPage,
    errors=(404,),
)
async def list_summaries(call: Call, query: PageQuery, resource: ConversationRow) -> SummaryPage:
    """What the model noted of the messages that no longer fit its window; empty while all of them do."""
    page = await call.services.conversations.summaries(resource, cursor=query.cursor, limit=query.limit)
    return SummaryPage(
        items=[Summary.model_validate(row, from_attributes=True) for row in page.items],
        next_cursor=page.next_cursor,
    )

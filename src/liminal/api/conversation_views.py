"""Bodies and replies of conversations, messages and feedback."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, RootModel, model_validator

from liminal.api.schema import Body, Page, PageQuery, View
from liminal.log.events import Trace, Usage

_CONVERSATION: dict[str, JsonValue] = {
    "id": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f",
    "title": "Tea without a kettle",
    "archived": False,
    "created_at": "2026-11-23T17:00:00Z",
    "last_message_at": "2026-11-23T17:04:12Z",
    "message_count": 4,
}


class NewConversation(Body):
    """An empty conversation; a message sent without one makes it too."""

    title: str | None = Field(default=None, max_length=200, examples=["Tea without a kettle"])


class ConversationPatch(Body):
    """What to change; absent fields stay."""

    title: str | None = Field(default=None, min_length=1, max_length=200)
    archived: bool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> ConversationPatch:
        if self.title is None and self.archived is None:
            raise ValueError("name a title, archived, or both")
        return self


class ConversationQuery(PageQuery):
    """Which conversations to list, newest activity first."""

    archived: bool = False


class SearchQuery(PageQuery):
    """Words to find; quotes keep a phrase together, a minus excludes."""

    q: str = Field(min_length=1, max_length=500)


class Conversation(View):
    """A conversation without its messages."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CONVERSATION]})

    id: UUID
    title: str | None
    archived: bool
    created_at: datetime
    last_message_at: datetime | None
    message_count: int


class ConversationPage(Page[Conversation]):
    """Conversations, newest activity first."""


class SearchHit(View):
    """A message that matches; in ``snippet`` the characters U+0002 and U+0003 enclose each match."""

    conversation_id: UUID
    message_id: UUID
    title: str | None
    snippet: str
    created_at: datetime


class SearchPage(Page[SearchHit]):
    """Matches, best first."""


class Feedback(View):
    """What somebody said about a message: a thumb (``value``) or words (``text``)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e60",
                    "message_id": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e61",
                    "conversation_id": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e5f",
                    "kind": "always",
                    "value": None,
                    "text": "Give amounts in grams.",
                    "created_at": "2026-11-23T17:05:00Z",
                    "updated_at": "2026-11-23T17:05:00Z",
                }
            ]
        }
    )

    id: UUID
    message_id: UUID
    conversation_id: UUID
    kind: Literal["thumb", "correction", "always", "never", "note"]
    value: Literal[-1, 1] | None
    text: str | None
    created_at: datetime
    updated_at: datetime


class FeedbackPage(Page[Feedback]):
    """Feedback, newest first."""


class Message(View):
    """A message of any branch; the client builds the tree by ``parent_id``."""

    id: UUID
    parent_id: UUID | None
    role: Literal["user", "assistant", "system", "tool"]
    content: str
    turn_id: UUID | None
    created_at: datetime
    status: str = Field(description="complete, cancelled or failed")
    sibling_ids: list[UUID] = Field(description="all messages with the same parent, this one too, in order")
    feedback: list[Feedback]
    trace: Trace | None
    citations: list[dict[str, Any]]
    usage: Usage | None


class MessagePage(Page[Message]):
    """Messages in the order in which they were posted."""


class MessageQuery(PageQuery):
    """Messages of all branches, oldest first."""

    limit: int = Field(default=200, ge=1, le=1000)


class Summary(View):
    """What the model noted of the oldest messages of a branch, once the branch had filled its window."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 2,
                    "text": "Ada brews tea for two without a kettle; she has a pan and wants grams.",
                    "through": "0199f1c2-8a3b-7c4d-9e5f-0a1b2c3d4e62",
                    "messages": 14,
                    "model": "liminal-demo",
                    "created_at": "2026-11-23T17:20:00Z",
                }
            ]
        }
    )

    version: int
    text: str
    through: UUID = Field(description="the last message that it tells about; it counts for branches with it")
    messages: int = Field(description="how many messages, from the first one, it tells about")
    model: str
    created_at: datetime


class SummaryPage(Page[Summary]):
    """Summaries of all branches, newest first."""


class _Words(Body):
    text: str = Field(min_length=1, max_length=64_000)


class Thumb(Body):
    """Up (1) or down (-1); a second thumb replaces the first."""

    kind: Literal["thumb"]
    value: Literal[-1, 1]


class Correction(_Words):
    """The answer as it should have been."""

    kind: Literal["correction"]


class AlwaysRule(_Words):
    """Something to do in every answer from now on."""

    kind: Literal["always"]


class NeverRule(_Words):
    """Something never to do again."""

    kind: Literal["never"]


class Note(_Words):
    """Words about an answer that ask for nothing."""

    kind: Literal["note"]


class NewFeedback(
    RootModel[Annotated[Thumb | Correction | AlwaysRule | NeverRule | Note, Field(discriminator="kind")]]
):
    """A thumb, or words of one of the other kinds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "thumb", "value": 1}, {"kind": "never", "text": "Don't apologise."}]
        }
    )


class FeedbackPatch(Body):
    """A thumb's new value, or the new words of the other kinds."""

    value: Literal[-1, 1] | None = None
    text: str | None = Field(default=None, min_length=1, max_length=64_000)

    @model_validator(mode="after")
    def _one_of_both(self) -> FeedbackPatch:
        if (self.value is None) == (self.text is None):
            raise ValueError("give either value or text")
        return self


class FeedbackQuery(PageQuery):
    """Narrow the list to a message or a conversation."""

    message_id: UUID | None = None
    conversation_id: UUID | None = None

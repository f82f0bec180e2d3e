"""Conversations, messages and turns.

What people do lies on ``conversation-<conversation_id>``. A turn is decided on ``turn-<turn_id>``: its
routing is that stream's first version, and the answer, the cancellation or the failure its second, so that of
two workers that meet on one turn the log accepts one.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from liminal.log.event import Event, Part
from liminal.log.types.common import AdapterUse, BlobRef, Json, RuleFired, Slug, Text, Usage, Version

FinishReason = Literal["stop", "length", "cancelled", "timeout", "tool", "content_filter"]


class ConversationEvent(Event):
    """Any event of one conversation."""

    category = "conversation"

    conversation_id: UUID
    """The conversation."""


class ConversationCreated(ConversationEvent):
    """A conversation was begun."""

    type = "conversation.created"

    title: Text | None = None
    """Its title, when it has one already."""
    origin: Literal["web", "api", "openai", "import"] = "web"
    """Which door it came through."""


class ConversationRenamed(ConversationEvent):
    """The title changed."""

    type = "conversation.renamed"

    title: Text
    """The new title."""
    by: Literal["user", "model"] = "user"
    """Who chose it."""


class ConversationArchived(ConversationEvent):
    """Put away, still readable."""

    type = "conversation.archived"


class ConversationUnarchived(ConversationEvent):
    """Taken out of the archive."""

    type = "conversation.unarchived"


class ConversationDeleted(ConversationEvent):
    """Gone from every view."""

    type = "conversation.deleted"


class TurnOptions(Part):
    """What the person asked for beyond the words; None leaves it to the model's and the policy's defaults."""

    model: str | None = None
    """Model to answer with."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sampling temperature."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus of the distribution to sample from."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Longest answer, in tokens."""
    seed: int | None = None
    """Seed to sample with."""
    stop: Annotated[list[str], Field(max_length=16)] | None = None
    """Strings that end the answer."""
    without_learning: bool = False
    """Answer with the base model alone."""
    context_ids: list[UUID] | None = None
    """Knowledge contexts to retrieve from."""
    system: Text | None = None
    """An instruction of the client's own, for this turn."""
    extra: Json | None = None
    """Further parameters of the OpenAI-compatible surface, as they came."""


class Attachment(Part):
    """A file sent with a message."""

    file_id: UUID
    """The file."""
    name: Text
    """Its name."""
    media_type: str
    """Its MIME type."""
    blob: BlobRef
    """Its content."""


class Citation(Part):
    """A passage that an answer rests on."""

    number: Annotated[int, Field(ge=1)]
    """How the answer refers to it."""
    file_id: UUID | None = None
    """The file it is from."""
    chunk_id: UUID | None = None
    """The passage."""
    title: Text | None = None
    """Name of the source."""
    text: Text | None = None
    """The words."""
    score: float | None = None
    """How near it was to the question."""


class Timings(Part):
    """Where the time went, in milliseconds."""

    queued_ms: float | None = None
    """Waiting for a place."""
    retrieval_ms: float | None = None
    """Searching for passages."""
    first_token_ms: float | None = None
    """From the question to the first token."""
    total_ms: float | None = None
    """From the question to the last token."""


class Trace(Part):
    """What made an answer (invariant I8)."""

    model: str
    """The base model."""
    backend: str = "jax"
    """What decoded it: jax, openai."""
    adapters: list[AdapterUse] = []
    """Every adapter of the mixture; empty for the base model alone."""
    policy_id: Slug | None = None
    """The routing policy."""
    policy_version: Version | None = None
    """Its version."""
    rules: list[RuleFired] = []
    """Which rule of the policy did what."""
    workflow_id: Slug | None = None
    """The workflow that ran."""
    workflow_version: Version | None = None
    """Its version."""
    seed: int | None = None
    """Seed of the sampler."""
    finish_reason: FinishReason | None = None
    """Why it ended."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """How many workers had taken the turn."""
    summary_version: Version | None = None
    """Version of the conversation's summary that stood for its beginning; None: none was needed, or ready."""
    left_out: Annotated[int, Field(ge=0)] = 0
    """Messages of the branch that neither the model's window nor the summary held."""
    timings: Timings | None = None
    """Where the time went."""
    steps: list[Json] = []
    """What each step of the workflow did."""


class MessagePosted(ConversationEvent):
    """Somebody, or the model, said something. A message never changes: an edit is a sibling."""

    type = "message.posted"
    other_categories = frozenset({"turn"})

    message_id: UUID
    """The message."""
    parent_id: UUID | None = None
    """What it answers; None at the root. Messages of one parent are branches."""
    role: Literal["user", "assistant", "system", "tool"]
    """Whose words they are."""
    content: Text
    """The words."""
    turn_id: UUID
    """The turn it belongs to."""
    client_id: UUID | None = None
    """Idempotency key of the client's command."""
    edited_from: UUID | None = None
    """The message that a person edited to make this one."""
    regenerated_from: UUID | None = None
    """The answer that this one was asked for in place of."""
    assistant_message_id: UUID | None = None
    """On a user's message: the id that the answer will have."""
    options: TurnOptions | None = None
    """On a user's message: what was asked for beyond the words."""
    attachments: list[Attachment] = []
    """Files sent with it."""
    status: Literal["complete", "cancelled", "partial"] = "complete"
    """Whether the answer came to its end."""
    trace: Trace | None = None
    """On an answer: what made it."""
    citations: list[Citation] = []
    """On an answer: what it rests on."""
    usage: Usage | None = None
    """On an answer: its tokens."""


class TurnEvent(ConversationEvent):
    """Any event of one turn."""

    category = "turn"

    turn_id: UUID
    """The turn."""


class TurnRequested(TurnEvent):
    """An answer was asked for without a new message: a regenerate, or a retry."""

    type = "turn.requested"

    kind: Literal["regenerate", "retry"]
    """Which."""
    user_message_id: UUID
    """The message to answer."""
    assistant_message_id: UUID
    """The id that the answer will have."""
    regenerated_from: UUID | None = None
    """The answer that this one is asked for in place of."""
    client_id: UUID | None = None
    """Idempotency key of the client's command."""
    options: TurnOptions | None = None
    """What was asked for beyond the words."""


class ShadowRouting(Part):
    """What the shadow policy would have decided; it had no effect."""

    policy_id: Slug
    """The shadow policy."""
    policy_version: Version
    """Its version."""
    differs: list[Literal["adapters", "gates", "backend", "instructions", "contexts"]]
    """In what it differs from what was decided; empty where it does not."""
    adapters: list[AdapterUse] = []
    """The mixture."""
    backend: str | None = None
    """What would decode, where the policy says."""
    instructions: list[Text] = []
    """Instructions that it would have added."""
    context_ids: list[UUID] = []
    """Knowledge contexts to retrieve from."""
    rules: list[RuleFired] = []
    """Which rule would have done what."""


class TurnRouted(TurnEvent):
    """What will answer was decided; a worker that takes the turn over follows it to the letter."""

    type = "turn.routed"

    user_message_id: UUID
    """The message to answer."""
    assistant_message_id: UUID
    """The id that the answer will have."""
    model: str
    """The base model."""
    backend: str = "jax"
    """What decodes."""
    adapters: list[AdapterUse] = []
    """The mixture."""
    policy_id: Slug | None = None
    """The routing policy."""
    policy_version: Version | None = None
    """Its version."""
    rules: list[RuleFired] = []
    """Which rule of the policy did what."""
    workflow_id: Slug | None = None
    """The workflow to run."""
    workflow_version: Version | None = None
    """Its version."""
    seed: int
    """Seed of the sampler."""
    sampling: dict[str, float | int | list[str] | None] = {}
    """Parameters of the sampler."""
    instructions: list[Text] = []
    """Instructions that the policy added."""
    context_ids: list[UUID] = []
    """Knowledge contexts to retrieve from."""
    facts: Json | None = None
    """What the policy could ask about this turn, so that another policy can be tried on it."""
    shadow: ShadowRouting | None = None
    """What the shadow policy would have decided, where there is one."""
    summary_version: Version | None = None
    """Newest version of the conversation's summary then: the answer uses none that came later."""


class TurnCancelled(TurnEvent):
    """The turn was stopped before its end."""

    type = "turn.cancelled"

    by: Literal["user", "system"] = "user"
    """Who stopped it."""
    reason: str | None = None
    """A stable code: user, suspended, conversation_deleted, shutdown."""
    tokens: Annotated[int, Field(ge=0)] = 0
    """Tokens that had been sent."""


class TurnFailed(TurnEvent):
    """No answer could be made; the turn may be asked for again."""

    type = "turn.failed"

    error_code: str
    """Stable code of the error."""
    message: str
    """The error in a sentence; nothing personal."""
    retryable: bool
    """Whether trying again may help."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """How many workers had taken the turn."""


class ToolCalled(TurnEvent):
    """The model asked for a tool, and its permission was granted."""

    type = "tool.called"

    call_id: UUID
    """The call."""
    tool: Slug
    """The tool's artifact."""
    tool_version: Version
    """Its version."""
    arguments: Json
    """What it was given."""


class ToolFinished(TurnEvent):
    """A tool came back."""

    type = "tool.finished"

    call_id: UUID
    """The call."""
    ok: bool
    """Whether it did what was asked."""
    result: Json | None = None
    """What it gave."""
    error_code: str | None = None
    """Stable code of the error."""

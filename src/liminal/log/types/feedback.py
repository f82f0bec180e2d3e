"""What people think of answers, and what can be read from how they write."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator

from liminal.log.event import Event
from liminal.log.types.common import By, Probability, Text

FeedbackKind = Literal["thumb", "correction", "always", "never", "note"]


class FeedbackEvent(Event):
    """Any event of one piece of feedback, on the stream ``feedback-<feedback_id>``."""

    category = "feedback"

    feedback_id: UUID
    """The piece of feedback."""


class FeedbackGiven(FeedbackEvent):
    """Somebody judged an answer."""

    type = "feedback.given"

    conversation_id: UUID
    """The conversation."""
    message_id: UUID
    """The message it is about."""
    turn_id: UUID | None = None
    """The turn that made the message."""
    kind: FeedbackKind
    """A thumb, a better answer, a rule to keep always or never, or a note."""
    value: Annotated[Literal[-1, 1] | None, Field(validate_default=True)] = None
    """Of a thumb: down or up."""
    text: Annotated[Text | None, Field(validate_default=True)] = None
    """Of all others: the words."""

    @field_validator("value")
    @classmethod
    def _a_thumb_points(cls, value: int | None, info: ValidationInfo) -> int | None:
        if info.data.get("kind") == "thumb" and value is None:
            raise ValueError("a thumb needs a value of 1 or -1")
        return value

    @field_validator("text")
    @classmethod
    def _all_others_have_words(cls, text: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind", "thumb")
        if kind != "thumb" and not text:
            raise ValueError(f"feedback of kind {kind} needs a text")
        return text


class FeedbackChanged(FeedbackEvent):
    """The person changed their mind; what is given here holds from now on."""

    type = "feedback.changed"

    value: Literal[-1, 1] | None = None
    """Of a thumb: down or up."""
    text: Text | None = None
    """Of all others: the words."""


class FeedbackWithdrawn(FeedbackEvent):
    """The person took it back; what it shaped is marked and learned again without it."""

    type = "feedback.withdrawn"


class PreferenceEvent(Event):
    """Any event of one preference, on the stream ``preference-<preference_id>``."""

    category = "preference"

    preference_id: UUID
    """The preference."""


class PreferenceDetected(PreferenceEvent):
    """A wish was read from what somebody wrote or did."""

    type = "preference.detected"

    conversation_id: UUID | None = None
    """Where it was read."""
    message_id: UUID | None = None
    """The message it was read from."""
    statement: Text
    """The wish in a sentence."""
    dimension: str | None = None
    """What it is about: length, tone, format, units, language, dates, sign_off."""
    value: Text | None = None
    """What is wished for along that dimension."""
    polarity: Literal["like", "dislike", "always", "never"] = "like"
    """Which way."""
    detector: Literal["rule", "model"]
    """What read it."""
    rule: str | None = None
    """Name of the rule, or of the prompt and its version."""
    confidence: Probability
    """How sure the detector is."""
    evidence: Annotated[list[UUID], Field(max_length=1000)] = []
    """Messages and feedback it rests on."""


class PreferenceConfirmed(PreferenceEvent):
    """The person said that it is right."""

    type = "preference.confirmed"


class PreferenceCorrected(PreferenceEvent):
    """The person put it right."""

    type = "preference.corrected"

    statement: Text
    """The wish in a sentence."""
    value: Text | None = None
    """What is wished for along its dimension."""


class PreferenceSwitched(PreferenceEvent):
    """The person put it off, or on again, without deleting it."""

    type = "preference.switched"

    active: bool
    """Whether it counts."""


class PreferenceDeleted(PreferenceEvent):
    """The person deleted it; it is not detected again from the same evidence."""

    type = "preference.deleted"

    by: By = "user"
    """Who deleted it."""

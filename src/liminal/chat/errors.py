"""Errors of the chat room's HTTP services."""

from __future__ import annotations

from typing import ClassVar

from liminal.errors import LiminalError


class ChatError(LiminalError):
    """Root of this room's errors."""

    code: ClassVar[str] = "chat_error"


class NoSuchConversation(ChatError):
    """There is no such conversation, or it was deleted."""

    code: ClassVar[str] = "not_found"


class NoSuchMessage(ChatError):
    """There is no such message, or its conversation was deleted."""

    code: ClassVar[str] = "not_found"


class NoSuchFeedback(ChatError):
    """There is no such feedback, or it was withdrawn."""

    code: ClassVar[str] = "not_found"


class WrongFeedback(ChatError):
    """A thumb has a value and all other feedback has text."""

    code: ClassVar[str] = "invalid_request"


class NoSuchTurn(ChatError):
    """There is no such turn, or it is not the caller's."""

    code: ClassVar[str] = "not_found"


class WrongMessage(ChatError):
    """The message is not of the kind that the command needs."""

    code: ClassVar[str] = "invalid_request"

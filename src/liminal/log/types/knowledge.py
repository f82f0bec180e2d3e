"""Files, the contexts they are gathered in, and how they become passages to retrieve."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from liminal.log.event import Event
from liminal.log.types.common import BlobRef, By, Text


class FileEvent(Event):
    """Any event of one file, on the stream ``file-<file_id>``."""

    category = "file"

    file_id: UUID
    """The file."""


class FileUploaded(FileEvent):
    """A file arrived; its bytes are in the blob store."""

    type = "file.uploaded"

    name: Text
    """Its name."""
    media_type: str
    """Its MIME type."""
    blob: BlobRef
    """Its content."""


class FileRenamed(FileEvent):
    """The file's name changed."""

    type = "file.renamed"

    name: Text
    """The new name."""


class FileDeleted(FileEvent):
    """The file and its passages are gone from every view."""

    type = "file.deleted"

    by: By = "user"
    """Who deleted it."""


class IngestionEvent(FileEvent):
    """Any event of one pass that turns a file into passages."""

    ingestion_id: UUID
    """The pass."""


class IngestionRequested(IngestionEvent):
    """The file is to be read."""

    type = "ingestion.requested"


class IngestionStarted(IngestionEvent):
    """A worker reads the file."""

    type = "ingestion.started"

    attempt: Annotated[int, Field(ge=1)] = 1
    """How many workers had taken it."""


class IngestionDone(IngestionEvent):
    """The passages can be found."""

    type = "ingestion.done"

    chunks: Annotated[int, Field(ge=0)]
    """How many passages."""
    tokens: Annotated[int, Field(ge=0)]
    """Their tokens in all."""
    passages: BlobRef
    """The passages with their places in the file."""
    encoder: str
    """The model that embedded them."""
    parser: str
    """What read the file, and its version."""


class IngestionFailed(IngestionEvent):
    """The file could not be read."""

    type = "ingestion.failed"

    error_code: str
    """Stable code of the error."""
    message: str
    """The error in a sentence; nothing personal."""
    retryable: bool
    """Whether trying again may help."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """How many workers had taken it."""


class ContextEvent(Event):
    """Any event of one knowledge context, on the stream ``context-<context_id>``."""

    category = "context"

    context_id: UUID
    """The context."""


class ContextCreated(ContextEvent):
    """A place to gather files was made."""

    type = "context.created"

    name: Text
    """What it is called."""
    description: Text | None = None
    """What it is for."""


class ContextRenamed(ContextEvent):
    """The context's name or description changed."""

    type = "context.renamed"

    name: Text
    """The new name."""
    description: Text | None = None
    """What it is for."""


class ContextFileAdded(ContextEvent):
    """A file is part of the context from now on."""

    type = "context.file_added"

    file_id: UUID
    """The file."""


class ContextFileRemoved(ContextEvent):
    """A file is no longer part of the context."""

    type = "context.file_removed"

    file_id: UUID
    """The file."""


class ContextAttached(ContextEvent):
    """A conversation retrieves from the context."""

    type = "context.attached"

    conversation_id: UUID
    """The conversation."""


class ContextDetached(ContextEvent):
    """A conversation no longer retrieves from the context."""

    type = "context.detached"

    conversation_id: UUID
    """The conversation."""


class ContextDeleted(ContextEvent):
    """The context is gone; its files stay."""

    type = "context.deleted"

    by: By = "user"
    """Who deleted it."""

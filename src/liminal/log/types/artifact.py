"""Artifacts, the versioned data that steers behaviour, and patches to them.

All on the stream ``artifact-<artifact_id>``. Events that make a version carry an expected version, so
the version in their data is the expected one plus one.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from liminal.log.event import Event
from liminal.log.types.common import BlobRef, By, Json, Slug, Text, Version

ArtifactKind = Literal[
    "adapter.lora", "workflow.chat", "policy.routing", "tool.spec", "context.knowledge", "memory.summary",
    "policy.learning",
]  # fmt: skip


class ArtifactEvent(Event):
    """Any event of one artifact."""

    category = "artifact"

    artifact_id: Slug
    """The artifact: a UUID, or a name such as ``policy.routing.default``."""


class ArtifactVersionEvent(ArtifactEvent):
    """Any event that makes a version of an artifact."""

    artifact_version: Version
    """The version it makes."""
    body: Json
    """The whole artifact as of this version."""


class ArtifactCreated(ArtifactVersionEvent):
    """An artifact came to be, with its first version."""

    type = "artifact.created"

    kind: ArtifactKind
    """What sort of thing it is."""
    name: Text
    """What it is called."""
    description: Text | None = None
    """What it is for."""


class ArtifactPatched(ArtifactVersionEvent):
    """A new version of the artifact, made by a patch."""

    type = "artifact.patched"

    operations: Json
    """The patch (RFC 6902) against the version before."""
    patch_id: UUID | None = None
    """The approved patch that this is; None for a direct edit by its owner."""
    by: By = "user"
    """Who made it."""


class ArtifactRolledBack(ArtifactVersionEvent):
    """A new version of the artifact with the body of an earlier one."""

    type = "artifact.rolled_back"

    to_version: Version
    """The version whose body it has again."""
    by: By = "user"
    """Who rolled it back."""
    reason: Text | None = None
    """Why."""


class ArtifactRenamed(ArtifactEvent):
    """The artifact's name changed."""

    type = "artifact.renamed"

    name: Text
    """The new name."""
    description: Text | None = None
    """What it is for."""


class ArtifactArchived(ArtifactEvent):
    """The artifact steers nothing any more."""

    type = "artifact.archived"

    by: By = "user"
    """Who archived it."""


class ArtifactRestored(ArtifactEvent):
    """An archived artifact steers again."""

    type = "artifact.restored"

    by: By = "user"
    """Who restored it."""


class PatchEvent(ArtifactEvent):
    """Any event of one patch to an artifact."""

    patch_id: UUID
    """The patch."""


class PatchProposed(PatchEvent):
    """Somebody, or the model, would change an artifact; it is already validated."""

    type = "patch.proposed"

    base_version: Version
    """The version it is against."""
    operations: Json
    """The patch (RFC 6902)."""
    rationale: Text | None = None
    """Why."""
    source: Literal["user", "admin", "model", "rule"]
    """Where it came from."""


class PatchBacktested(PatchEvent):
    """Past turns were routed again with the patch applied, as a comparison."""

    type = "patch.backtested"

    turns: Annotated[int, Field(ge=0)]
    """Turns looked at."""
    changed: Annotated[int, Field(ge=0)]
    """Turns that would have gone otherwise."""
    report: BlobRef | None = None
    """The differences, turn by turn."""


class PatchApproved(PatchEvent):
    """The patch may be applied."""

    type = "patch.approved"

    by: By
    """Who approved it."""


class PatchRejected(PatchEvent):
    """The patch may not be applied."""

    type = "patch.rejected"

    by: By
    """Who rejected it."""
    reason: Text | None = None
    """Why."""


class PatchApplied(PatchEvent):
    """The patch became a version of the artifact."""

    type = "patch.applied"

    artifact_version: Version
    """The version it became."""

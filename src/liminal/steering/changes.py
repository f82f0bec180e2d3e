"""Changing artifacts: patches that are proposed, tried on the past and approved; direct edits; the way back.

Everything is an event on the artifact's stream. What makes a version carries the version that it expects, so
of two changes that meet the log accepts one; the ids of a patch's later events are derived from the patch, so
whoever approves again after a crash goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import jsonpatch
import orjson
from jsonpointer import JsonPointerException

from liminal.identity.actor import Actor
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.log.envelope import Meta
from liminal.log.errors import VersionConflict
from liminal.log.events import (
    ArtifactArchived,
    ArtifactCreated,
    ArtifactPatched,
    ArtifactRestored,
    ArtifactRolledBack,
    BlobRef,
    Event,
    PatchApplied,
    PatchApproved,
    PatchBacktested,
    PatchProposed,
    PatchRejected,
)
from liminal.log.ids import derived_id, new_id
from liminal.log.log import Log
from liminal.logging import current_correlation
from liminal.steering.artifacts import PROJECTION, ensure_default, ensure_defaults
from liminal.steering.catalogue import ArtifactRow, PatchRow, Versions, artifact, patch, versions
from liminal.steering.errors import (
    ArtifactExists,
    ArtifactInvalid,
    ArtifactRequired,
    NoSuchArtifact,
    PatchDecided,
    PatchNotBacktested,
    PatchStale,
)
from liminal.steering.kinds import BACKTESTED, DEFAULTS, IDS, check_body
from liminal.steering.references import check_references

Operations = list[Any]
"""A JSON Patch (RFC 6902)."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes an artifact, and for which tenant.

    Attributes:
        tenant: whose artifact it is, or becomes.
        name: an account's id, or a command's name.
        source: what a proposal says about where it came from.
    """

    tenant: str
    name: str
    source: Literal["admin", "model", "rule"] = "admin"

    @classmethod
    def of(cls, actor: Actor) -> Author:
        """An admin."""
        return cls(actor.tenant_id, str(actor.account_id))


COMMAND = Author(SYSTEM_TENANT, "cli")
"""Who sits at the machine."""


class Changes:
    """Changes the artifacts of tenants; who may is decided before this is asked."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pool = log.pool

    async def create(self, author: Author, artifact_id: str, body: Any) -> ArtifactRow:
        """Give a tenant an artifact of its own. Raises NoSuchArtifact, ArtifactInvalid, ArtifactExists."""
        await ensure_defaults(self._log)
        if artifact_id not in IDS:
            raise NoSuchArtifact(
                f"Nothing reads an artifact {artifact_id!r}; there are {', '.join(sorted(IDS))}.",
                artifact_id=artifact_id,
            )
        kind = IDS[artifact_id]
        clean = await self._checked(author.tenant, kind, body)
        about = DEFAULTS.get(artifact_id) or DEFAULTS[kind]
        event = ArtifactCreated(
            artifact_id=artifact_id,
            artifact_version=1,
            kind=kind,
            name=about.name if about.id == artifact_id else f"{about.name}, shadow",
            description=about.description,
            body=clean,
        )
        try:
            await self._append(author, artifact_id, event, expected=0)
        except VersionConflict as conflict:
            raise ArtifactExists(
                f"This tenant has an artifact {artifact_id} at version {conflict.actual}.",
                artifact_id=artifact_id,
                version=conflict.actual,
            ) from conflict
        return await self.own(author, artifact_id)

    async def starting_body(self, author: Author, artifact_id: str) -> Any:
        """What a new artifact of a tenant begins as: a copy of what steers it now. Raises NoSuchArtifact."""
        await ensure_defaults(self._log)
        kind = IDS.get(artifact_id)
        steering = next((default.id for default in DEFAULTS.values() if default.kind == kind), None)
        for owner in (author.tenant, SYSTEM_TENANT):
            row = None if steering is None else await artifact(self._pool, owner, steering)
            if row is not None and not row.archived:
                return row.body
        raise NoSuchArtifact(f"Nothing reads an artifact {artifact_id!r}.", artifact_id=artifact_id)

    async def own(self, author: Author, artifact_id: str) -> ArtifactRow:
        """The tenant's own artifact. Raises NoSuchArtifact."""
        if author.tenant == SYSTEM_TENANT and artifact_id in DEFAULTS:
            await ensure_default(self._log, artifact_id)
        row = await artifact(self._pool, author.tenant, artifact_id)
        if row is None:
            raise NoSuchArtifact(
                f"This tenant has no artifact {artifact_id} of its own.", artifact_id=artifact_id
            )
        return row

    async def edit(
        self,
        author: Author,
        artifact_id: str,
        expected: int,
        *,
        body: Any = None,
        operations: Operations | None = None,
    ) -> ArtifactRow:
        """Make a version at once, of a whole body or of operations.

        ``expected`` is the version that the author saw. Raises VersionConflict, ArtifactInvalid, PatchStale.
        """
        row = await self.own(author, artifact_id)
        if row.version != expected:
            raise VersionConflict(f"artifact-{artifact_id}", expected, row.version)
        changed = applied(row.body, operations) if operations is not None else body
        clean = await self._checked(author.tenant, row.kind, changed)
        made = difference(row.body, clean) if operations is None else operations
        event = ArtifactPatched(
            artifact_id=artifact_id, artifact_version=expected + 1, body=clean, operations=made, by="admin"
        )
        await self._append(author, artifact_id, event, expected=expected)
        return await self.own(author, artifact_id)

    async def roll_back(
        self, author: Author, artifact_id: str, to_version: int, reason: str | None = None
    ) -> ArtifactRow:
        """Make a version with the body of an earlier one. Raises NoSuchArtifact, ArtifactInvalid."""
        row = await self.own(author, artifact_id)
        earlier = await self.version(author.tenant, artifact_id, to_version)
        clean = await self._checked(author.tenant, row.kind, earlier.body)
        event = ArtifactRolledBack(
            artifact_id=artifact_id,
            artifact_version=row.version + 1,
            to_version=to_version,
            body=clean,
            by="admin",
            reason=reason,
        )
        await self._append(author, artifact_id, event, expected=row.version)
        return await self.own(author, artifact_id)

    async def version(self, tenant: str, artifact_id: str, version: int) -> Versions:
        """One version. Raises NoSuchArtifact."""
        found = [row for row in await versions(self._pool, tenant, artifact_id) if row.version == version]
        if not found:
            raise NoSuchArtifact(
                f"There is no version {version} of {artifact_id}.", artifact_id=artifact_id, version=version
            )
        return found[0]

    async def archive(self, author: Author, artifact_id: str, *, archived: bool) -> ArtifactRow:
        """Let an artifact steer nothing, or steer again. Raises NoSuchArtifact, ArtifactRequired."""
        row = await self.own(author, artifact_id)
        if author.tenant == SYSTEM_TENANT and artifact_id in DEFAULTS:
            raise ArtifactRequired(
                f"{artifact_id} steers the whole installation; change it or roll it back.",
                artifact_id=artifact_id,
            )
        if row.archived != archived:
            change = ArtifactArchived if archived else ArtifactRestored
            await self._append(author, artifact_id, change(artifact_id=artifact_id, by="admin"))
        return await self.own(author, artifact_id)

    async def propose(
        self, author: Author, artifact_id: str, operations: Operations, rationale: str | None = None
    ) -> PatchRow:
        """Propose a patch to the version as it stands; it is validated first.

        Raises NoSuchArtifact, PatchStale, ArtifactInvalid.
        """
        row = await self.own(author, artifact_id)
        await self._checked(author.tenant, row.kind, applied(row.body, operations))
        patch_id = new_id()
        event = PatchProposed(
            artifact_id=artifact_id,
            patch_id=patch_id,
            base_version=row.version,
            operations=operations,
            rationale=rationale,
            source=author.source,
        )
        await self._append(author, artifact_id, event)
        return await patch(self._pool, patch_id)

    async def record_backtest(self, found: PatchRow, turns: int, changed: int, report: BlobRef) -> PatchRow:
        """Write down what a back-test found."""
        event = PatchBacktested(
            artifact_id=found.artifact_id,
            patch_id=found.patch_id,
            turns=turns,
            changed=changed,
            report=report,
        )
        author = Author(found.owner, "backtest")
        await self._append(author, found.artifact_id, event, id_=derived_id(found.patch_id, "backtested"))
        return await patch(self._pool, found.patch_id)

    async def approve(self, author: Author, found: PatchRow) -> PatchRow:
        """Approve a patch and apply it to the version as it stands now.

        Raises PatchDecided, PatchNotBacktested, PatchStale, ArtifactInvalid, VersionConflict.
        """
        if found.state in ("rejected", "applied"):
            raise PatchDecided(f"The patch is {found.state}.", state=found.state)
        row = await self.own(author, found.artifact_id)
        if row.kind in BACKTESTED and found.backtest_turns is None:
            raise PatchNotBacktested(
                "The patch was not tried on past turns yet.", patch_id=str(found.patch_id)
            )
        ids: dict[str, Any] = {"artifact_id": found.artifact_id, "patch_id": found.patch_id}
        cause = found.patch_id
        version = await self._version_of(found)
        if version is None:
            clean = await self._checked(author.tenant, row.kind, applied(row.body, found.operations))
            approved = PatchApproved(**ids, by="admin")
            await self._append(author, found.artifact_id, approved, id_=derived_id(cause, "approved"))
            version = row.version + 1
            patched = ArtifactPatched(
                **ids, artifact_version=version, body=clean, operations=found.operations, by="admin"
            )
            id_ = derived_id(cause, f"patched {version}")
            await self._append(author, found.artifact_id, patched, expected=row.version, id_=id_)
        done = PatchApplied(**ids, artifact_version=version)
        await self._append(author, found.artifact_id, done, id_=derived_id(cause, "applied"))
        return await patch(self._pool, found.patch_id)

    async def _version_of(self, found: PatchRow) -> int | None:
        """The version that a patch became before whoever applied it could say so."""
        made = await versions(self._pool, found.owner, found.artifact_id)
        return next((row.version for row in made if row.patch_id == found.patch_id), None)

    async def reject(self, author: Author, found: PatchRow, reason: str | None = None) -> PatchRow:
        """Turn a patch down. Raises PatchDecided."""
        if found.state != "proposed":
            raise PatchDecided(f"The patch is {found.state}.", state=found.state)
        event = PatchRejected(
            artifact_id=found.artifact_id, patch_id=found.patch_id, by="admin", reason=reason
        )
        await self._append(author, found.artifact_id, event, id_=derived_id(found.patch_id, "rejected"))
        return await patch(self._pool, found.patch_id)

    async def _checked(self, tenant: str, kind: str, body: Any) -> dict[str, Any]:
        parsed = check_body(kind, body)
        await check_references(self._log, tenant, parsed)
        return parsed.model_dump(mode="json", exclude_none=True)

    async def _append(
        self,
        author: Author,
        artifact_id: str,
        event: Event,
        *,
        expected: int | None = None,
        id_: UUID | None = None,
    ) -> None:
        meta = Meta(
            owner=author.tenant,
            tenant=author.tenant,
            actor=author.name,
            stream=f"artifact-{artifact_id}",
            correlation=current_correlation(),
            id=id_,
        )
        position = await self._log.append(event, meta, expected_version=expected)
        await self._log.wait_for(position, PROJECTION)


def applied(body: Any, operations: Any) -> Any:
    """The body with a JSON Patch applied. Raises ArtifactInvalid for what is none, PatchStale for misfits."""
    try:
        return jsonpatch.JsonPatch(operations).apply(body)
    except (jsonpatch.InvalidJsonPatch, TypeError, KeyError) as error:
        raise ArtifactInvalid(f"This is no JSON Patch (RFC 6902): {error}") from error
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise PatchStale(f"The patch does not fit the version as it stands: {error}") from error


def difference(one: Any, other: Any) -> Operations:
    """The JSON Patch that turns one body into the other."""
    return orjson.loads(jsonpatch.make_patch(one, other).to_string())

"""/v1/admin/artifacts and /v1/admin/patches: what steers a tenant, its versions, and changes to it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from liminal.api.artifact_views import (
    Artifact,
    ArtifactEdit,
    ArtifactPage,
    ArtifactVersion,
    ArtifactVersionPage,
    Backtest,
    NewArtifact,
    NewPatch,
    Patch,
    PatchPage,
    Refusal,
    RollBack,
    WhatIf,
)
from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.replay.backtest import report_of
from liminal.steering.artifacts import ensure_defaults
from liminal.steering.catalogue import ArtifactRow, PatchRow, artifact, artifacts, patch, patches, versions
from liminal.steering.changes import Author, difference
from liminal.steering.errors import NoSuchArtifact

admin_artifacts = Noun("admin")

_ARTIFACTS = "/v1/admin/artifacts"
_ARTIFACT = _ARTIFACTS + "/{name:artifact}"
_PATCH = "/v1/admin/patches/{id:uuid}"


@dataclass(frozen=True, slots=True)
class OwnTenant:
    """The caller's tenant, as the rules look at it."""

    tenant_id: str
    owner_id: UUID | None = None


async def own_tenant(call: Call) -> OwnTenant:
    """The caller's tenant."""
    return OwnTenant(call.actor.tenant_id)


async def _artifact_in_view(call: Call) -> ArtifactRow:
    """The tenant's own artifact, else the installation's that steers it."""
    await ensure_defaults(call.services.log)
    for owner in (call.actor.tenant_id, SYSTEM_TENANT):
        if row := await artifact(call.services.log.pool, owner, call.name):
            return row
    raise NoSuchArtifact(f"There is no artifact {call.name}.")


async def _patch_of_path(call: Call) -> PatchRow:
    return await patch(call.services.log.pool, call.id)


def _view(row: ArtifactRow, call: Call) -> Artifact:
    return Artifact(
        id=row.id,
        kind=row.kind,
        name=row.name,
        description=row.description,
        version=row.version,
        body=row.body,
        archived=row.archived,
        inherited=row.owner != call.actor.tenant_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _patch_view(row: PatchRow) -> Patch:
    tried = row.backtest_turns is not None and row.backtest_changed is not None
    return Patch.model_validate(
        {
            "id": row.patch_id,
            "artifact_id": row.artifact_id,
            "base_version": row.base_version,
            "operations": row.operations,
            "rationale": row.rationale,
            "source": row.source,
            "actor": row.actor,
            "state": row.state,
            "backtest": Backtest(turns=row.backtest_turns or 0, changed=row.backtest_changed or 0)
            if tried
            else None,
            "decided_by": row.decided_by,
            "reason": row.reason,
            "decided_at": row.decided_at,
            "applied_version": row.applied_version,
            "proposed_at": row.proposed_at,
        }
    )


@admin_artifacts.route("GET", _ARTIFACTS, action="artifact.read", resource=own_tenant, reply=ArtifactPage)
async def list_artifacts(call: Call) -> ArtifactPage:
    """What steers the admin's tenant: its own artifacts, and the installation's where it has none."""
    await ensure_defaults(call.services.log)
    rows = await artifacts(call.services.log.pool, call.actor.tenant_id)
    return ArtifactPage(items=[_view(row, call) for row in rows])


@admin_artifacts.route(
    "POST",
    _ARTIFACTS,
    action="artifact.change",
    resource=own_tenant,
    reply=Artifact,
    status=201,
    errors=(404, 409),
)
async def create_artifact(call: Call, json: NewArtifact) -> Artifact:
    """Give the tenant an artifact of its own; without a body a copy of what steers it now."""
    author, body = Author.of(call.actor), json.body
    if body is None:
        body = await call.services.changes.starting_body(author, json.id)
    return _view(await call.services.changes.create(author, json.id, body), call)


@admin_artifacts.route(
    "GET", _ARTIFACT, action="artifact.read", resource=own_tenant, reply=Artifact, errors=(404,)
)
async def get_artifact(call: Call) -> Artifact:
    """One artifact as it stands."""
    return _view(await _artifact_in_view(call), call)


@admin_artifacts.route(
    "PUT", _ARTIFACT, action="artifact.change", resource=own_tenant, reply=Artifact, errors=(404, 409)
)
async def edit_artifact(call: Call, json: ArtifactEdit) -> Artifact:
    """Make a new version at once; 409 when somebody else made one meanwhile."""
    row = await call.services.changes.edit(
        Author.of(call.actor), call.name, json.version, body=json.body, operations=json.operations
    )
    return _view(row, call)


@admin_artifacts.route(
    "GET",
    _ARTIFACT + "/versions",
    action="artifact.read",
    resource=own_tenant,
    reply=ArtifactVersionPage,
    errors=(404,),
)
async def list_versions(call: Call) -> ArtifactVersionPage:
    """Every version, newest first, each with what it changed."""
    row = await _artifact_in_view(call)
    rows = await versions(call.services.log.pool, row.owner, row.id)
    before = {found.version + 1: found.body for found in rows}
    return ArtifactVersionPage(
        items=[
            ArtifactVersion.model_validate(
                {
                    **{name: getattr(found, name) for name in ArtifactVersion.model_fields},
                    "operations": difference(before[found.version], found.body)
                    if found.version in before
                    else [],
                }
            )
            for found in rows
        ]
    )


@admin_artifacts.route(
    "POST",
    _ARTIFACT + "/rollback",
    action="artifact.change",
    resource=own_tenant,
    reply=Artifact,
    errors=(404, 409),
)
async def roll_back_artifact(call: Call, json: RollBack) -> Artifact:
    """Make a new version with the body of an earlier one."""
    changes = call.services.changes
    return _view(
        await changes.roll_back(Author.of(call.actor), call.name, json.to_version, json.reason), call
    )


@admin_artifacts.route(
    "POST",
    _ARTIFACT + "/archive",
    action="artifact.change",
    resource=own_tenant,
    reply=Artifact,
    errors=(404, 409),
)
async def archive_artifact(call: Call) -> Artifact:
    """Let the tenant's own artifact steer nothing any more: the installation's does again."""
    return _view(await call.services.changes.archive(Author.of(call.actor), call.name, archived=True), call)


@admin_artifacts.route(
    "POST",
    _ARTIFACT + "/restore",
    action="artifact.change",
    resource=own_tenant,
    reply=Artifact,
    errors=(404, 409),
)
async def restore_artifact(call: Call) -> Artifact:
    """Let an archived artifact steer again."""
    return _view(await call.services.changes.archive(Author.of(call.actor), call.name, archived=False), call)


@admin_artifacts.route(
    "GET",
    _ARTIFACT + "/patches",
    action="artifact.read",
    resource=own_tenant,
    reply=PatchPage,
)
async def list_patches(call: Call) -> PatchPage:
    """Patches to the tenant's artifact."""
    rows = await patches(call.services.log.pool, call.actor.tenant_id, call.name)
    return PatchPage(items=[_patch_view(row) for row in rows])


@admin_artifacts.route(
    "POST",
    _ARTIFACT + "/patches",
    action="artifact.change",
    resource=own_tenant,
    reply=Patch,
    status=201,
    errors=(404, 409),
)
async def propose_patch(call: Call, json: NewPatch) -> Patch:
    """Propose a change: it is validated now, and then tried on past turns."""
    row = await call.services.changes.propose(
        Author.of(call.actor), call.name, json.operations, json.rationale
    )
    return _patch_view(row)


@admin_artifacts.route(
    "GET", _PATCH, action="patch.decide", resource=_patch_of_path, reply=Patch, errors=(404,)
)
async def get_patch(call: Call, resource: PatchRow) -> Patch:
    """One patch and what became of it."""
    return _patch_view(resource)


@admin_artifacts.route(
    "GET", _PATCH + "/backtest", action="patch.decide", resource=_patch_of_path, reply=WhatIf, errors=(404,)
)
async def get_backtest(call: Call, resource: PatchRow) -> WhatIf:
    """Which past turns would have gone otherwise with the patch."""
    return WhatIf.model_validate(await report_of(call.services.blobs, resource))


@admin_artifacts.route(
    "POST",
    _PATCH + "/approve",
    action="patch.decide",
    resource=_patch_of_path,
    reply=Patch,
    errors=(404, 409),
)
async def approve_patch(call: Call, resource: PatchRow) -> Patch:
    """Apply the patch to the version as it stands."""
    return _patch_view(await call.services.changes.approve(Author.of(call.actor), resource))


@admin_artifacts.route(
    "POST",
    _PATCH + "/reject",
    action="patch.decide",
    resource=_patch_of_path,
    reply=Patch,
    errors=(404, 409),
)
async def reject_patch(call: Call, json: Refusal, resource: PatchRow) -> Patch:
    """Turn the patch down."""
    return _patch_view(await call.services.changes.reject(Author.of(call.actor), resource, json.reason))

"""/v1/admin/skills, /v1/admin/clustering: a tenant's skills, decided on by its admins.

Skills of single accounts are their owners' business: an admin sees how many there are, and nothing in them.
"""

from __future__ import annotations

from uuid import UUID

from liminal.api.admin_accounts import TenantResource
from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.learned import change_skill
from liminal.api.learned_views import (
    ClusteringRun,
    ClusteringRunPage,
    ClusteringRunQuery,
    MergeInto,
    Reason,
    Skill,
    SkillList,
    SkillMap,
    SkillPatch,
    map_view,
    skill_view,
)
from liminal.learning.errors import NoSuchSkill
from liminal.learning.skills.decisions import SkillRow
from liminal.steering.artifacts import current_learning_policy

admin_skills = Noun("admin")

ACTION = "skill.administer"


async def _own_tenant(call: Call) -> TenantResource:
    return TenantResource(call.actor.tenant_id)


async def _skill_of_path(call: Call) -> SkillRow:
    row = await call.services.skills.get(call.id)
    if row.scope != "tenant":
        raise NoSuchSkill("There is no such skill.")
    return row


async def _shared(call: Call, skill_id: UUID) -> SkillRow:
    row = await call.services.skills.get(skill_id)
    if row.scope != "tenant" or row.tenant_id != call.actor.tenant_id:
        raise NoSuchSkill("There is no such skill to merge into.")
    return row


@admin_skills.route("GET", "/v1/admin/skills", action=ACTION, resource=_own_tenant, reply=SkillList)
async def list_skills(call: Call) -> SkillList:
    """The tenant's skills with their proposals, and the version of the thresholds in force."""
    services, tenant = call.services, call.actor.tenant_id
    policy = await current_learning_policy(services.log, tenant)
    return SkillList(
        items=[skill_view(row) for row in await services.skills.of(tenant)],
        thresholds_version=policy.version,
        personal=await services.skills.personal(tenant),
    )


@admin_skills.route("GET", "/v1/admin/skills/map", action=ACTION, resource=_own_tenant, reply=SkillMap)
async def get_skill_map(call: Call) -> SkillMap:
    """The tenant's feedback on a map: points without words or owners, clusters with their labels."""
    service, tenant = call.services.learned, call.actor.tenant_id
    points = await service.map(tenant, call.actor.account_id)
    return map_view(points, await service.clusters(tenant, call.actor.account_id))


@admin_skills.route(
    "PATCH",
    "/v1/admin/skills/{id:uuid}",
    action=ACTION,
    resource=_skill_of_path,
    reply=Skill,
    errors=(404, 409),
)
async def change_tenant_skill(call: Call, json: SkillPatch, resource: SkillRow) -> Skill:
    """Rename a tenant's skill, switch it, approve or reject it."""
    return skill_view(await change_skill(call, json, resource, by="admin"))


@admin_skills.route(
    "POST",
    "/v1/admin/skills/{id:uuid}/approve",
    action=ACTION,
    resource=_skill_of_path,
    reply=Skill,
    errors=(404, 409),
)
async def approve_skill(call: Call, resource: SkillRow) -> Skill:
    """Let it be trained and served; also the answer "keep it" to a proposal to merge or prune."""
    return skill_view(await call.services.skills.approve(call.actor, resource, "admin"))


@admin_skills.route(
    "POST",
    "/v1/admin/skills/{id:uuid}/reject",
    action=ACTION,
    resource=_skill_of_path,
    reply=Skill,
    errors=(404, 409),
)
async def reject_skill(call: Call, json: Reason, resource: SkillRow) -> Skill:
    """Not to be trained."""
    return skill_view(await call.services.skills.reject(call.actor, resource, "admin", json.reason))


@admin_skills.route(
    "POST",
    "/v1/admin/skills/{id:uuid}/merge",
    action=ACTION,
    resource=_skill_of_path,
    reply=Skill,
    errors=(404, 409),
)
async def merge_skill(call: Call, json: MergeInto, resource: SkillRow) -> Skill:
    """Let it go into another skill of the tenant."""
    into = await _shared(call, json.into)
    return skill_view(await call.services.skills.merge(call.actor, resource, into, "admin"))


@admin_skills.route(
    "POST",
    "/v1/admin/skills/{id:uuid}/prune",
    action=ACTION,
    resource=_skill_of_path,
    reply=Skill,
    errors=(404, 409),
)
async def prune_skill(call: Call, json: Reason, resource: SkillRow) -> Skill:
    """Retire it."""
    return skill_view(await call.services.skills.prune(call.actor, resource, "admin", json.reason))


@admin_skills.route(
    "GET", "/v1/admin/clustering", action=ACTION, resource=_own_tenant, reply=ClusteringRunPage
)
async def list_clustering_runs(call: Call, query: ClusteringRunQuery) -> ClusteringRunPage:
    """The passes over the tenant's evidence, newest first."""
    page = await call.services.clusterings.runs(call.actor.tenant_id, cursor=query.cursor, limit=query.limit)
    items = [ClusteringRun.model_validate(row, from_attributes=True) for row in page.items]
    return ClusteringRunPage(items=items, next_cursor=page.next_cursor)


@admin_skills.route("POST", "/v1/admin/clustering", action=ACTION, resource=_own_tenant, status=202)
async def request_clustering(call: Call) -> None:
    """Cluster the tenant's evidence now, whatever the counts say; the list of passes shows it."""
    tenant = call.actor.tenant_id
    await call.services.clusterings.request(
        "tenant", tenant, tenant, actor=str(call.actor.account_id), by="admin"
    )

"""/v1/learned: what liminal has learned about the caller; every item can be put right, put off, deleted."""

from __future__ import annotations

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.learned_views import (
    LearnedCounts,
    LearnedPreference,
    LearnedReply,
    PreferencePatch,
    Skill,
    SkillMap,
    SkillPatch,
    cluster_view,
    map_view,
    preference_view,
    skill_view,
)
from liminal.learning.learned import PreferenceRow
from liminal.learning.skills.decisions import Decider, SkillRow

learned = Noun("learned")


async def _preference_of_path(call: Call) -> PreferenceRow:
    return await call.services.learned.preference(call.id)


async def _skill_of_path(call: Call) -> SkillRow:
    return await call.services.skills.get(call.id)


@learned.route("GET", "/v1/learned", action="learned.read", reply=LearnedReply)
async def get_learned(call: Call) -> LearnedReply:
    """What liminal has learned about the caller, and which messages and feedback it has it from."""
    found = await call.services.learned.about(call.actor.account_id, call.actor.tenant_id)
    return LearnedReply(
        preferences=[preference_view(row) for row in found.preferences],
        clusters=[cluster_view(row) for row in found.clusters],
        skills=[skill_view(row) for row in found.skills],
        shared_skills=[skill_view(row) for row in found.shared_skills],
        counts=LearnedCounts.model_validate(found.counts),
    )


@learned.route("GET", "/v1/learned/map", action="learned.read", reply=SkillMap)
async def get_learned_map(call: Call) -> SkillMap:
    """The caller's feedback on a map, by clusters."""
    account = call.actor.account_id
    points = await call.services.learned.map(str(account), account)
    return map_view(points, await call.services.learned.clusters(str(account), account))


@learned.route(
    "PATCH",
    "/v1/learned/preferences/{id:uuid}",
    action="learned.change",
    resource=_preference_of_path,
    reply=LearnedPreference,
    errors=(404,),
)
async def change_preference(call: Call, json: PreferencePatch, resource: PreferenceRow) -> LearnedPreference:
    """Confirm a preference, put it right, or switch it off and on."""
    service = call.services.learned
    if json.statement is not None:
        await service.correct(call.actor, resource, json.statement, json.value)
    elif json.confirmed:
        await service.confirm(call.actor, resource)
    if json.active is not None:
        await service.switch(call.actor, resource, json.active)
    return preference_view(await service.preference(resource.id))


@learned.route(
    "DELETE",
    "/v1/learned/preferences/{id:uuid}",
    action="learned.change",
    resource=_preference_of_path,
    errors=(404,),
)
async def delete_preference(call: Call, resource: PreferenceRow) -> None:
    """Forget a preference; it is not read again from the same words."""
    await call.services.learned.delete(call.actor, resource)


@learned.route(
    "PATCH",
    "/v1/learned/skills/{id:uuid}",
    action="learned.change",
    resource=_skill_of_path,
    reply=Skill,
    errors=(404, 409),
)
async def change_own_skill(call: Call, json: SkillPatch, resource: SkillRow) -> Skill:
    """Rename a skill of one's own, switch it, approve or reject it."""
    return skill_view(await change_skill(call, json, resource, by="user"))


@learned.route(
    "DELETE",
    "/v1/learned/skills/{id:uuid}",
    action="learned.change",
    resource=_skill_of_path,
    errors=(404, 409),
)
async def delete_own_skill(call: Call, resource: SkillRow) -> None:
    """Retire a skill of one's own; the feedback it was learned from stays."""
    await call.services.skills.prune(call.actor, resource, by="user")


async def change_skill(call: Call, json: SkillPatch, row: SkillRow, *, by: Decider) -> SkillRow:
    """Do what a patch says, as the owner or as an admin."""
    service = call.services.skills
    if json.decision == "approve":
        row = await service.approve(call.actor, row, by)
    elif json.decision == "reject":
        row = await service.reject(call.actor, row, by, json.reason)
    if json.label is not None:
        row = await service.rename(call.actor, row, json.label)
    if json.active is not None:
        row = await service.switch(call.actor, row, json.active, by)
    return row

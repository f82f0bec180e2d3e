"""/v1/admin: adapters and training runs of a tenant; promote, reject, roll back, call off, pause."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from liminal.api.adapters import adapter_of_path, gate_report
from liminal.api.admin_accounts import TenantResource
from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.learning_views import (
    Adapter,
    AdapterList,
    Decision,
    GateReport,
    LearningState,
    RollbackBody,
    TrainingRun,
    TrainingRunPage,
    adapter_view,
    run_view,
)
from liminal.api.schema import PageQuery
from liminal.learning.adapters import commands, library
from liminal.learning.adapters.library import AdapterRow, RunRow
from liminal.learning.training import pausing

admin_learning = Noun("admin")


class TrainingQuery(PageQuery):
    """Which runs."""

    state: Literal["queued", "running", "retrying", "done", "failed", "cancelled"] | None = Field(
        default=None, description="only runs in this state"
    )


async def _own_tenant(call: Call) -> TenantResource:
    return TenantResource(call.actor.tenant_id)


async def _run_of_path(call: Call) -> RunRow:
    return await library.run(call.services.log.pool, call.id)


async def _changed(call: Call) -> Adapter:
    return adapter_view(await adapter_of_path(call), call.actor.account_id)


@admin_learning.route(
    "GET", "/v1/admin/adapters", action="learning.read", resource=_own_tenant, reply=AdapterList
)
async def list_tenant_adapters(call: Call) -> AdapterList:
    """Every adapter of the admin's tenant and its accounts, with versions and gates."""
    rows = await library.adapters_of_tenant(call.services.log.pool, call.actor.tenant_id)
    return AdapterList(items=[adapter_view(row, call.actor.account_id) for row in rows])


@admin_learning.route(
    "GET",
    "/v1/admin/adapters/{id:uuid}/versions/{version:int}",
    action="learning.read",
    resource=adapter_of_path,
    reply=GateReport,
    errors=(404,),
)
async def get_version(call: Call, resource: AdapterRow) -> GateReport:
    """A version's gate report with examples side by side; other people's words stay closed."""
    return await gate_report(call, resource)


@admin_learning.route(
    "POST",
    "/v1/admin/adapters/{id:uuid}/versions/{version:int}/promote",
    action="learning.operate",
    resource=adapter_of_path,
    reply=Adapter,
    errors=(404, 409),
)
async def promote_version(call: Call, json: Decision, resource: AdapterRow) -> Adapter:
    """Let a version serve that passed its gate."""
    version = call.request.path_params["version"]
    await commands.promote(call.services.log, resource, version, str(call.actor.account_id), "admin")
    return await _changed(call)


@admin_learning.route(
    "POST",
    "/v1/admin/adapters/{id:uuid}/versions/{version:int}/reject",
    action="learning.operate",
    resource=adapter_of_path,
    reply=Adapter,
    errors=(404, 409),
)
async def reject_version(call: Call, json: Decision, resource: AdapterRow) -> Adapter:
    """Turn a version down that does not serve."""
    version = call.request.path_params["version"]
    await commands.reject(call.services.log, resource, version, str(call.actor.account_id), "admin")
    return await _changed(call)


@admin_learning.route(
    "POST",
    "/v1/admin/adapters/{id:uuid}/rollback",
    action="learning.operate",
    resource=adapter_of_path,
    reply=Adapter,
    errors=(404, 409),
)
async def rollback_adapter(call: Call, json: RollbackBody, resource: AdapterRow) -> Adapter:
    """Let an earlier version answer again, or the base model alone where none served before."""
    actor = str(call.actor.account_id)
    await commands.roll_back(
        call.services.log, resource, actor, "admin", to=json.to_version, reason=json.reason
    )
    return await _changed(call)


@admin_learning.route(
    "GET", "/v1/admin/training", action="learning.read", resource=_own_tenant, reply=TrainingRunPage
)
async def list_training(call: Call, query: TrainingQuery) -> TrainingRunPage:
    """Training runs of the admin's tenant: open ones with their progress first, then the newest."""
    rows = await library.runs_of_tenant(
        call.services.log.pool, call.actor.tenant_id, query.state, query.limit
    )
    return TrainingRunPage(items=[run_view(row) for row in rows])


@admin_learning.route(
    "GET",
    "/v1/admin/training/{id:uuid}",
    action="learning.read",
    resource=_run_of_path,
    reply=TrainingRun,
    errors=(404,),
)
async def get_training(call: Call, resource: RunRow) -> TrainingRun:
    """One training run as it stands."""
    return run_view(resource)


@admin_learning.route(
    "POST",
    "/v1/admin/training/{id:uuid}/cancel",
    action="learning.operate",
    resource=_run_of_path,
    reply=TrainingRun,
    errors=(404, 409),
)
async def cancel_training(call: Call, json: Decision, resource: RunRow) -> TrainingRun:
    """Call a run off that has not ended."""
    await commands.cancel(call.services.log, resource, str(call.actor.account_id), "admin")
    return run_view(await _run_of_path(call))


@admin_learning.route(
    "GET", "/v1/admin/learning", action="learning.read", resource=_own_tenant, reply=LearningState
)
async def get_learning(call: Call) -> LearningState:
    """Whether the tenant learns."""
    return LearningState(paused=await pausing.is_paused(call.services.log.pool, call.actor.tenant_id))


@admin_learning.route(
    "POST",
    "/v1/admin/learning/pause",
    action="learning.operate",
    resource=_own_tenant,
    reply=LearningState,
)
async def pause_learning(call: Call, json: Decision) -> LearningState:
    """Let every run of the tenant stand still where it is; feedback is still gathered."""
    return await _set_paused(call, paused=True)


@admin_learning.route(
    "POST",
    "/v1/admin/learning/resume",
    action="learning.operate",
    resource=_own_tenant,
    reply=LearningState,
)
async def resume_learning(call: Call, json: Decision) -> LearningState:
    """Let the runs go on."""
    return await _set_paused(call, paused=False)


async def _set_paused(call: Call, *, paused: bool) -> LearningState:
    await pausing.set_paused(call.services.log, call.actor.tenant_id, call.actor.account_id, paused)
    return await get_learning(call)

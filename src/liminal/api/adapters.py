"""/v1/adapters and /v1/training: what was learned from an account, and what is being learned."""

from __future__ import annotations

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.learning_views import (
    Adapter,
    AdapterList,
    AdapterPatch,
    GateReport,
    ReportExample,
    RollbackBody,
    TrainingRunPage,
    adapter_view,
    run_view,
    version_view,
)
from liminal.api.schema import PageQuery
from liminal.learning.adapters import commands, library
from liminal.learning.adapters.library import AdapterRow
from liminal.learning.gate.stored_report import read_report
from liminal.storage.blobs import BlobStore

adapters = Noun("adapters")


async def adapter_of_path(call: Call) -> AdapterRow:
    """The adapter that the path names."""
    return await library.adapter(call.services.log.pool, call.id)


@adapters.route("GET", "/v1/adapters", action="adapter.list", reply=AdapterList)
async def list_adapters(call: Call) -> AdapterList:
    """What changes the caller's answers: their own adapters, and their tenant's."""
    rows = await library.adapters_of_account(
        call.services.log.pool, call.actor.account_id, call.actor.tenant_id
    )
    return AdapterList(items=[adapter_view(row, call.actor.account_id) for row in rows])


@adapters.route(
    "PATCH",
    "/v1/adapters/{id:uuid}",
    action="adapter.change",
    resource=adapter_of_path,
    reply=Adapter,
    errors=(404,),
)
async def change_adapter(call: Call, json: AdapterPatch, resource: AdapterRow) -> Adapter:
    """Put one of the caller's own adapters off, or on again; nothing is forgotten by it."""
    await commands.switch(
        call.services.log, resource, str(call.actor.account_id), active=json.active, by="user"
    )
    return adapter_view(await adapter_of_path(call), call.actor.account_id)


@adapters.route(
    "POST",
    "/v1/adapters/{id:uuid}/rollback",
    action="adapter.change",
    resource=adapter_of_path,
    reply=Adapter,
    errors=(404, 409),
)
async def rollback_own_adapter(call: Call, json: RollbackBody, resource: AdapterRow) -> Adapter:
    """Let an earlier version of one of the caller's own adapters answer again."""
    actor = str(call.actor.account_id)
    await commands.roll_back(
        call.services.log, resource, actor, "user", to=json.to_version, reason=json.reason
    )
    return adapter_view(await adapter_of_path(call), call.actor.account_id)


@adapters.route(
    "GET",
    "/v1/adapters/{id:uuid}/versions/{version:int}",
    action="adapter.read",
    resource=adapter_of_path,
    reply=GateReport,
    errors=(404,),
)
async def get_own_version(call: Call, resource: AdapterRow) -> GateReport:
    """A version's gate report: figures, and examples side by side."""
    return await gate_report(call, resource)


async def gate_report(call: Call, row: AdapterRow) -> GateReport:
    """The report of the version that the path names, with the words that are the caller's own."""
    version = row.version(call.request.path_params["version"])
    examples: list[ReportExample] = []
    if version.report_hash is not None:
        found = await read_report(
            call.services.log.vault,
            BlobStore.open(call.services.settings),
            version.report_hash,
            readable=[str(call.actor.account_id)],
        )
        known = set(ReportExample.model_fields)
        examples = [
            ReportExample.model_validate({name: value for name, value in item.items() if name in known})
            for item in found["examples"]
        ]
    return GateReport(
        adapter=adapter_view(row, call.actor.account_id), version=version_view(version), examples=examples
    )


@adapters.route("GET", "/v1/training", action="training.list", reply=TrainingRunPage)
async def list_own_training(call: Call, query: PageQuery) -> TrainingRunPage:
    """What is being learned from the caller's feedback, and what was, newest first."""
    rows = await library.runs_of_account(call.services.log.pool, call.actor.account_id, query.limit)
    return TrainingRunPage(items=[run_view(row) for row in rows])

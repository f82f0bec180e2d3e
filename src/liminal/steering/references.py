"""What a policy names outside itself must be there."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel

from liminal.log.log import Log
from liminal.steering.errors import ArtifactInvalid, Problem
from liminal.steering.routing_policy import ChooseBackend, RequireContext, RoutingPolicy


async def check_references(log: Log, tenant: str, body: BaseModel) -> None:
    """Return when contexts and backends that a body names are to be had. Raises ArtifactInvalid."""
    if not isinstance(body, RoutingPolicy):
        return
    problems: list[Problem] = []
    for rule_index, rule in enumerate(body.rules):
        for index, action in enumerate(rule.then):
            path = f"/rules/{rule_index}/then/{index}"
            if isinstance(action, RequireContext) and not await _has_context(log, tenant, action.context_id):
                message = f"this tenant has no knowledge context {action.context_id}"
                problems.append({"path": f"{path}/context_id", "message": message})
            if isinstance(action, ChooseBackend) and not _has_backend(log, action.backend):
                message = (
                    f"this installation has no backend {action.backend!r}; its settings name no endpoint"
                )
                problems.append({"path": f"{path}/backend", "message": message})
    if problems:
        first = problems[0]
        raise ArtifactInvalid(
            f"The policy does not fit: {first['path']}: {first['message']}", problems=problems
        )


async def _has_context(log: Log, tenant: str, context_id: UUID) -> bool:
    there = await log.pool.fetchval("SELECT to_regclass('read.contexts') IS NOT NULL")
    return bool(there) and bool(
        await log.pool.fetchval(
            "SELECT true FROM read.contexts WHERE context_id = $1 AND tenant_id::text = $2",
            context_id,
            tenant,
        )
    )


def _has_backend(log: Log, backend: str) -> bool:
    settings = log.settings
    return backend == settings.backend or (
        backend == "openai" and bool(settings.openai_base_url and settings.openai_model)
    )

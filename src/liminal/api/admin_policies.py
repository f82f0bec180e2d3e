"""/v1/admin/policies: check a routing policy, try it on past turns, read what the shadow policy would do."""

from __future__ import annotations

from liminal.api.admin_artifacts import own_tenant
from liminal.api.artifact_views import (
    PolicyBody,
    PolicyCheck,
    PolicyProblem,
    ShadowQuery,
    Vocabulary,
    VocabularyEntry,
    WhatIf,
    WhatIfQuestion,
)
from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.replay.what_if import Range, shadowed, what_if
from liminal.steering.artifacts import ensure_defaults
from liminal.steering.catalogue import artifact
from liminal.steering.errors import ArtifactInvalid
from liminal.steering.expressions import Function, Type
from liminal.steering.kinds import ROUTING, parse_body
from liminal.steering.program import Program, compile_policy
from liminal.steering.references import check_references
from liminal.steering.routing_policy import RoutingPolicy
from liminal.steering.vocabulary import ADAPTER
from liminal.steering.vocabulary import ROUTING as WORDS

admin_policies = Noun("admin")

_POLICIES = "/v1/admin/policies"


def tenants_of(tenant: str) -> tuple[str, ...] | None:
    """Whose turns an admin of a tenant may see: its own; the operator sees those of all."""
    return None if tenant == SYSTEM_TENANT else (tenant,)


@admin_policies.route(
    "GET", _POLICIES + "/vocabulary", action="artifact.read", resource=own_tenant, reply=Vocabulary
)
async def get_vocabulary(call: Call) -> Vocabulary:
    """Names and functions of the expression language, and the schema of a policy, for an editor."""
    return Vocabulary(
        names=[_name(name, type_) for name, type_ in WORDS.names.items()],
        adapter_names=[_name(name, type_) for name, type_ in ADAPTER.items()],
        functions=[_function(name, function) for name, function in WORDS.functions.items()],
        schema_=RoutingPolicy.model_json_schema(),
    )


@admin_policies.route(
    "POST", _POLICIES + "/check", action="artifact.read", resource=own_tenant, reply=PolicyCheck
)
async def check_policy(call: Call, json: PolicyBody) -> PolicyCheck:
    """Every mistake of a routing policy, with its place; nothing is stored."""
    try:
        policy = parse_body(RoutingPolicy, json.body, "The policy")
        compile_policy(policy)
        await check_references(call.services.log, call.actor.tenant_id, policy)
    except ArtifactInvalid as error:
        return PolicyCheck(
            problems=[PolicyProblem.model_validate(problem) for problem in error.details["problems"]]
        )
    return PolicyCheck(problems=[])


@admin_policies.route(
    "POST",
    _POLICIES + "/what-if",
    action="artifact.read",
    resource=own_tenant,
    reply=WhatIf,
    slot="what_if",
    errors=(404,),
)
async def ask_what_if(call: Call, json: WhatIfQuestion) -> WhatIf:
    """Route past turns of the tenant again by another policy, and compare; nothing happens."""
    services = call.services
    turns = Range(json.since, json.until, tenants=tenants_of(call.actor.tenant_id), limit=json.limit)
    found = await what_if(services.log.pool, services.embedder, await _program(call, json), turns)
    return WhatIf.model_validate(found.as_json())


@admin_policies.route("GET", _POLICIES + "/shadow", action="artifact.read", resource=own_tenant, reply=WhatIf)
async def get_shadow(call: Call, query: ShadowQuery) -> WhatIf:
    """What the shadow policy, asked beside the live one, would have done otherwise."""
    turns = Range(tenants=tenants_of(call.actor.tenant_id), limit=query.limit)
    return WhatIf.model_validate((await shadowed(call.services.log.pool, turns)).as_json())


async def _program(call: Call, json: WhatIfQuestion) -> Program:
    body = json.body
    if json.version is not None:
        await ensure_defaults(call.services.log)
        tenant = call.actor.tenant_id
        own = await artifact(call.services.log.pool, tenant, ROUTING)
        owner = tenant if own is not None else SYSTEM_TENANT
        body = (await call.services.changes.version(owner, ROUTING, json.version)).body
    return compile_policy(parse_body(RoutingPolicy, body, "The policy"))


def _name(name: str, type_: Type) -> VocabularyEntry:
    return VocabularyEntry(name=name, signature=name, help=type_.value)


def _function(name: str, function: Function) -> VocabularyEntry:
    parameters = ", ".join(type_.value.removeprefix("a ") for type_ in function.parameters)
    return VocabularyEntry(
        name=name, signature=f"{name}({parameters}) → {function.result.value}", help=function.help
    )

"""The table of rules, by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from liminal.identity.actor import Actor, Credential, Role
from liminal.identity.authorize import FRESH, RULES, SCOPES, SYSTEM_TENANT, Audience, authorize
from liminal.identity.errors import (
    AccountSuspended,
    Forbidden,
    HiddenResource,
    InsufficientScope,
    NotAuthenticated,
    ReauthenticationRequired,
)


@dataclass
class Thing:
    owner_id: UUID | None
    tenant_id: str


USER = Actor(
    account_id=uuid4(),
    tenant_id=SYSTEM_TENANT,
    role=Role.USER,
    plan="free",
    credential=Credential.SESSION,
    credential_id=uuid4(),
    authenticated_at=datetime.now(UTC),
)
ADMIN = replace(USER, account_id=uuid4(), role=Role.ADMIN)

private = pytest.mark.parametrize(
    "action", [a for a, r in RULES.items() if r.audience is not Audience.PUBLIC]
)


@private
def test_nobody_may_do_what_is_not_public(action: str) -> None:
    with pytest.raises(NotAuthenticated):
        authorize(None, action)


@private
def test_a_suspended_account_may_do_nothing(action: str) -> None:
    with pytest.raises(AccountSuspended):
        authorize(replace(ADMIN, suspended=True), action)


@private
def test_an_api_key_without_scopes_may_do_nothing(action: str) -> None:
    key = replace(ADMIN, credential=Credential.API_KEY, scopes=frozenset())
    with pytest.raises(InsufficientScope):
        authorize(key, action)


@pytest.mark.parametrize("action", [a for a, r in RULES.items() if r.audience is Audience.OPERATOR])
def test_only_admins_of_the_system_tenant_operate(action: str) -> None:
    authorize(ADMIN, action)
    for refused in (USER, replace(ADMIN, tenant_id=str(uuid4()))):
        with pytest.raises(Forbidden):
            authorize(refused, action)


@pytest.mark.parametrize("action", [a for a, r in RULES.items() if r.audience is Audience.OWNER])
def test_what_belongs_to_someone_else_looks_as_if_it_did_not_exist(action: str) -> None:
    authorize(USER, action, Thing(USER.account_id, USER.tenant_id))
    for foreign in (
        Thing(uuid4(), USER.tenant_id),
        Thing(None, USER.tenant_id),
        Thing(USER.account_id, str(uuid4())),
    ):
        for actor in (USER, replace(ADMIN, account_id=uuid4())):
            with pytest.raises(HiddenResource) as refused:
                authorize(actor, action, foreign)
            assert refused.value.code == "not_found"


@pytest.mark.parametrize("action", [a for a, r in RULES.items() if r.audience is Audience.TENANT_ADMIN])
def test_a_tenants_admin_stays_inside_the_tenant(action: str) -> None:
    tenant = str(uuid4())
    admin = replace(ADMIN, tenant_id=tenant)
    authorize(admin, action, Thing(uuid4(), tenant))
    with pytest.raises(HiddenResource):
        authorize(admin, action, Thing(uuid4(), SYSTEM_TENANT))
    with pytest.raises(Forbidden):
        authorize(replace(admin, role=Role.USER), action, Thing(uuid4(), tenant))


@pytest.mark.parametrize("action", [a for a, r in RULES.items() if r.fresh])
def test_credentials_change_only_soon_after_the_password_was_entered(action: str) -> None:
    authorize(ADMIN, action)
    for stale in (datetime.now(UTC) - FRESH - timedelta(seconds=1), None):
        with pytest.raises(ReauthenticationRequired):
            authorize(replace(ADMIN, authenticated_at=stale), action)


def test_every_scope_of_a_rule_can_be_given_to_a_key_and_every_scope_is_used() -> None:
    assert {rule.scope for rule in RULES.values() if rule.scope} == set(SCOPES)


def test_an_action_without_a_row_is_a_defect_and_not_a_permission() -> None:
    with pytest.raises(KeyError):
        authorize(ADMIN, "universe.destroy")

"""/v1/admin/accounts: what a tenant's admin sees of its accounts, and shutting one out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import Field

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.schema import Body, Page, View
from liminal.identity.accounts import AccountRow
from liminal.identity.actor import Role
from liminal.identity.errors import Forbidden

admin_accounts = Noun("admin")


@dataclass(frozen=True, slots=True)
class TenantResource:
    """A tenant as the rules look at it."""

    tenant_id: str
    owner_id: UUID | None = None


class AdministeredAccount(View):
    """An account as its tenant's admin sees it."""

    id: UUID
    email: str
    display_name: str | None
    role: Role
    plan: str
    suspended: bool
    second_factor: bool
    created_at: datetime


class AdministeredAccountPage(Page[AdministeredAccount]):
    """The accounts of the admin's tenant, oldest first."""


class Suspension(Body):
    """Why; the words go to the log."""

    reason: str | None = Field(default=None, max_length=500)


def _view(row: AccountRow) -> AdministeredAccount:
    return AdministeredAccount(
        id=row.account_id,
        email=row.email,
        display_name=row.display_name,
        role=row.role,
        plan=row.plan,
        suspended=row.suspended,
        second_factor=row.second_factor,
        created_at=row.created_at,
    )


async def _own_tenant(call: Call) -> TenantResource:
    return TenantResource(call.actor.tenant_id)


async def _account_of_path(call: Call) -> AccountRow:
    return await call.services.identity.accounts.get(call.id)


@admin_accounts.route(
    "GET",
    "/v1/admin/accounts",
    action="account.administer",
    resource=_own_tenant,
    reply=AdministeredAccountPage,
)
async def list_accounts(call: Call) -> AdministeredAccountPage:
    """The accounts of the admin's tenant."""
    rows = await call.services.identity.accounts.list(call.actor.tenant_id)
    return AdministeredAccountPage(items=[_view(row) for row in rows])


@admin_accounts.route(
    "POST",
    "/v1/admin/accounts/{id:uuid}/suspend",
    action="account.administer",
    resource=_account_of_path,
    reply=AdministeredAccount,
    errors=(404,),
)
async def suspend_account(call: Call, json: Suspension, resource: AccountRow) -> AdministeredAccount:
    """Shut an account out at once: its sessions, tokens, keys and sockets."""
    if resource.account_id == call.actor.account_id:
        raise Forbidden("An admin cannot shut themselves out.")
    accounts = call.services.identity.accounts
    await accounts.suspend(resource.account_id, by=str(call.actor.account_id), reason=json.reason)
    return _view(await accounts.get(resource.account_id))


@admin_accounts.route(
    "POST",
    "/v1/admin/accounts/{id:uuid}/reinstate",
    action="account.administer",
    resource=_account_of_path,
    reply=AdministeredAccount,
    errors=(404,),
)
async def reinstate_account(call: Call, json: Suspension, resource: AccountRow) -> AdministeredAccount:
    """Let a suspended account sign in again."""
    accounts = call.services.identity.accounts
    await accounts.reinstate(resource.account_id, by=str(call.actor.account_id), reason=json.reason)
    return _view(await accounts.get(resource.account_id))

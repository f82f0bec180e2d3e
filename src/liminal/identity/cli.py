"""``liminal admin``: accounts, from the machine that runs them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

from liminal.identity.accounts import AccountRow, NewAccount
from liminal.identity.actor import Role
from liminal.identity.authorize import SYSTEM_TENANT
from liminal.identity.service import Identity
from liminal.identity.tokens import ACCESS_LIFETIME
from liminal.log.log import Log
from liminal.settings import load_settings
from liminal.storage.redis import connect_redis

app = typer.Typer(
    help="Accounts and signing keys. Whoever can run this on the machine needs no account.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

BY = "cli"
T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Email = Annotated[str, typer.Argument(help="E-mail address of the account.")]
PasswordFile = Annotated[
    typer.FileText | None,
    typer.Option(help="File whose first line is the password, - for standard input; asked for when absent."),
]


@asynccontextmanager
async def _identity() -> AsyncGenerator[Identity]:
    settings = load_settings()
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(Log.open(settings, source="liminal/cli"))
        redis = await connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        identity = Identity(log, redis, namespace=settings.topic)
        stack.callback(identity.passwords.close)
        yield identity


def _run(work: Callable[[Identity], Awaitable[T]]) -> T:
    async def inside() -> T:
        async with _identity() as identity:
            return await work(identity)

    return asyncio.run(inside())


def _fields(account: AccountRow) -> dict[str, object]:
    return {
        "id": account.account_id,
        "email": account.email,
        "role": account.role,
        "tenant_id": account.tenant_id,
        "plan": account.plan,
        "suspended": account.suspended,
        "second_factor": account.second_factor,
        "created_at": account.created_at,
    }


def _print(value: object) -> None:
    typer.echo(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode())


@app.command()
def create(
    email: Email,
    password_file: PasswordFile = None,
    name: Annotated[str | None, typer.Option(help="Name to be shown.")] = None,
    role: Annotated[Role, typer.Option(help="What it may do in its tenant.")] = Role.ADMIN,
    tenant: Annotated[str, typer.Option(help="The tenant it belongs to.")] = SYSTEM_TENANT,
    plan: Annotated[str, typer.Option(help="Which limits apply.")] = "free",
    json: Json = False,
) -> None:
    """Make an account, an admin unless said otherwise."""
    if password_file is not None:
        password = password_file.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    new = NewAccount(email, password, name, role, tenant, plan, origin="admin")
    account = _run(lambda identity: identity.accounts.create(new))
    if json:
        _print(_fields(account))
    else:
        typer.echo(f"{account.email} is {account.role} of tenant {account.tenant_id}.")


@app.command("list")
def list_accounts(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None, json: Json = False
) -> None:
    """List accounts."""
    accounts = _run(lambda identity: identity.accounts.list(tenant))
    if json:
        _print([_fields(account) for account in accounts])
        return
    table = Table("e-mail", "role", "tenant", "plan", "second factor", "state", box=None)
    for account in accounts:
        second_factor = "yes" if account.second_factor else "no"
        state = "suspended" if account.suspended else "active"
        table.add_row(account.email, account.role, account.tenant_id, account.plan, second_factor, state)
    # a pipe has no width: nothing is cut off there
    Console(width=None if sys.stdout.isatty() else 250).print(table)


@app.command()
def suspend(
    email: Email, reason: Annotated[str | None, typer.Option(help="Why; it goes to the log.")] = None
) -> None:
    """Shut an account out at once: sessions, tokens, keys and sockets."""

    async def work(identity: Identity) -> None:
        account = await identity.accounts.find(email)
        await identity.accounts.suspend(account.account_id, by=BY, reason=reason)

    _run(work)
    typer.echo(f"{email} is out.")


@app.command()
def reinstate(
    email: Email, reason: Annotated[str | None, typer.Option(help="Why; it goes to the log.")] = None
) -> None:
    """Let a suspended account sign in again."""

    async def work(identity: Identity) -> None:
        account = await identity.accounts.find(email)
        await identity.accounts.reinstate(account.account_id, by=BY, reason=reason)

    _run(work)
    typer.echo(f"{email} may sign in again.")


@app.command()
def role(email: Email, role: Annotated[Role, typer.Argument(help="The new role.")]) -> None:
    """Make an account an admin of its tenant, or a plain user."""

    async def work(identity: Identity) -> None:
        account = await identity.accounts.find(email)
        await identity.accounts.change_role(account.account_id, role, by=BY)

    _run(work)
    typer.echo(f"{email} is {role} now.")


@app.command()
def plan(email: Email, plan: Annotated[str, typer.Argument(help="free, pro or internal.")]) -> None:
    """Give an account the limits of another plan."""

    async def work(identity: Identity) -> None:
        account = await identity.accounts.find(email)
        await identity.accounts.change_plan(account.account_id, plan, by=BY)

    _run(work)
    typer.echo(f"{email} has the plan {plan} now.")


@app.command("reset-password")
def reset_password(email: Email) -> None:
    """Print a token, good for an hour, with which the account's owner sets a new password."""

    async def work(identity: Identity) -> str:
        account = await identity.accounts.find(email)
        return await identity.tickets.issue_reset(account.account_id)

    typer.echo(_run(work))


@app.command("remove-second-factor")
def remove_second_factor(email: Email) -> None:
    """Remove a second factor whose owner lost it; check who asks as carefully as when it was set up."""

    async def work(identity: Identity) -> None:
        account = await identity.accounts.find(email)
        await identity.second_factor.remove(account.account_id, account.tenant_id, by="admin")

    _run(work)
    typer.echo(f"{email} signs in with the password alone now.")


@app.command("rotate-signing-key")
def rotate_signing_key() -> None:
    """Sign access tokens with a new key from now on; the old one verifies until its tokens have expired."""
    kid = _run(lambda identity: identity.signing_keys.rotate(ACCESS_LIFETIME))
    typer.echo(f"Tokens are signed with {kid} now.")

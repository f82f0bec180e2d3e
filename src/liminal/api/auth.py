"""/v1/auth: accounts, sessions, API keys, the second factor."""

from __future__ import annotations

from liminal.api.auth_views import (
    Account,
    AccountReply,
    ApiKey,
    ApiKeyPage,
    Code,
    CreatedApiKey,
    Login,
    LoginReply,
    NewApiKey,
    PasswordChange,
    PasswordReset,
    Reauthenticate,
    RecoveryCodes,
    Refresh,
    SecondFactorSetup,
    Session,
    SessionPage,
    Signup,
    SocketTicket,
    Tokens,
)
from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.identity.accounts import AccountRow, NewAccount
from liminal.identity.actor import Credential
from liminal.identity.api_keys import ApiKeyRow
from liminal.identity.sessions import SessionRow

auth = Noun("auth")


def account_view(call: Call, row: AccountRow) -> Account:
    """An account as its holder sees it."""
    return Account(
        id=row.account_id,
        email=row.email,
        display_name=row.display_name,
        role=row.role,
        tenant_id=row.tenant_id,
        plan=row.plan,
        created_at=row.created_at,
        second_factor=row.second_factor,
        owes_second_factor=call.services.identity.owes_second_factor(row),
    )


def _api_key_view(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        hint=row.hint,
        scopes=sorted(row.scopes),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )


@auth.route(
    "POST", "/v1/auth/signup", action="account.signup", reply=AccountReply, status=201, errors=(409, 503)
)
async def signup(call: Call, json: Signup) -> AccountReply:
    """Create an account and sign in.

    The first account of a fresh system becomes its admin.
    """
    identity = call.services.identity
    new = NewAccount(json.email, json.password.get_secret_value(), json.display_name)
    account = await identity.signup(new, call.address)
    session = await identity.open_session(account, call.user_agent, call.address)
    call.sign_in(session.token, session.max_age)
    return AccountReply(account=account_view(call, account))


@auth.route("POST", "/v1/auth/login", action="account.login", reply=LoginReply, errors=(401,))
async def login(call: Call, json: Login) -> LoginReply:
    """Sign in.

    A browser gets a session cookie; `client: api` answers with tokens instead. Where the account has a
    second factor, a first try without `otp` is answered with `second_factor_required`.
    """
    identity = call.services.identity
    account = await identity.login.verify(
        json.email, json.password.get_secret_value(), json.otp, call.address
    )
    if call.maybe_actor is not None and call.maybe_actor.credential is Credential.SESSION:
        # signing in again ends the session that the browser held (ASVS 7.2.4)
        await identity.end_credential(call.maybe_actor)
    view = account_view(call, account)
    if json.client == "api":
        tokens = await identity.open_family(account, call.user_agent, call.address)
        return LoginReply(
            account=view,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            token_type="Bearer",
            expires_in=tokens.expires_in,
        )
    session = await identity.open_session(account, call.user_agent, call.address)
    call.sign_in(session.token, session.max_age)
    return LoginReply(account=view)


@auth.route("POST", "/v1/auth/refresh", action="account.refresh", reply=Tokens, errors=(401,))
async def refresh(call: Call, json: Refresh) -> Tokens:
    """Exchange a refresh token for new tokens.

    A refresh token works once: when it is seen again, all tokens that came from the same login end.
    """
    tokens = await call.services.identity.tokens.refresh(json.refresh_token, call.address)
    return Tokens(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_in=tokens.expires_in,
    )


@auth.route("POST", "/v1/auth/logout", action="account.logout")
async def logout(call: Call) -> None:
    """End the session or token family that this request is made with."""
    await call.services.identity.end_credential(call.actor)
    if call.actor.credential is Credential.SESSION:
        call.sign_out()


@auth.route("POST", "/v1/auth/logout-all", action="account.logout")
async def logout_all(call: Call) -> None:
    """End every session and token of the account, this one too."""
    await call.services.identity.end_all(call.actor)
    if call.actor.credential is Credential.SESSION:
        call.sign_out()


@auth.route("POST", "/v1/auth/reauthenticate", action="account.reauthenticate", errors=(401,))
async def reauthenticate(call: Call, json: Reauthenticate) -> None:
    """Enter the password again, which allows changes to credentials for some minutes."""
    session = await call.services.identity.reauthenticate(
        call.actor, json.password.get_secret_value(), json.otp
    )
    if session is not None:
        call.sign_in(session.token, session.max_age)


@auth.route("POST", "/v1/auth/password", action="account.change_password", errors=(401,))
async def change_password(call: Call, json: PasswordChange) -> None:
    """Change the password; every other session and token of the account ends."""
    session = await call.services.identity.change_password(
        call.actor, json.current.get_secret_value(), json.new.get_secret_value(), json.otp
    )
    if session is not None:
        call.sign_in(session.token, session.max_age)


@auth.route(
    "POST", "/v1/auth/reset-password", action="account.reset_password", reply=AccountReply, errors=(401,)
)
async def reset_password(call: Call, json: PasswordReset) -> AccountReply:
    """Set a new password with a token of `liminal admin reset-password`; every session ends.

    Where the account has a second factor its code is needed here too.
    """
    account = await call.services.identity.reset_password(
        json.token, json.new.get_secret_value(), json.otp, call.address
    )
    return AccountReply(account=account_view(call, account))


@auth.route("GET", "/v1/auth/me", action="account.read", reply=AccountReply)
async def me(call: Call) -> AccountReply:
    """The signed-in account."""
    return AccountReply(
        account=account_view(call, await call.services.identity.accounts.get(call.actor.account_id))
    )


@auth.route("GET", "/v1/auth/sessions", action="session.list", reply=SessionPage)
async def list_sessions(call: Call) -> SessionPage:
    """Where the account is signed in."""
    rows = await call.services.identity.sessions.of_account(call.actor.account_id)
    return SessionPage(items=[_session_view(row, call) for row in rows])


def _session_view(row: SessionRow, call: Call) -> Session:
    return Session(
        id=row.id,
        kind=row.kind,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        user_agent=row.user_agent,
        address=row.address,
        current=row.id == call.actor.credential_id,
    )


async def _session_of_path(call: Call) -> SessionRow:
    return await call.services.identity.sessions.get(call.id)


@auth.route(
    "DELETE", "/v1/auth/sessions/{id:uuid}", action="session.revoke", resource=_session_of_path, errors=(404,)
)
async def revoke_session(call: Call, resource: SessionRow) -> None:
    """End one session or token family; its websockets close."""
    await call.services.identity.end_session(resource)
    if resource.id == call.actor.credential_id and call.actor.credential is Credential.SESSION:
        call.sign_out()


@auth.route("GET", "/v1/auth/api-keys", action="api_key.list", reply=ApiKeyPage)
async def list_api_keys(call: Call) -> ApiKeyPage:
    """The account's API keys, without their secrets."""
    rows = await call.services.identity.api_keys.of_account(call.actor.account_id)
    return ApiKeyPage(items=[_api_key_view(row) for row in rows])


@auth.route("POST", "/v1/auth/api-keys", action="api_key.create", reply=CreatedApiKey, status=201)
async def create_api_key(call: Call, json: NewApiKey) -> CreatedApiKey:
    """Make an API key; the reply shows it, nothing else ever does."""
    row, key = await call.services.identity.api_keys.create(
        call.actor, json.name, frozenset(json.scopes), json.expires_in_days
    )
    return CreatedApiKey(item=_api_key_view(row), key=key)


async def _api_key_of_path(call: Call) -> ApiKeyRow:
    return await call.services.identity.api_keys.get(call.id)


@auth.route(
    "DELETE", "/v1/auth/api-keys/{id:uuid}", action="api_key.revoke", resource=_api_key_of_path, errors=(404,)
)
async def revoke_api_key(call: Call, resource: ApiKeyRow) -> None:
    """Revoke an API key, at once."""
    await call.services.identity.api_keys.revoke(resource)


@auth.route(
    "POST",
    "/v1/auth/second-factor",
    action="second_factor.begin",
    reply=SecondFactorSetup,
    status=201,
    errors=(409,),
)
async def begin_second_factor(call: Call) -> SecondFactorSetup:
    """Begin to set up a one-time code (TOTP, RFC 6238) as the second factor."""
    account = await call.services.identity.accounts.get(call.actor.account_id)
    setup = await call.services.identity.second_factor.begin(account)
    return SecondFactorSetup(uri=setup.uri, secret=setup.secret)


@auth.route(
    "POST",
    "/v1/auth/second-factor/confirm",
    action="second_factor.confirm",
    reply=RecoveryCodes,
    errors=(401, 409),
)
async def confirm_second_factor(call: Call, json: Code) -> RecoveryCodes:
    """Switch the second factor on with a code of the new authenticator."""
    codes = await call.services.identity.second_factor.confirm(call.actor, json.code)
    return RecoveryCodes(recovery_codes=codes)


@auth.route("DELETE", "/v1/auth/second-factor", action="second_factor.remove", errors=(409,))
async def remove_second_factor(call: Call) -> None:
    """Switch the second factor off."""
    actor = call.actor
    await call.services.identity.second_factor.remove(actor.account_id, actor.tenant_id, by="user")


@auth.route("POST", "/v1/auth/ws-ticket", action="socket.open", reply=SocketTicket)
async def create_socket_ticket(call: Call) -> SocketTicket:
    """A ticket that opens one websocket, for clients that cannot send headers with it."""
    ticket = await call.services.identity.tickets.issue(call.actor)
    return SocketTicket(ticket=ticket.token, expires_in=ticket.expires_in)

"""The identity room as one object: what the HTTP surface, the socket and the command line use."""

from __future__ import annotations

from uuid import UUID

from redis.asyncio import Redis

from liminal.identity.accounts import AccountRow, Accounts, NewAccount
from liminal.identity.actor import Actor, Credential, Demand, Role, owes_second_factor
from liminal.identity.api_keys import PREFIX as API_KEY_PREFIX
from liminal.identity.api_keys import ApiKeys
from liminal.identity.errors import InvalidToken
from liminal.identity.journal import Journal
from liminal.identity.limits import PASSWORD_RESET, SIGNUP, Bucket, Limits
from liminal.identity.login import Login
from liminal.identity.passwords import Passwords, check_password_policy
from liminal.identity.preferences import Preferences
from liminal.identity.second_factor import SecondFactor
from liminal.identity.sessions import OpenedSession, SessionRow, Sessions
from liminal.identity.signals import Signals
from liminal.identity.signing_keys import SigningKeys
from liminal.identity.tickets import Tickets
from liminal.identity.tokens import TokenPair, Tokens
from liminal.log.events import AccountPasswordChanged, AccountSessionCreated, AccountSessionRevoked
from liminal.log.log import Log
from liminal.settings import Settings


class Identity:
    """Accounts and everything that proves who somebody is."""

    def __init__(
        self,
        log: Log,
        redis: Redis,
        *,
        namespace: str,
        rate_factor: float = 1.0,
        second_factor: Demand = "nobody",
        passwords: Passwords | None = None,
    ) -> None:
        """``second_factor``: whose accounts have to have one."""
        pool = log.pool
        self._demand: Demand = second_factor
        self.passwords = passwords or Passwords()
        self.journal = Journal(log)
        self.limits = Limits(redis, namespace, rate_factor)
        self.signals = Signals(redis, namespace)
        self.tickets = Tickets(redis, namespace)
        self.sessions = Sessions(pool, second_factor)
        self.signing_keys = SigningKeys(pool, log.vault)
        self.tokens = Tokens(pool, self.signing_keys, self.sessions, self.journal, self.signals)
        self.api_keys = ApiKeys(pool, self.journal, self.signals, second_factor)
        self.accounts = Accounts(pool, log, self.journal, self.passwords, self.sessions, self.signals)
        self.second_factor = SecondFactor(pool, log.vault, self.journal)
        self.preferences = Preferences(pool, self.journal)
        self.login = Login(pool, self.passwords, self.accounts, self.second_factor, self.limits)

    @classmethod
    def of(cls, log: Log, redis: Redis, settings: Settings) -> Identity:
        """As the settings want it."""
        return cls(
            log,
            redis,
            namespace=settings.topic,
            rate_factor=settings.rate_factor,
            second_factor=settings.second_factor,
        )

    def owes_second_factor(self, account: AccountRow) -> bool:
        """Whether the account has to have a second factor here, and has none yet."""
        return owes_second_factor(Role(account.role), account.second_factor, self._demand)

    async def signup(self, new: NewAccount, address: str) -> AccountRow:
        """An account for whoever asks from ``address``. Raises RateLimited and what ``create`` raises."""
        await self.limits.take(Bucket(f"signup:{address}", SIGNUP))
        return await self.accounts.create(new)

    async def open_session(self, account: AccountRow, user_agent: str, address: str) -> OpenedSession:
        """Sign a browser in."""
        session = await self.sessions.open(account.account_id, user_agent, address)
        event = AccountSessionCreated(
            account_id=account.account_id,
            session_id=session.id,
            kind="browser",
            user_agent=user_agent,
            address=address,
        )
        await self.journal.write(account.account_id, account.tenant_id, event)
        return session

    async def open_family(self, account: AccountRow, user_agent: str, address: str) -> TokenPair:
        """Sign an API client in."""
        family_id, tokens = await self.tokens.open_family(account.account_id, user_agent, address)
        event = AccountSessionCreated(
            account_id=account.account_id,
            session_id=family_id,
            kind="api",
            user_agent=user_agent,
            address=address,
        )
        await self.journal.write(account.account_id, account.tenant_id, event)
        return tokens

    async def actor_of_bearer(self, token: str) -> Actor | None:
        """Who sent this ``Authorization: Bearer``: an API key or an access token. Raises InvalidToken."""
        if token.startswith(API_KEY_PREFIX):
            return await self.api_keys.actor(token)
        return await self.tokens.actor(token)

    async def actor_of_ticket(self, ticket: str) -> Actor | None:
        """Who a websocket ticket was issued to, as their credential stands now; None once it is used."""
        redeemed = await self.tickets.redeem(ticket)
        if redeemed is None:
            return None
        return await self.actor_again(redeemed.credential, redeemed.credential_id)

    async def actor_again(self, credential: Credential, credential_id: UUID) -> Actor | None:
        """The holder of a credential, looked up anew; None once it has ended."""
        match credential:
            case Credential.SESSION:
                return await self.sessions.actor_by_id(credential_id)
            case Credential.TOKEN:
                return await self.sessions.family_actor(credential_id)
            case Credential.API_KEY:
                return await self.api_keys.actor_by_id(credential_id)

    async def end_credential(self, actor: Actor) -> None:
        """Sign out what the actor presented; an API key stays, it is revoked by name."""
        await self._end(actor.account_id, actor.tenant_id, actor.credential_id)

    async def end_session(self, row: SessionRow) -> None:
        """End one session or family; its sockets close."""
        await self._end(row.owner_id, row.tenant_id, row.id)

    async def _end(self, account_id: UUID, tenant_id: str, session_id: UUID) -> None:
        await self.sessions.end(session_id)
        await self.signals.revoked(account_id, session_id)
        event = AccountSessionRevoked(account_id=account_id, session_id=session_id, reason="logout")
        await self.journal.write(account_id, tenant_id, event)

    async def end_all(self, actor: Actor) -> None:
        """End every session and family of the account; its sockets close."""
        await self.sessions.end_all(actor.account_id)
        await self.signals.revoked(actor.account_id)
        event = AccountSessionRevoked(account_id=actor.account_id, session_id=None, reason="logout_all")
        await self.journal.write(actor.account_id, actor.tenant_id, event)

    async def reauthenticate(self, actor: Actor, password: str, code: str | None) -> OpenedSession | None:
        """Prove password and second factor again, which allows changes to credentials for a while.

        Returns the browser session under its new token; None for API clients. Raises what
        :meth:`Login.reauthenticate` raises.
        """
        await self.login.reauthenticate(actor, password, code)
        return await self.sessions.confirm(actor)

    async def change_password(
        self, actor: Actor, current: str, new: str, code: str | None
    ) -> OpenedSession | None:
        """Change the password; everything but the actor's own session ends, and that gets a new token.

        Raises:
            RateLimited, InvalidCredentials, SecondFactorRequired, InvalidSecondFactor, WeakPassword.
        """
        account = await self.accounts.get(actor.account_id)
        check_password_policy(new, account.email, account.display_name)
        session = await self.reauthenticate(actor, current, code)
        await self._replace_password(account, new, kept=actor.credential_id)
        return session

    async def reset_password(self, token: str, new: str, code: str | None, address: str) -> AccountRow:
        """Set a new password with a reset token of an admin; all sessions end. The second factor stays.

        Raises:
            RateLimited, InvalidToken, SecondFactorRequired, InvalidSecondFactor, WeakPassword.
        """
        bucket = Bucket(f"reset:{address}", PASSWORD_RESET)
        await self.limits.take(bucket)
        account_id = await self.tickets.account_of_reset(token)
        if account_id is None:
            raise InvalidToken("This reset token is unknown, expired or used.")
        account = await self.accounts.get(account_id)
        check_password_policy(new, account.email, account.display_name)
        await self.login.check_second_factor(account, code)
        if not await self.tickets.spend_reset(token):
            raise InvalidToken("This reset token is unknown, expired or used.")
        await self._replace_password(account, new, kept=None)
        return account

    async def _replace_password(self, account: AccountRow, new: str, kept: UUID | None) -> None:
        await self.accounts.store_password(account.account_id, new)
        await self.sessions.end_all(account.account_id, but=kept)
        await self.signals.revoked(account.account_id, kept=kept)
        event = AccountPasswordChanged(account_id=account.account_id, sessions_revoked=True)
        await self.journal.write(account.account_id, account.tenant_id, event)

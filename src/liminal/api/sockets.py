"""The open websockets of this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from uuid import UUID

from liminal.chat.session import CloseCode, Session
from liminal.errors import LiminalError
from liminal.identity.actor import Actor, Credential
from liminal.identity.authorize import authorize
from liminal.identity.limits import plan_of
from liminal.identity.signals import Revocation


class Sockets:
    """By account; the oldest gives way when the number that a plan allows is passed."""

    def __init__(self) -> None:
        self._open: defaultdict[UUID, list[Session]] = defaultdict(list)

    def add(self, session: Session) -> None:
        """Count a socket in; may close an older one of the same account."""
        sessions = self._open[session.actor.account_id]
        sessions.append(session)
        if len(sessions) > plan_of(session.actor.plan).sockets:
            sessions[0].end(CloseCode.REPLACED, "a newer socket of this account took its place")

    def remove(self, session: Session) -> None:
        """Count a socket out."""
        sessions = self._open[session.actor.account_id]
        sessions.remove(session)
        if not sessions:
            del self._open[session.actor.account_id]

    async def look_again(self, actor_again: Callable[[Credential, UUID], Awaitable[Actor | None]]) -> None:
        """Close every socket whose credential ended while nobody could say so."""
        for session in [session for sessions in self._open.values() for session in sessions]:
            actor = session.actor
            try:
                authorize(await actor_again(actor.credential, actor.credential_id), "socket.open")
            except LiminalError:
                session.end(CloseCode.NOT_AUTHENTICATED, "signed out")

    def revoke(self, revocation: Revocation) -> None:
        """Close every socket that was opened with a credential that ended."""
        for session in self._open.get(revocation.account_id, []):
            if revocation.concerns(session.actor.account_id, session.actor.credential_id):
                session.end(CloseCode.NOT_AUTHENTICATED, "signed out")

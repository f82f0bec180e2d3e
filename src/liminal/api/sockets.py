"""The open websockets of this process."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from liminal.chat.session import CloseCode, Session
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

    def revoke(self, revocation: Revocation) -> None:
        """Close every socket that was opened with a credential that ended."""
        for session in self._open.get(revocation.account_id, []):
            if revocation.concerns(session.actor.account_id, session.actor.credential_id):
                session.end(CloseCode.NOT_AUTHENTICATED, "signed out")

"""/v1/admin/log: the tail of the log with filters, one event in full, and its counts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.schema import Body, Page, PageQuery, View
from liminal.identity.authorize import authorize
from liminal.log.read import Filter

admin_log = Noun("admin")


class LogQuery(PageQuery):
    """Which events; newest last. Without ``since`` and ``cursor``: the end of the log."""

    type: str | None = Field(
        default=None, max_length=100, examples=["message.*"], description="`*` stands for any part"
    )
    owner: str | None = Field(default=None, max_length=100)
    stream: str | None = Field(default=None, max_length=200)
    since: AwareDatetime | None = None
    decrypt: bool = Field(
        default=False, description="show personal fields in the clear; needs a recent password entry"
    )


class EventQuery(Body):
    """How to show one event."""

    decrypt: bool = False


class LoggedEvent(View):
    """One event of the log."""

    position: str = Field(examples=["2:1841"])
    type: str = Field(description="`undecodable` for a record that is no event; `data.error` says why")
    time: datetime
    owner: str
    id: UUID | None = None
    version: int | None = None
    stream: str | None = None
    tenant: str | None = None
    actor: str | None = None
    source: str | None = None
    causation: str | None = None
    correlation: str | None = None
    expected_version: int | None = None
    data: dict[str, Any]
    sealed: list[str] | None = Field(
        default=None, description="with `decrypt`: the personal fields that stayed closed"
    )


class LoggedEventPage(Page[LoggedEvent]):
    """Events of all partitions by time; `next_cursor` is never null and asks for what comes after them."""


class EventCount(View):
    """How many events of a type one day brought."""

    type: str
    day: date
    count: int


class LogPartition(View):
    """The bounds of one partition."""

    partition: int
    begin_offset: int
    end_offset: int


class LogStats(View):
    """Size of the log, and its counts by type and day."""

    total: int
    partitions: list[LogPartition]
    counts: list[EventCount]


@admin_log.route("GET", "/v1/admin/log", action="log.read", reply=LoggedEventPage)
async def list_events(call: Call, query: LogQuery) -> LoggedEventPage:
    """The tail of the log, filtered.

    Personal fields stay encrypted, as they are stored, unless `decrypt` is asked for.
    """
    if query.decrypt:
        authorize(call.actor, "log.decrypt")
    wanted = Filter((query.type,) if query.type else None, query.owner, query.stream)
    page = await call.services.log_view.tail(
        wanted,
        since=query.since,
        cursor=query.cursor,
        limit=query.limit,
        decrypt=query.decrypt,
    )
    return LoggedEventPage(
        items=[LoggedEvent.model_validate(item) for item in page.items], next_cursor=page.next_cursor
    )


@admin_log.route("GET", "/v1/admin/log/stats", action="log.read", reply=LogStats)
async def get_log_stats(call: Call) -> LogStats:
    """Size of the log, and its counts by type and day."""
    return LogStats.model_validate(await call.services.log_view.stats())


@admin_log.route(
    "GET", "/v1/admin/log/{position:position}", action="log.read", reply=LoggedEvent, errors=(404,)
)
async def get_event(call: Call, query: EventQuery) -> LoggedEvent:
    """One event in full, by `partition:offset`."""
    if query.decrypt:
        authorize(call.actor, "log.decrypt")
    position = call.request.path_params["position"]
    return LoggedEvent.model_validate(await call.services.log_view.event(position, decrypt=query.decrypt))

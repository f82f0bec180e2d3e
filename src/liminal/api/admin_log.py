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

admin_log = Noun("admin")


class LogQuery(PageQuery):
    """Which events; newest last. Without ``since`` and ``cursor``: the end of the log."""

    type: str | None = Field(default=None, max_length=100, examples=["message.posted"])
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
    id: UUID
    type: str
    version: int
    stream: str
    owner: str
    tenant: str
    actor: str
    time: datetime
    causation: str | None
    correlation: str | None
    expected_version: int | None
    data: dict[str, Any]


class LoggedEventPage(Page[LoggedEvent]):
    """Events of all partitions by time."""


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
    page = await call.services.log_view.tail(
        type=query.type,
        owner=query.owner,
        stream=query.stream,
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

"""/v1/admin/projections: lag, rebuild, verify, switch, rollback and parked streams, for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.schema import Body, Page, View

admin_projections = Noun("admin")

_PATH = "/v1/admin/projections"


class ProjectionVersion(View):
    """One version of a read model; each owns a Postgres schema."""

    version: int
    schema_name: str = Field(serialization_alias="schema")
    state: Literal["live", "building", "ready", "retired"]
    progress: float | None = Field(description="0 to 1 while it is being built")
    events: int


class PartitionLag(View):
    """How far the live version has come in one partition of the log."""

    partition: int
    offset: int
    end_offset: int
    lag_events: int
    lag_seconds: float


class Projection(View):
    """A read model, its versions and its lag."""

    name: str
    description: str
    live_version: int | None
    changed: bool = Field(description="what lies in projections/ is newer than what lives: rebuild it")
    versions: list[ProjectionVersion]
    lag_events: int
    lag_seconds: float
    partitions: list[PartitionLag]
    parked: int = Field(description="streams that are parked behind an event that could not be folded")


class ProjectionPage(Page[Projection]):
    """All read models."""


class RebuildJob(View):
    """A rebuild that was started."""

    job: str


class RebuildProgress(View):
    """How far a rebuild is; events a second over the last seconds."""

    state: Literal["none", "running", "ready", "failed"]
    version: int | None
    done: int
    total: int
    rate: float
    error: str | None


class VerifyReport(View):
    """The live rows against the rows of a fresh fold of the same prefix of the log."""

    projection: str
    hash: str
    rows: int
    equal: bool
    differing: list[str] = Field(description="tables whose rows are not the same")
    events: int = Field(description="events folded for the comparison")
    parked: int = Field(description="streams that wait, whose events are in neither")


class SwitchBody(Body):
    """The version that was rebuilt and becomes the live one; whichever is ready when absent."""

    version: int | None = Field(default=None, ge=1, le=2**31 - 1)


class ParkedStream(View):
    """A stream whose events wait, in order, behind one that could not be folded."""

    projection: str
    state: str
    stream: str
    events: int
    first_position: str
    type: str
    error: str
    parked_at: datetime


class ParkedPage(Page[ParkedStream]):
    """Parked streams of one read model."""


class RetryBody(Body):
    """The stream to try again; all of them when absent."""

    stream: str | None = Field(default=None, max_length=200)


class RetriedStream(View):
    """What became of a stream; ``error`` is null when its events are folded now."""

    stream: str
    projection: str
    events: int
    error: str | None


class RetryReport(View):
    """How many events were folded now, how many stay parked, and what became of each stream."""

    folded: int
    parked: int
    streams: list[RetriedStream]


@admin_projections.route("GET", _PATH, action="projection.read", reply=ProjectionPage)
async def list_projections(call: Call) -> ProjectionPage:
    """All read models with their versions and lag."""
    items = await call.services.projections.list()
    return ProjectionPage(items=[Projection.model_validate(item) for item in items])


@admin_projections.route(
    "POST",
    _PATH + "/{name:slug}/rebuild",
    action="projection.operate",
    reply=RebuildJob,
    status=202,
    errors=(404, 409),
)
async def rebuild_projection(call: Call) -> RebuildJob:
    """Fill the next version beside the live one."""
    return RebuildJob(job=await call.services.projections.rebuild(call.name))


@admin_projections.route(
    "GET", _PATH + "/{name:slug}/rebuild", action="projection.read", reply=RebuildProgress, errors=(404,)
)
async def get_rebuild(call: Call) -> RebuildProgress:
    """How far the rebuild is."""
    return RebuildProgress.model_validate(await call.services.projections.rebuild_progress(call.name))


@admin_projections.route(
    "POST", _PATH + "/{name:slug}/verify", action="projection.operate", reply=VerifyReport, errors=(404,)
)
async def verify_projection(call: Call) -> VerifyReport:
    """Fold the log again, aside, and compare the hash of all rows."""
    return VerifyReport.model_validate(await call.services.projections.verify(call.name))


@admin_projections.route(
    "POST",
    _PATH + "/{name:slug}/switch",
    action="projection.operate",
    reply=Projection,
    errors=(404, 409),
)
async def switch_projection(call: Call, json: SwitchBody) -> Projection:
    """Make another version the live one, in one transaction."""
    return Projection.model_validate(await call.services.projections.switch(call.name, json.version))


@admin_projections.route(
    "POST",
    _PATH + "/{name:slug}/rollback",
    action="projection.operate",
    reply=Projection,
    errors=(404, 409),
)
async def rollback_projection(call: Call) -> Projection:
    """Make the version that was live before this one live again."""
    return Projection.model_validate(await call.services.projections.rollback(call.name))


@admin_projections.route(
    "GET", _PATH + "/{name:slug}/parked", action="projection.read", reply=ParkedPage, errors=(404,)
)
async def list_parked(call: Call) -> ParkedPage:
    """Streams that wait behind an event that could not be folded."""
    items = await call.services.projections.parked(call.name)
    return ParkedPage(items=[ParkedStream.model_validate(item) for item in items])


@admin_projections.route(
    "POST",
    _PATH + "/{name:slug}/parked/retry",
    action="projection.operate",
    reply=RetryReport,
    errors=(404,),
)
async def retry_parked(call: Call, json: RetryBody) -> RetryReport:
    """Fold parked events again, in their order."""
    return RetryReport.model_validate(await call.services.projections.retry(call.name, json.stream))

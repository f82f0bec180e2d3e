"""/v1/status, /healthz, /readyz: whether this installation can answer."""

from __future__ import annotations

from typing import Literal

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.schema import View

status = Noun("status")


class StatusModel(View):
    """The model that answers."""

    id: str
    licence: str | None
    notice: str | None


class Status(View):
    """``no_engine``: nothing serves a model; ``loading``: it is on its way; ``ready``: it answers."""

    state: Literal["no_engine", "loading", "ready"]
    model: StatusModel | None


class Health(View):
    """The process answers."""

    status: Literal["ok"] = "ok"


@status.route("GET", "/v1/status", action="status.read", reply=Status)
async def get_status(call: Call) -> Status:
    """Whether a model answers, and which."""
    engine = await call.services.engine_status.read()
    model = engine.model
    return Status(
        state=engine.state,
        model=model and StatusModel(id=model.id, licence=model.licence, notice=model.notice),
    )


@status.route("GET", "/healthz", action="health.read", reply=Health)
async def get_health(call: Call) -> Health:
    """This process is alive."""
    return Health()


@status.route("GET", "/readyz", action="health.read", reply=Health, errors=(503,))
async def get_readiness(call: Call) -> Health:
    """Postgres, Redis and the log answer."""
    await call.services.check_ready()
    return Health()

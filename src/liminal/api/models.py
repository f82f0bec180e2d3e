"""/v1/models: the models this installation answers with, in OpenAI's form."""

from __future__ import annotations

from typing import Literal

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.schema import View

models = Noun("models")


class ModelNotice(View):
    """What OpenAI's form has no place for."""

    bundled: bool
    demonstration: bool
    notice: str | None


class Model(View):
    """A model, as OpenAI's API describes one."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    liminal: ModelNotice


class ModelList(View):
    """The models, as OpenAI's API lists them."""

    object: Literal["list"] = "list"
    data: list[Model]


@models.route("GET", "/v1/models", action="model.list", reply=ModelList)
async def list_models(call: Call) -> ModelList:
    """The models that are being served right now; none while no engine runs."""
    status = await call.services.engine_status.read()
    if status.model is None:
        return ModelList(data=[])
    return ModelList(
        data=[
            Model(
                id=status.model.id,
                created=status.model.created,
                owned_by="liminal",
                liminal=ModelNotice(
                    bundled=status.model.bundled,
                    demonstration=status.model.demonstration,
                    notice=status.model.notice,
                ),
            )
        ]
    )

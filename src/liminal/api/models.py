"""/v1/models: the models this installation answers with, in OpenAI's form."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from liminal.api.call import Call
from liminal.api.endpoint import Noun
from liminal.api.schema import View
from liminal.chat.engine_status import ServedModel
from liminal.engine.embedder import DEFAULT_ENCODER
from liminal.learning.adapters.catalogue import ServingAdapter, serving_adapters

models = Noun("models")

ENCODER_SINCE = 1_630_368_000
"""When all-MiniLM-L6-v2 was published."""


class ModelNotice(View):
    """What OpenAI's form has no place for.

    kind: ``base`` and ``adapter`` answer chats and completions, ``encoder`` embeds.
    default: the model that liminal brings itself; then its licence, and what to know of it.
    """

    kind: Literal["base", "adapter", "encoder"]
    default: bool = False
    licence: str | None = None
    notice: str | None = None
    adapter_id: UUID | None = None
    adapter_version: int | None = None


class Model(View):
    """A model, as OpenAI's API describes one; an adapter has its base as ``parent``, as in vLLM."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "liminal"
    parent: str | None = None
    liminal: ModelNotice


class ModelList(View):
    """The models, as OpenAI's API lists them."""

    object: Literal["list"] = "list"
    data: list[Model]


@models.route("GET", "/v1/models", action="model.list", reply=ModelList)
async def list_models(call: Call) -> ModelList:
    """The model that is being served, with each adapter that the caller may use, and the encoder.

    An adapter is asked for as ``base+name``; a mixture goes into ``liminal.adapters`` of a request. While
    no engine runs there is the encoder alone.
    """
    encoder = Model(
        id=DEFAULT_ENCODER,
        created=ENCODER_SINCE,
        owned_by="sentence-transformers",
        liminal=ModelNotice(kind="encoder"),
    )
    base = (await call.services.engine_status.read()).model
    if base is None:
        return ModelList(data=[encoder])
    actor = call.actor
    adapters = await serving_adapters(call.services.log.pool, str(actor.account_id), actor.tenant_id, base.id)
    return ModelList(data=[_base(base), *(_adapter(base, item) for item in adapters), encoder])


def _base(model: ServedModel) -> Model:
    notice = ModelNotice(kind="base", default=model.default, licence=model.licence, notice=model.notice)
    return Model(id=model.id, created=model.created, liminal=notice)


def _adapter(base: ServedModel, adapter: ServingAdapter) -> Model:
    return Model(
        id=f"{base.id}+{adapter.name}",
        created=int(adapter.since.timestamp()),
        parent=base.id,
        liminal=ModelNotice(
            kind="adapter",
            default=base.default,
            licence=base.licence,
            notice=base.notice,
            adapter_id=adapter.adapter_id,
            adapter_version=adapter.version,
        ),
    )

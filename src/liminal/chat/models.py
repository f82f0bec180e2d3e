"""Which model answers: the engine here or an endpoint elsewhere, as the settings say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from liminal.chat.engine_status import ServedModel
from liminal.engine.backend import Backend
from liminal.engine.choice import choose_base
from liminal.engine.default_model import LICENCE, NOTICE
from liminal.engine.engine import Engine
from liminal.engine.options import EngineOptions
from liminal.errors import LiminalError
from liminal.settings import Settings, SettingsError

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_backend(settings: Settings) -> AsyncGenerator[Backend | LiminalError]:
    """The backend of the settings, or the error that every turn fails with: nothing imitates an answer."""
    try:
        backend = _endpoint(settings) if settings.backend == "openai" else await _engine(settings)
    except LiminalError as error:
        log.error("model.absent", code=error.code, error=error.message)
        yield error
        return
    try:
        yield backend
    finally:
        await backend.aclose()


async def _engine(settings: Settings) -> Backend:
    base = choose_base(settings)
    options = EngineOptions(
        slots=settings.slots,
        context=settings.context or None,
        rows=settings.adapter_rows,
        numbers="auto" if base.numbers == "int8" else base.numbers,
        int8=base.numbers == "int8",
        devices=settings.devices,
        ahead=settings.compile_ahead,
        compiled=settings.cache / "compiled",
    )
    return await asyncio.to_thread(Engine.load, base.path, options)


def _endpoint(settings: Settings) -> Backend:
    # an engine does without the openai package, which takes as long to import as a small model to load
    from liminal.engine.openai_backend import Endpoint, OpenAIBackend

    for name in ("openai_base_url", "openai_model"):
        if not getattr(settings, name):
            variable = f"LIMINAL_{name.upper()}"
            raise SettingsError(f"LIMINAL_BACKEND=openai needs {variable}.", variable=variable)
    return OpenAIBackend(
        Endpoint(
            base_url=settings.openai_base_url,
            model=settings.openai_model,
            api_key=settings.openai_api_key.get_secret_value() or "none",
            provider=settings.openai_provider,
            context_length=settings.openai_context,
        )
    )


def other_backend(settings: Settings) -> Backend | None:
    """The endpoint of the settings beside the engine, which a routing policy may choose; None without one."""
    if settings.backend == "openai" or not (settings.openai_base_url and settings.openai_model):
        return None
    return _endpoint(settings)


def served_model(settings: Settings, backend: Backend | LiminalError) -> ServedModel | None:
    """What /v1/models says about the model; None while there is none."""
    if isinstance(backend, LiminalError):
        return None
    default = settings.backend == "jax" and choose_base(settings).default
    return ServedModel(
        id=backend.model,
        created=int(time.time()),
        default=default,
        licence=LICENCE if default else None,
        notice=NOTICE if default else None,
    )

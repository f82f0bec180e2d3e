"""Which model answers: the engine here, as the settings say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from liminal.chat.engine_status import ServedModel
from liminal.engine.bundled import bundled_info, model_path
from liminal.engine.engine import Engine, EngineOptions
from liminal.engine.request import Delta, Request
from liminal.errors import LiminalError
from liminal.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class JaxBackend:
    """The engine in this process."""

    engine: Engine
    kind: Literal["jax"] = "jax"

    @property
    def model(self) -> str:
        """Name of the base model."""
        return self.engine.name

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return self.engine.shapes.context

    def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tokens of a rendered chat."""
        return len(self.engine.tokenizer.encode_chat(messages)[0])

    def generate(self, request: Request) -> AsyncIterator[Delta]:
        """Stream an answer."""
        return self.engine.generate(request)


@asynccontextmanager
async def open_backend(settings: Settings) -> AsyncGenerator[JaxBackend | LiminalError]:
    """The backend of the settings, or the error that every turn fails with: nothing imitates an answer."""
    options = EngineOptions(compiled=settings.cache / "compiled")
    try:
        folder = Path(settings.model) if settings.model else model_path()
        engine = await asyncio.to_thread(Engine.load, folder, options)
    except LiminalError as error:
        log.error("model.absent", code=error.code, error=error.message)
        yield error
        return
    try:
        yield JaxBackend(engine)
    finally:
        await asyncio.to_thread(engine.close)


def served_model(settings: Settings, backend: JaxBackend | LiminalError) -> ServedModel | None:
    """What /v1/models says about the model."""
    if isinstance(backend, LiminalError):
        return None
    bundled = not settings.model
    return ServedModel(
        id=backend.model,
        created=0,
        bundled=bundled,
        demonstration=bundled,
        notice=bundled_info()["notice"] if bundled else None,
    )

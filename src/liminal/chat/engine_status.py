"""What the engine worker says about itself: a key in Redis that it renews while it lives."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

TTL = 15
"""Seconds after which a worker that stopped renewing counts as gone."""


class ServedModel(BaseModel):
    """The base model that answers.

    created: Unix seconds, as OpenAI's API wants them.
    default: nobody chose it.
    licence, notice: of the default model, for people to read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    created: int
    default: bool = False
    licence: str | None = None
    notice: str | None = None


class EngineState(BaseModel):
    """Whether a worker is there, and with which model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["no_engine", "loading", "ready"] = "no_engine"
    model: ServedModel | None = None


class EngineStatus:
    """Written by the worker, read by the HTTP surface."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._key = f"{namespace}:engine"

    async def announce(self, state: EngineState) -> None:
        """Say how the engine is, for the next :data:`TTL` seconds."""
        await self._redis.set(self._key, state.model_dump_json(), ex=TTL)

    async def read(self) -> EngineState:
        """What was last said; ``no_engine`` when nothing was, or too long ago."""
        value: Any = await self._redis.get(self._key)
        return EngineState() if value is None else EngineState.model_validate_json(value)

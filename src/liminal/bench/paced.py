"""A load generator for ``liminal bench turns``: a worker whose "model" says the time at a fixed pace.

It stands where the engine would, in the real worker loop, so that what is left is what the system adds. No
setting leads here: this module is started by the benchmark alone, as ``python -m liminal.bench.paced``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import uvloop

from liminal.chat.worker import respond_app
from liminal.engine.backend import Backend
from liminal.engine.request import Delta, Message, Request, Usage
from liminal.logging import configure_logging
from liminal.settings import Settings, load_settings

FIRST, PACE = 0.05, 0.05
"""Seconds from the request to the first token, and between tokens: 20 a second."""


class Paced:
    """Every token is ``<asked>:<said> ``: when the request came and when the token was handed over.

    Both are nanoseconds of the clock that all processes of a machine share (CLOCK_MONOTONIC).
    """

    kind: Literal["jax", "openai"] = "jax"
    model = "paced"
    context_length = 1 << 20

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """A word a token."""
        return sum(len(str(message["content"]).split()) for message in messages)

    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        """As many tokens as were asked for, at the pace."""
        asked, count = time.monotonic_ns(), request.sampling.max_tokens or 1
        for number in range(count):
            due = asked / 1e9 + FIRST + number * PACE
            await asyncio.sleep(due - time.monotonic())
            last = number == count - 1
            yield Delta(
                index=0,
                text=f"{asked}:{time.monotonic_ns()} ",
                tokens=(number,),
                finish="length" if last else None,
                usage=Usage(prompt_tokens=1, completion_tokens=count, cached_tokens=0) if last else None,
            )

    async def aclose(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def open_paced(_settings: Settings) -> AsyncGenerator[Backend]:
    """The paced backend, where a worker would load its model."""
    yield Paced()


async def main() -> None:
    """Answer turns until stopped."""
    settings = load_settings()
    configure_logging(settings, "paced")
    async with respond_app(settings, ["respond"], open_paced) as app:
        await app.run()


if __name__ == "__main__":
    uvloop.run(main())

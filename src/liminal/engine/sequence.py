"""One answer on its way through the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from liminal.engine.grammar import Constraint
from liminal.engine.prefix import Mixture, span_keys
from liminal.engine.request import Delta, Finish, Priority, Sampling, TokenLogprob, Usage
from liminal.engine.tokenizer import TextStream

Sink = Callable[[Delta | BaseException], None]
"""Where deltas go; called from the decoding thread, an exception ends the answer."""


@dataclass(eq=False)
class Answer:
    """The state of one answer.

    Attributes:
      prompt: token ids; the first ``system_tokens`` of them are the system prompt's alone.
      sampling: complete (nothing left to the model's defaults), with its seed.
      mixture: (content hash, gate) of every adapter.
      limit: most tokens to generate.
      generated: tokens so far, resumed ones included.
      slot: the cache row while running; filled: how many positions of it hold this answer.
    """

    prompt: list[int]
    system_tokens: int
    sampling: Sampling
    mixture: Mixture
    limit: int
    ends: frozenset[int]
    stream: TextStream
    sink: Sink
    index: int = 0
    tenant: str = ""
    owner: str = ""
    priority: Priority = Priority.INTERACTIVE
    deadline: float | None = None
    constraint: Constraint | None = None
    generated: list[int] = field(default_factory=list[int])
    slot: int = -1
    filled: int = 0
    cached: int = 0
    admitted: int = 0
    gates: NDArray[np.float32] | None = None
    cancelled: bool = False
    finished: bool = False
    failure: BaseException | None = None

    @property
    def contents(self) -> list[str]:
        """Content hashes of the adapters."""
        return [content for content, _ in self.mixture]

    @property
    def tokens(self) -> list[int]:
        """Prompt and answer so far."""
        return self.prompt + self.generated

    @property
    def length(self) -> int:
        """Tokens of prompt and answer so far."""
        return len(self.prompt) + len(self.generated)

    @property
    def decoding(self) -> bool:
        """Whether all but the newest token is in the cache, so that the next step may decode."""
        return self.slot >= 0 and bool(self.generated) and self.filled >= self.length - 1

    @property
    def penalised(self) -> bool:
        """Whether the sampling rules look at earlier tokens."""
        rules = self.sampling
        return (rules.repetition_penalty, rules.presence_penalty, rules.frequency_penalty) != (1.0, 0.0, 0.0)

    def expired(self) -> bool:
        """Whether its time is over."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def span_keys(self) -> list[bytes]:
        """Names of the whole spans of prompt and answer so far."""
        return span_keys(self.tokens, self.mixture, self.tenant, self.system_tokens)

    def resume(self, tokens: Sequence[int]) -> None:
        """Go on after tokens that were generated and sent before, without sending them again."""
        for token in tokens:
            self.generated.append(token)
            self.stream.push(token)
            if self.constraint is not None:
                self.constraint.accept(token)

    def accept(self, token: int, logprob: TokenLogprob | None) -> None:
        """Take the next token, send what can be shown, and finish if this was the last."""
        self.generated.append(token)
        text, finish = "", self._finish_of(token)
        if finish is None:
            if self.constraint is not None:
                self.constraint.accept(token)
            text, stopped = self.stream.push(token)
            if stopped or (self.constraint is not None and self.constraint.done):
                finish = "stop"
            elif len(self.generated) >= self.limit:
                finish = "length"
            if finish is not None and not stopped:
                text += self.stream.finish()
        else:
            text = self.stream.finish()
        self._send(text, (token,), () if logprob is None else (logprob,), finish)

    def cancel(self) -> None:
        """End early, keeping what was sent."""
        self._send("", (), (), "cancelled")

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self.finished, self.failure = True, error
        self.sink(error)

    def _finish_of(self, token: int) -> Finish | None:
        if token in self.sampling.stop_tokens or (token in self.ends and not self.sampling.ignore_eos):
            return "stop"
        return None

    def _send(
        self, text: str, tokens: Sequence[int], logprobs: Sequence[TokenLogprob], finish: Finish | None
    ) -> None:
        usage = None
        if finish is not None:
            self.finished = True
            usage = Usage(len(self.prompt), len(self.generated), self.cached)
        self.sink(
            Delta(
                index=self.index,
                text=text,
                tokens=tuple(tokens),
                logprobs=tuple(logprobs),
                finish=finish,
                usage=usage,
                seed=self.sampling.seed if finish is not None else None,
            )
        )

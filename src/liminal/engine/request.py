"""What is asked of the engine, and what comes back."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from liminal.engine.errors import RequestInvalid

Message = Mapping[str, Any]
"""A chat message: ``role``, ``content``, and whatever else the chat template understands."""

TOP_LOGPROBS = 20
"""Most alternatives whose log-probabilities can be asked for."""

Finish = Literal["stop", "length", "cancelled"]


class Priority(enum.IntEnum):
    """Interactive turns are admitted before batch work, whatever their owners."""

    INTERACTIVE = 0
    BATCH = 1


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen. A field left None takes the model's generation_config, then the neutral value.

    Attributes:
      temperature: 0 is greedy.
      seed: the same seed gives the same tokens; None draws one, which the last delta reports.
      max_tokens: None is as many as the context holds.
      stop: the answer ends before the first of these strings.
      stop_tokens: the answer ends at these token ids, beside the model's own end tokens.
      logprobs: how many alternatives to report for every token (0: the chosen one only).
      json_schema: the answer is a JSON value of this schema; ``{}`` is any JSON value.
      ignore_eos: go on after the model's end tokens, for measuring.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[int, ...] = ()
    logprobs: int | None = None
    json_schema: Mapping[str, Any] | None = None
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        """Raise RequestInvalid for a value that can never be meant."""
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise RequestInvalid(f"{name} must be between {low} and {high}, not {value!r}", field=name)
        if any(not text for text in self.stop):
            raise RequestInvalid("a stop string must not be empty", field="stop")

    def over(self, defaults: Sampling) -> Sampling:
        """These rules where given, else those of ``defaults``."""
        chosen = {
            item.name: getattr(defaults, item.name)
            if getattr(self, item.name) is None
            else getattr(self, item.name)
            for item in fields(self)
        }
        return Sampling(**chosen)


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 100.0),
    "top_k": (0, 1 << 30),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (0.01, 100.0),
    "presence_penalty": (-100.0, 100.0),
    "frequency_penalty": (-100.0, 100.0),
    "seed": (0, (1 << 64) - 1),
    "max_tokens": (1, 1 << 30),
    "logprobs": (0, TOP_LOGPROBS),
}

NEUTRAL = Sampling(
    temperature=1.0,
    top_k=0,
    top_p=1.0,
    min_p=0.0,
    repetition_penalty=1.0,
    presence_penalty=0.0,
    frequency_penalty=0.0,
)


@dataclass(frozen=True)
class Request:
    """One generation.

    Attributes:
      prompt: text or token ids to continue; or
      messages: a chat, rendered with the model's template (``tools`` go to the template).
        What reads like a control token in either text is only text; as token ids they are themselves.
      adapters: registered adapter → gate; the answer uses exactly Σ gate · B · A · x.
      n: how many answers; answer i uses seed + i and its deltas carry index i.
      tenant: prefixes are cached within one tenant, but for the system prompt's.
      owner: waiting requests are admitted fairly between owners.
      timeout: seconds from submission to the last token.
      resume: tokens that an earlier worker generated already with this seed; they are not sent again.
    """

    prompt: str | Sequence[int] | None = None
    messages: Sequence[Message] | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    adapters: Mapping[str, float] = field(default_factory=dict[str, float])
    sampling: Sampling = Sampling()
    n: int = 1
    tenant: str = ""
    owner: str = ""
    priority: Priority = Priority.INTERACTIVE
    timeout: float | None = None
    resume: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Raise RequestInvalid for a request that can never run."""
        if (self.prompt is None) == (self.messages is None):
            raise RequestInvalid("give either prompt or messages")
        if not 1 <= self.n <= 128:
            raise RequestInvalid(f"n must be between 1 and 128, not {self.n}", field="n")
        if self.timeout is not None and self.timeout <= 0:
            raise RequestInvalid("timeout must be positive", field="timeout")
        if self.resume and self.n != 1:
            raise RequestInvalid("only a single answer can be resumed", field="resume")


@dataclass(frozen=True)
class TokenLogprob:
    """The model's own log-probability (nats) of a chosen token, and of the most likely alternatives."""

    token: int
    text: str
    logprob: float
    top: tuple[tuple[int, str, float], ...] = ()


@dataclass(frozen=True)
class Usage:
    """What an answer took: token counts, and how many prompt tokens came from the prefix cache."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


@dataclass(frozen=True)
class Delta:
    """A piece of an answer.

    Attributes:
      text: whole code points, never part of a stop string; may be empty.
      tokens: the token ids generated since the last delta (text may lag behind them).
      finish: set on the last delta of an answer, with usage and the seed that was used.
    """

    index: int
    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: Finish | None = None
    usage: Usage | None = None
    seed: int | None = None

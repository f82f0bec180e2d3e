"""Bodies and replies of the OpenAI-compatible surface, with our extension under ``liminal``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from liminal.api.errors import InvalidRequest
from liminal.api.schema import Body
from liminal.chat.frames import MAX_CONTENT
from liminal.engine.request import TOP_LOGPROBS
from liminal.log.events import TurnOptions

SAMPLING = ("top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")


class TextPart(BaseModel):
    """A part of a message; only text can be read."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str = Field(max_length=MAX_CONTENT)


class ChatMessage(BaseModel):
    """A message of the transcript. ``developer`` is read as ``system``."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_CONTENT)] | list[TextPart]

    @property
    def text(self) -> str:
        """The words."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class Extension(Body):
    """What OpenAI's form has no place for.

    adapters: a mixture, adapter name → gate; it replaces the router's choice.
    learned: false answers without what was learned.
    """

    adapters: dict[str, float] = Field(default_factory=dict, max_length=16)
    learned: bool = True


class StreamOptions(BaseModel):
    """OpenAI's ``stream_options``."""

    include_usage: bool = False


class Generation(Body):
    """What chat and text completions share. Fields that would change the answer and can't are refused."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=300)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(default=1, ge=1, le=8)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=1_000_000)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**53)
    logit_bias: dict[str, float] | None = None
    liminal: Extension = Field(default_factory=Extension)

    @property
    def alternatives(self) -> int | None:
        """How many likely tokens to tell at every place, with their logprobs; None: nothing of the kind."""
        return None

    def refuse_missing(self, *fields: str) -> None:
        """Raise InvalidRequest for a field that asks for what turns do not have."""
        for name in ("logit_bias", *fields):
            if getattr(self, name):
                raise InvalidRequest(f"{name} is not supported here.", field=name)

    def turn_options(self, base: str, system: str | None, **extra: Any) -> TurnOptions:
        """The options of the turn. ``model`` may name an adapter: ``base+adapter``."""
        adapters = dict(self.liminal.adapters)
        name, plus, adapter = self.model.partition("+")
        if name != base:
            raise InvalidRequest(f"There is no model {self.model!r}; this is {base!r}.", field="model")
        if plus:
            adapters.setdefault(adapter, 1.0)
        sampling = {field: value for field in SAMPLING if (value := getattr(self, field)) is not None}
        if self.alternatives is not None:
            sampling["logprobs"] = self.alternatives
        more: dict[str, Any] = {name: value for name, value in extra.items() if value is not None}
        if sampling:
            more["sampling"] = sampling
        if adapters:
            more["adapters"] = adapters
        return TurnOptions(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_completion_tokens or self.max_tokens,
            seed=self.seed,
            stop=[self.stop] if isinstance(self.stop, str) else self.stop,
            without_learning=not self.liminal.learned,
            system=system,
            extra=more or None,
        )


class JsonSchema(BaseModel):
    """The schema that an answer has to follow."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    name: str = "answer"
    json_schema: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """OpenAI's ``response_format``."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @property
    def constraint(self) -> dict[str, Any] | None:
        """The JSON schema to decode by; ``{}`` is any JSON value."""
        if self.type == "text":
            return None
        return self.json_schema.json_schema if self.json_schema else {}


class ChatCompletionRequest(Generation):
    """POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=2000)
    response_format: ResponseFormat | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    audio: dict[str, Any] | None = None
    web_search_options: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=TOP_LOGPROBS)

    @model_validator(mode="after")
    def _top_of_some(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs: true")
        return self

    @property
    def alternatives(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None


class CompletionRequest(Generation):
    """POST /v1/completions: text to continue, without a chat template."""

    prompt: str = Field(max_length=MAX_CONTENT)
    echo: bool = False
    suffix: str | None = None
    best_of: int | None = Field(default=None, ge=1, le=1)
    logprobs: int | None = Field(default=None, ge=0, le=TOP_LOGPROBS)

    @property
    def alternatives(self) -> int | None:
        return self.logprobs


class AnyReply(BaseModel):
    """An object of OpenAI's API; its reference describes the fields."""

    model_config = ConfigDict(extra="allow")

    object: str

"""What travels over the chat websocket: commands up, frames down. docs/protocol.md explains them.

A frame of a turn carries ``seq``, counting up from 1 within the turn, so that a client that lost its socket
asks for what comes after the last one it saw. Frames outside a turn have no turn and ``seq`` 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from liminal.errors import LiminalError

PROTOCOL_VERSION = 1
MAX_CONTENT = 64_000
"""Characters of one message; a longer text belongs in a file."""


class BadCommand(LiminalError):
    """A command that is not one of the protocol's; the socket stays open."""

    code = "bad_command"


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the character U+0000 is not allowed in text")
    return text


Words = Annotated[str, AfterValidator(_storable)]
"""Text as the read models can hold it."""


class Options(BaseModel):
    """How one answer is made. Absent values are the model's own generation settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=32_768)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    learned: bool = Field(default=True, description="false: answer without what was learned from feedback")
    adapters: dict[Words, Annotated[float, Field(allow_inf_nan=False)]] | None = Field(
        default=None, description="a mixture asked for by name: adapter → gate; it replaces the router's"
    )


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1


class Send(_Command):
    """A new user message, at the end of a branch (``parent_id``) or in a new conversation."""

    cmd: Literal["send"]
    client_id: UUID = Field(description="chosen by the client; sending it again does not post again")
    conversation_id: UUID | None = None
    parent_id: UUID | None = None
    content: Words = Field(min_length=1, max_length=MAX_CONTENT)
    options: Options = Options()


class Edit(_Command):
    """Another wording of an earlier user message: a sibling of it, with an answer of its own."""

    cmd: Literal["edit"]
    client_id: UUID
    message_id: UUID
    content: Words = Field(min_length=1, max_length=MAX_CONTENT)
    options: Options = Options()


class Regenerate(_Command):
    """Another answer to the user message that ``message_id`` (an answer) followed."""

    cmd: Literal["regenerate"]
    client_id: UUID
    message_id: UUID
    options: Options = Options()


class Cancel(_Command):
    """Stop a turn; what was written so far is kept."""

    cmd: Literal["cancel"]
    turn_id: UUID


class Resume(_Command):
    """Send the frames of a turn from ``after_seq`` on, and go on with it live."""

    cmd: Literal["resume"]
    turn_id: UUID
    after_seq: int = Field(default=0, ge=0, le=2**31 - 1)


class Ping(_Command):
    """Answered with ``pong``."""

    cmd: Literal["ping"]


Command = Annotated[Send | Edit | Regenerate | Cancel | Resume | Ping, Field(discriminator="cmd")]
_commands: TypeAdapter[Command] = TypeAdapter(Command)


def parse_command(text: str | bytes) -> Command:
    """The command in one websocket message. Raises BadCommand with the path of the first wrong field."""
    if isinstance(text, bytes):
        raise BadCommand("command: a command is a text message, not a binary one", field="command")
    try:
        return _commands.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"]) or "command"
        raise BadCommand(f"{path}: {first['msg']}", field=path) from None


class _Frame(BaseModel):
    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    turn_id: UUID | None = None
    seq: int = 0


class AdapterUse(BaseModel):
    """One adapter in one answer: which version, at which gate."""

    adapter_id: UUID
    name: str
    version: int
    gate: float
    content_hash: str


class Accepted(_Frame):
    """The command became events; the turn has begun."""

    type: Literal["accepted"] = "accepted"
    client_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    assistant_message_id: UUID
    parent_id: UUID | None = None


class Routed(_Frame):
    """Which model, adapters and policy make this answer, and with which seed."""

    type: Literal["routed"] = "routed"
    model: str
    adapters: list[AdapterUse] = []
    policy_version: int
    seed: int


class TopLogprob(BaseModel):
    """A token that was likely at some place, and its log-probability in nats."""

    model_config = ConfigDict(frozen=True)

    text: str
    logprob: float


class TokenLogprob(TopLogprob):
    """A token of the answer; ``top``: the likeliest ones there, as many as were asked for."""

    top: tuple[TopLogprob, ...] = ()


def _absent(value: object) -> bool:
    return value is None


def _may_lack_logprobs(schema: dict[str, Any]) -> None:
    # a default tells generators of types that it is always sent; what is null here is left out
    del schema["properties"]["logprobs"]["default"]


class Token(_Frame):
    """More text of the answer. It never splits a code point.

    logprobs: only where they were asked for: those of the tokens decoded since the frame before. The text may
    lag behind them by what is held back for a code point or a stop string.
    """

    model_config = ConfigDict(json_schema_extra=_may_lack_logprobs)

    type: Literal["token"] = "token"
    text: str
    logprobs: tuple[TokenLogprob, ...] | None = Field(default=None, exclude_if=_absent)

    def and_then(self, more: Token) -> Token:
        """Both as one frame."""
        logprobs = self.logprobs
        if more.logprobs is not None:
            logprobs = (*(logprobs or ()), *more.logprobs)
        return Token(text=self.text + more.text, logprobs=logprobs)


class Citation(_Frame):
    """A source that the answer used."""

    type: Literal["citation"] = "citation"
    citation: dict[str, Any]


class Usage(BaseModel):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int


class MessageDone(_Frame):
    """The whole answer, as it stands in the history: it wins over the tokens before it."""

    type: Literal["message_done"] = "message_done"
    message: dict[str, Any]
    finish_reason: str
    usage: Usage


class ErrorFrame(_Frame):
    """Something was refused or failed; with a turn it ends the turn."""

    type: Literal["error"] = "error"
    code: str
    message: str
    retryable: bool = False
    client_id: UUID | None = None
    details: dict[str, Any] = {}


class Cancelled(_Frame):
    """The turn was stopped; ``message`` is what had been written, or null."""

    type: Literal["cancelled"] = "cancelled"
    message: dict[str, Any] | None = None


class Pong(_Frame):
    """The answer to ``ping``."""

    type: Literal["pong"] = "pong"


class Notice(_Frame):
    """News outside a turn, such as a title that a conversation was given."""

    type: Literal["event"] = "event"
    kind: str
    data: dict[str, Any] = {}


Frame = Accepted | Routed | Token | Citation | MessageDone | ErrorFrame | Cancelled | Pong | Notice
TURN_FRAMES = Accepted | Routed | Token | Citation | MessageDone | ErrorFrame | Cancelled
FINAL_TYPES = frozenset({"message_done", "error", "cancelled"})
"""The last frame of a turn has one of these types."""


def frame_schema() -> dict[str, Any]:
    """JSON Schema of commands (``Command``) and frames (``Frame``), for clients to generate types from."""
    frames: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="type")])
    commands = _commands.json_schema(ref_template="#/$defs/{model}")
    down = frames.json_schema(ref_template="#/$defs/{model}", mode="serialization")
    definitions = {**commands.pop("$defs", {}), **down.pop("$defs", {})}
    definitions["Command"] = commands
    definitions["Frame"] = down
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions}

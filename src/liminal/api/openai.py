"""The OpenAI-compatible surface: every request is a turn on the log like any other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response, StreamingResponse

from liminal.api.call import Call
from liminal.api.chat import answer_of
from liminal.api.endpoint import Noun
from liminal.api.errors import NotReady
from liminal.api.openai_views import AnyReply, ChatCompletionRequest, CompletionRequest, Generation
from liminal.api.reply import json_response
from liminal.chat.transcripts import Line
from liminal.chat.turns import Begun
from liminal.log.events import TurnOptions

openai = Noun("openai")

_FINISH = {"length": "length", "timeout": "length", "content_filter": "content_filter"}


@openai.route("POST", "/v1/chat/completions", action="chat.turn", reply=AnyReply, slot="turn", errors=(502,))
async def create_chat_completion(call: Call, json: ChatCompletionRequest) -> Response:
    """OpenAI's chat completions.

    ``model`` may be ``base+adapter``; a mixture goes into ``liminal.adapters``.
    """
    json.refuse_missing("tools", "functions", "audio", "web_search_options")
    system = "\n".join(m.text for m in json.messages if m.role in ("system", "developer")) or None
    constraint = json.response_format.constraint if json.response_format else None
    options = json.turn_options(await _base(call), system, json_schema=constraint)
    lines = [Line(m.role, m.text) for m in json.messages if m.role in ("user", "assistant")]
    return await _answer(call, json, system, lines, options, _Chat(json.model))


@openai.route("POST", "/v1/completions", action="chat.turn", reply=AnyReply, slot="turn", errors=(502,))
async def create_completion(call: Call, json: CompletionRequest) -> Response:
    """OpenAI's text completions: the prompt is continued as it is, without a chat template."""
    json.refuse_missing("echo", "suffix")
    options = json.turn_options(await _base(call), None, raw=True)
    return await _answer(call, json, None, [Line("user", json.prompt)], options, _Text(json.model))


async def _base(call: Call) -> str:
    status = await call.services.engine_status.read()
    if status.model is None:
        raise NotReady("No model answers at the moment.")
    return status.model.id


async def _answer(
    call: Call, request: Generation, system: str | None, lines: list[Line], options: TurnOptions, form: _Form
) -> Response:
    begun = await call.services.transcripts.begin(call.actor, system, lines, options, request.n)
    if request.stream:
        usage = request.stream_options is not None and request.stream_options.include_usage
        return StreamingResponse(_events(call, begun, form, usage), media_type="text/event-stream")
    messages = await asyncio.gather(*(answer_of(call, turn) for turn in begun))
    choices = [form.choice(i, m["content"], _finish(m)) for i, m in enumerate(messages)]
    body = form.body(begun[0], choices)
    body["usage"] = _usage(messages)
    body["liminal"] = {"turns": [_ours(turn, message) for turn, message in zip(begun, messages, strict=True)]}
    return json_response(body)


async def _events(call: Call, begun: list[Begun], form: _Form, with_usage: bool) -> AsyncGenerator[bytes]:
    """Server-sent events of all answers as they come (WHATWG HTML, section 9.2), ``[DONE]`` last."""
    arrived: asyncio.Queue[tuple[int, dict[str, Any]]] = asyncio.Queue()
    index_of = {turn.turn_id: index for index, turn in enumerate(begun)}

    def sink(turn_id: UUID, _seq: int, _kind: str, frame: bytes, _final: bool) -> bool:
        arrived.put_nowait((index_of[turn_id], orjson.loads(frame)))
        return True

    hub = call.services.hub
    subscriptions = [await hub.subscribe(turn.turn_id, 0, sink) for turn in begun]
    messages: list[dict[str, Any]] = []
    try:
        for index in range(len(begun)):
            yield _sse(form.chunk(begun[0], [form.opening(index)]))
        left = len(begun)
        while left:
            index, frame = await arrived.get()
            match frame["type"]:
                case "token":
                    yield _sse(form.chunk(begun[0], [form.delta(index, frame["text"])]))
                case "message_done":
                    left -= 1
                    messages.append(frame["message"])
                    yield _sse(form.chunk(begun[0], [form.closing(index, _finish(frame["message"]))]))
                case "error":
                    left -= 1
                    yield _sse({"error": {"code": frame["code"], "message": frame["message"]}})
                case "cancelled":
                    left -= 1
                    yield _sse(form.chunk(begun[0], [form.closing(index, "stop")]))
                case _:
                    pass
        if with_usage:
            yield _sse(form.chunk(begun[0], []) | {"usage": _usage(messages)})
        yield b"data: [DONE]\n\n"
    finally:
        for subscription in subscriptions:
            hub.unsubscribe(subscription)


def _sse(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def _finish(message: dict[str, Any]) -> str:
    return _FINISH.get(message["trace"]["finish_reason"], "stop")


def _usage(messages: list[dict[str, Any]]) -> dict[str, Any]:
    read = sum(m["usage"]["prompt_tokens"] for m in messages[:1])
    written = sum(m["usage"]["completion_tokens"] for m in messages)
    cached = sum(m["usage"]["cached_tokens"] for m in messages[:1])
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _ours(turn: Begun, message: dict[str, Any]) -> dict[str, Any]:
    return {
        "turn_id": str(turn.turn_id),
        "conversation_id": str(turn.conversation_id),
        "message_id": message["id"],
        "trace": message["trace"],
    }


class _Form:
    """How chat and text completions differ on the wire."""

    id_prefix = ""
    whole = ""
    part = ""

    def __init__(self, model: str) -> None:
        self._model = model
        self._created = int(time.time())

    def _envelope(self, turn: Begun, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"{self.id_prefix}-{turn.turn_id.hex}",
            "object": kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }

    def body(self, turn: Begun, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._envelope(turn, self.whole, choices)

    def chunk(self, turn: Begun, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._envelope(turn, self.part, choices)

    def choice(self, index: int, text: str, finish: str) -> dict[str, Any]:
        raise NotImplementedError

    def opening(self, index: int) -> dict[str, Any]:
        raise NotImplementedError

    def delta(self, index: int, text: str) -> dict[str, Any]:
        raise NotImplementedError

    def closing(self, index: int, finish: str) -> dict[str, Any]:
        raise NotImplementedError


class _Chat(_Form):
    id_prefix, whole, part = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice(self, index: int, text: str, finish: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, "finish_reason": finish, "logprobs": None}

    def opening(self, index: int) -> dict[str, Any]:
        return self._delta(index, {"role": "assistant", "content": ""}, None)

    def delta(self, index: int, text: str) -> dict[str, Any]:
        return self._delta(index, {"content": text}, None)

    def closing(self, index: int, finish: str) -> dict[str, Any]:
        return self._delta(index, {}, finish)

    @staticmethod
    def _delta(index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}


class _Text(_Form):
    id_prefix, whole, part = "cmpl", "text_completion", "text_completion"

    def choice(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        return {"index": index, "text": text, "finish_reason": finish, "logprobs": None}

    def opening(self, index: int) -> dict[str, Any]:
        return self.choice(index, "", None)

    def delta(self, index: int, text: str) -> dict[str, Any]:
        return self.choice(index, text, None)

    def closing(self, index: int, finish: str) -> dict[str, Any]:
        return self.choice(index, "", finish)

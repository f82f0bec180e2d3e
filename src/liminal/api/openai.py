"""The OpenAI-compatible surface: every request is a turn on the log like any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response, StreamingResponse

from liminal.api.call import Call
from liminal.api.chat import answer_of
from liminal.api.endpoint import Noun
from liminal.api.errors import NotReady
from liminal.api.openai_forms import ChatForm, Form, TextForm
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
    return await _answer(call, json, system, lines, options, ChatForm(json.model))


@openai.route("POST", "/v1/completions", action="chat.turn", reply=AnyReply, slot="turn", errors=(502,))
async def create_completion(call: Call, json: CompletionRequest) -> Response:
    """OpenAI's text completions: the prompt is continued as it is, without a chat template."""
    json.refuse_missing("echo", "suffix")
    options = json.turn_options(await _base(call), None, raw=True)
    return await _answer(call, json, None, [Line("user", json.prompt)], options, TextForm(json.model))


async def _base(call: Call) -> str:
    status = await call.services.engine_status.read()
    if status.model is None:
        raise NotReady("No model answers at the moment.")
    return status.model.id


async def _answer(
    call: Call, request: Generation, system: str | None, lines: list[Line], options: TurnOptions, form: Form
) -> Response:
    begun = await call.services.transcripts.begin(call.actor, system, lines, options, request.n)
    if request.stream:
        usage = request.stream_options is not None and request.stream_options.include_usage
        return StreamingResponse(_events(call, begun, form, usage), media_type="text/event-stream")
    weighed: list[list[dict[str, Any]] | None] = [None if request.alternatives is None else [] for _ in begun]
    messages = await asyncio.gather(
        *(answer_of(call, turn, _gather(told)) for turn, told in zip(begun, weighed, strict=True))
    )
    choices = [form.choice(i, m["content"], _finish(m), weighed[i]) for i, m in enumerate(messages)]
    body = form.body(begun[0], choices)
    body["usage"] = _usage(messages)
    body["liminal"] = {"turns": [_ours(turn, message) for turn, message in zip(begun, messages, strict=True)]}
    return json_response(body)


def _gather(told: list[dict[str, Any]] | None) -> Callable[[dict[str, Any]], None] | None:
    """What puts the log-probabilities of token frames into ``told``."""
    return None if told is None else lambda frame: told.extend(frame.get("logprobs") or ())


async def _events(call: Call, begun: list[Begun], form: Form, with_usage: bool) -> AsyncGenerator[bytes]:
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
                    yield _sse(
                        form.chunk(begun[0], [form.delta(index, frame["text"], frame.get("logprobs"))])
                    )
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

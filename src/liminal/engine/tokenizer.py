"""Text to tokens and back: ``tokenizer.json``, the chat template, and text streamed in whole characters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import tokenizers
from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from liminal.engine.config import read_json
from liminal.engine.controls import Controls, Disguise, Range, Rendered
from liminal.engine.errors import CapabilityMissing, ModelInvalid, ModelNotFound, RequestInvalid
from liminal.engine.request import Message

MAX_TEMPLATE_BYTES = 1 << 18
MAX_RENDERED = 1 << 22
"""Characters that a chat template may produce; a hostile one would produce more."""


class Tokenizer:
    """A Hugging Face fast tokenizer with its chat template."""

    def __init__(
        self,
        inner: tokenizers.Tokenizer,
        template: str | None = None,
        special: Mapping[str, str] | None = None,
    ) -> None:
        """``special`` maps bos_token, eos_token, … to their text, for the template."""
        self.inner = inner
        self.special = dict(special or {})
        self.has_chat_template = template is not None
        self._template = _compile(template) if template is not None else None
        self._controls = Controls(inner)

    @staticmethod
    def load(folder: str | Path) -> Tokenizer:
        """From tokenizer.json, tokenizer_config.json and chat_template.jinja.

        Raises ModelNotFound without tokenizer.json, ModelInvalid if one of them cannot be read.
        """
        path = Path(folder)
        file = path / "tokenizer.json"
        if not file.is_file():
            raise ModelNotFound(f"tokenizer.json is missing from {path}", path=str(path))
        try:
            inner = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:
            # tokenizers raises bare Exception on any parse failure
            raise ModelInvalid(f"tokenizer.json cannot be read: {error}", path=str(file)) from error
        inner.no_padding()
        inner.no_truncation()
        config = (
            read_json(path / "tokenizer_config.json") if (path / "tokenizer_config.json").is_file() else {}
        )
        special = {
            name: text
            for name in ("bos_token", "eos_token", "unk_token", "pad_token")
            if (text := _text(config, name))
        }
        return Tokenizer(inner, _template_of(path, config), special)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, added ones included."""
        return self.inner.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str, special: bool = True) -> list[int]:
        """Token ids of text; ``special`` adds what the tokenizer puts around a sequence (BOS).

        Control tokens in the text are control tokens: it is for text that no stranger typed.
        """
        return self.inner.encode(text, add_special_tokens=special).ids

    def encode_typed(self, text: str) -> list[int]:
        """As encode, but what reads like a control token is only text."""
        return self._controls.encode(self._controls.typed(text), special=True)[0]

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """Text of token ids."""
        return self.inner.decode(list(ids), skip_special_tokens=skip_special)

    def token_text(self, token: int) -> str:
        """How a single token reads, for log-probabilities."""
        return self.inner.decode([token], skip_special_tokens=False)

    def token_id(self, text: str) -> int | None:
        """The id of a token by its exact text."""
        return self.inner.token_to_id(text)

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        **extra: Any,
    ) -> str:
        """The chat as the model's template writes it, to look at; encode what render_chat gives."""
        return self.render_chat(
            messages, tools=tools, add_generation_prompt=add_generation_prompt, **extra
        ).text

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        **extra: Any,
    ) -> Rendered:
        """The chat as the model's template writes it, and which of its markers people typed.

        Raises CapabilityMissing if the model has no template, RequestInvalid if it rejects the chat.
        """
        if self._template is None:
            raise CapabilityMissing("this model has no chat template; send a prompt instead of messages")
        disguise = Disguise(self._controls)
        variables = {
            **self.special,
            **disguise.hide(extra),
            "messages": [disguise.hide(item, item.get("role") != "assistant") for item in messages],
            "tools": disguise.hide(tools),
            "add_generation_prompt": add_generation_prompt,
        }
        pieces: list[str] = []
        size = 0
        try:
            for piece in self._template.generate(**variables):
                size += len(piece)
                if size > MAX_RENDERED:
                    raise RequestInvalid("the chat template produced more text than any context holds")
                pieces.append(piece)
        except (TemplateError, TypeError, ValueError, KeyError, OverflowError, RecursionError) as error:
            raise RequestInvalid(f"the chat template refused these messages: {error}") from error
        return disguise.show("".join(pieces))

    def encode_rendered(self, rendered: Rendered) -> tuple[list[int], list[Range]]:
        """(token ids, where each stands in the text) of what render_chat gave."""
        return self._controls.encode(rendered, special=False)

    def encode_chat(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] | None = None
    ) -> tuple[list[int], int]:
        """(token ids of the rendered chat, how many of the first belong to the system prompt alone)."""
        ids, _ = self.encode_rendered(self.render_chat(messages, tools=tools))
        return ids, self._system_tokens(messages, tools, ids)

    def _system_tokens(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] | None, ids: Sequence[int]
    ) -> int:
        system = list(messages[:1]) if messages and messages[0].get("role") == "system" else []
        if not system or len(messages) == 1:
            return 0
        try:
            head, _ = self.encode_rendered(self.render_chat(system, tools=tools, add_generation_prompt=False))
        except RequestInvalid:
            # a template may insist on a user message; then nothing is known to be the system's alone
            return 0
        shared = 0
        for ours, theirs in zip(head, ids, strict=False):
            if ours != theirs:
                break
            shared += 1
        return shared


def _text(config: Mapping[str, Any], name: str) -> str | None:
    value = config.get(name)
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("content")
    return value if isinstance(value, str) else None


def _template_of(folder: Path, config: Mapping[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        if file.stat().st_size > MAX_TEMPLATE_BYTES:
            raise ModelInvalid(f"chat_template.jinja is larger than {MAX_TEMPLATE_BYTES} bytes")
        return file.read_text("utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = {item.get("name"): item.get("template") for item in cast("list[dict[str, Any]]", template)}
        template = named.get("default") or next(iter(named.values()), None)
    return template if isinstance(template, str) else None


class GenerationTag(Extension):
    """``{% generation %}…{% endgeneration %}``, around what the model wrote: transformers masks by it."""

    tags = {"generation"}  # noqa: RUF012 (jinja2 declares it without ClassVar)

    def parse(self, parser: Parser) -> nodes.Node:
        """The block's content, in a scope of its own as in transformers."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def _compile(source: str) -> Any:
    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def strftime_now(pattern: str) -> str:
        return datetime.now().astimezone().strftime(pattern)

    def tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    # the settings that transformers renders with; the sandbox forbids attributes of Python objects
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, GenerationTag]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception  # pyright: ignore[reportArgumentType]
    environment.globals["strftime_now"] = strftime_now  # pyright: ignore[reportArgumentType]
    try:
        return environment.from_string(source)
    except (TemplateError, RecursionError) as error:
        raise ModelInvalid(f"the chat template is not valid Jinja: {error}") from error


class TextStream:
    """Turns tokens into text, piece by piece.

    A piece ends at a whole code point, and text that may be the beginning of a stop string is held
    back until it is known not to be one.
    """

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str] = (), prompt: Sequence[int] = ()) -> None:
        """``prompt`` is the context whose last tokens decide how the first new one is spaced."""
        self._tokenizer = tokenizer
        self._stops = tuple(stops)
        self._ids = list(prompt[-4:])
        self._prefix, self._read = 0, len(self._ids)
        self._held = ""

    def push(self, token: int) -> tuple[str, bool]:
        """(text that may be shown now, whether a stop string was completed)."""
        self._ids.append(token)
        return self._release(self._decode(final=False), final=False)

    def finish(self) -> str:
        """The rest of the text, when no token follows."""
        return self._release(self._decode(final=True), final=True)[0]

    def _decode(self, final: bool) -> str:
        before = self._tokenizer.decode(self._ids[self._prefix : self._read])
        text = self._tokenizer.decode(self._ids[self._prefix :])
        # an unfinished code point decodes to U+FFFD until its last byte has come
        if not final and (text.endswith("\ufffd") or len(text) <= len(before)):
            return ""
        self._prefix, self._read = self._read, len(self._ids)
        if self._read > 64:
            del self._ids[: self._prefix]
            self._prefix, self._read = 0, len(self._ids)
        return text[len(before) :]

    def _release(self, new: str, final: bool) -> tuple[str, bool]:
        text = self._held + new
        places = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if places:
            self._held = ""
            return text[: min(places)], True
        keep = 0 if final else max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that begins ``stop``."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-size:]):
            return size
    return 0

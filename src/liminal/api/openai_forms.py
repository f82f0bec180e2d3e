"""How chat and text completions are written, whole and in parts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from liminal.chat.turns import Begun

Weighed = Sequence[dict[str, Any]] | None
"""Log-probabilities of tokens as token frames have them; None: not asked for."""


class Form:
    """What chat and text completions share."""

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
        """A whole reply."""
        return self._envelope(turn, self.whole, choices)

    def chunk(self, turn: Begun, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """One event of a stream."""
        return self._envelope(turn, self.part, choices)

    def choice(self, index: int, text: str, finish: str, weighed: Weighed) -> dict[str, Any]:
        """A whole answer."""
        raise NotImplementedError

    def opening(self, index: int) -> dict[str, Any]:
        """What a stream says of an answer before its first word."""
        raise NotImplementedError

    def delta(self, index: int, text: str, weighed: Weighed) -> dict[str, Any]:
        """More of an answer."""
        raise NotImplementedError

    def closing(self, index: int, finish: str) -> dict[str, Any]:
        """The end of an answer."""
        raise NotImplementedError


class ChatForm(Form):
    """OpenAI's chat.completion."""

    id_prefix, whole, part = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice(self, index: int, text: str, finish: str, weighed: Weighed) -> dict[str, Any]:
        """A whole answer."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "index": index,
            "message": message,
            "finish_reason": finish,
            "logprobs": _of_chat(weighed),
        }

    def opening(self, index: int) -> dict[str, Any]:
        """The role."""
        return self._delta(index, {"role": "assistant", "content": ""}, None)

    def delta(self, index: int, text: str, weighed: Weighed) -> dict[str, Any]:
        """More text."""
        return self._delta(index, {"content": text}, None, weighed)

    def closing(self, index: int, finish: str) -> dict[str, Any]:
        """Why it ended."""
        return self._delta(index, {}, finish)

    @staticmethod
    def _delta(
        index: int, delta: dict[str, Any], finish: str | None, weighed: Weighed = None
    ) -> dict[str, Any]:
        return {"index": index, "delta": delta, "finish_reason": finish, "logprobs": _of_chat(weighed)}


class TextForm(Form):
    """OpenAI's text_completion."""

    id_prefix, whole, part = "cmpl", "text_completion", "text_completion"

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._offsets = Counter[int]()

    def choice(self, index: int, text: str, finish: str | None, weighed: Weighed = None) -> dict[str, Any]:
        """A whole answer, or a part of one."""
        logprobs = self._logprobs(index, weighed)
        return {"index": index, "text": text, "finish_reason": finish, "logprobs": logprobs}

    def opening(self, index: int) -> dict[str, Any]:
        """No text yet."""
        return self.choice(index, "", None)

    def delta(self, index: int, text: str, weighed: Weighed) -> dict[str, Any]:
        """More text."""
        return self.choice(index, text, None, weighed)

    def closing(self, index: int, finish: str) -> dict[str, Any]:
        """Why it ended."""
        return self.choice(index, "", finish)

    def _logprobs(self, index: int, weighed: Weighed) -> dict[str, Any] | None:
        if weighed is None:
            return None
        offsets: list[int] = []
        for token in weighed:
            offsets.append(self._offsets[index])
            self._offsets[index] += len(token["text"])
        return {
            "tokens": [token["text"] for token in weighed],
            "token_logprobs": [token["logprob"] for token in weighed],
            "top_logprobs": [{top["text"]: top["logprob"] for top in token["top"]} for token in weighed],
            "text_offset": offsets,
        }


def _of_chat(weighed: Weighed) -> dict[str, Any] | None:
    if weighed is None:
        return None
    content = [_token(token) | {"top_logprobs": [_token(top) for top in token["top"]]} for token in weighed]
    return {"content": content, "refusal": None}


def _token(token: dict[str, Any]) -> dict[str, Any]:
    text: str = token["text"]
    # a part of a code point has no text of its own, so its bytes are not known here
    known = None if "\ufffd" in text else list(text.encode())
    return {"token": text, "logprob": token["logprob"], "bytes": known}

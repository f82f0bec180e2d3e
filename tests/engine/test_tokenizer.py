"""Text in and out: whole code points, stop strings, chat templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.models import EOS, byte_tokenizer, write_model

from liminal.engine.errors import ModelInvalid, RequestInvalid
from liminal.engine.tokenizer import TextStream, Tokenizer

BYTES = Tokenizer(byte_tokenizer())


def streamed(tokens: list[int], stops: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    """The pieces that a stream releases, and whether a stop string ended it."""
    stream = TextStream(BYTES, stops)
    pieces: list[str] = []
    for token in tokens:
        piece, stopped = stream.push(token)
        pieces.append(piece)
        if stopped:
            return pieces, True
    return [*pieces, stream.finish()], False


@given(st.text(max_size=60))
def test_pieces_are_whole_code_points_and_add_up(text: str) -> None:
    pieces, _ = streamed(BYTES.encode(text))
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece or "\ufffd" in text for piece in pieces)


@given(
    st.text("abé🙂", max_size=40), st.lists(st.text("abé🙂", min_size=1, max_size=4), min_size=1, max_size=3)
)
def test_no_part_of_a_stop_string_is_ever_shown(text: str, stops: list[str]) -> None:
    pieces, stopped = streamed(BYTES.encode(text), tuple(stops))
    ends = [(text.index(stop) + len(stop), text.index(stop)) for stop in stops if stop in text]
    assert stopped == bool(ends)
    if ends:
        # the first stop string to be complete ends the text; of those complete at once, the longest
        assert "".join(pieces) == text[: min(ends)[1]]
    else:
        assert "".join(pieces) == text


def test_bytes_that_never_become_a_character_are_shown_at_the_end() -> None:
    pieces, _ = streamed([*BYTES.encode("ok"), BYTES.encode("é")[0]])
    assert "".join(pieces) == "ok\ufffd"


def test_special_tokens_are_not_shown() -> None:
    assert "".join(streamed([*BYTES.encode("a"), EOS, *BYTES.encode("b")])[0]) == "ab"


def with_template(folder: Path, template: Any) -> Tokenizer:
    """The tiny tokenizer with another chat template."""
    byte_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": template, "eos_token": {"content": "<eos>"}})
    )
    return Tokenizer.load(folder)


HELLO = [{"role": "user", "content": "hi"}]


def test_a_template_gets_the_special_tokens_and_named_templates_work(tmp_path: Path) -> None:
    template = [
        {"name": "other", "template": "no"},
        {"name": "default", "template": "{{ messages[0].content + eos_token }}"},
    ]
    assert with_template(tmp_path, template).render(HELLO) == "hi<eos>"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ raise_exception('no such role') }}",
        "{% for i in range(99999999) %}x{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
        "{{ nothing.attribute }}",
    ],
)
def test_a_hostile_template_is_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(RequestInvalid):
        with_template(tmp_path, template).render(HELLO)


def test_a_template_with_wrong_syntax_is_refused_when_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid):
        with_template(tmp_path, "{% if %}")


def test_the_system_prompts_tokens_are_known(tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(write_model(tmp_path))
    system = {"role": "system", "content": "be brief"}
    ids, shared = tokenizer.encode_chat([system, *HELLO])
    assert tokenizer.decode(ids[:shared], skip_special=False) == "<system>be brief"
    assert tokenizer.encode_chat(HELLO)[1] == 0

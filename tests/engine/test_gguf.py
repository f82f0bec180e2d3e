"""GGUF files: what they hold is what the engine computes with, and what can't be read is refused by name."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import struct
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.engine.gguf_files import HEAD_DIM, HEADS, KV_HEADS, LAYERS, TOKENS, matrices, write_gguf

from liminal.engine.engine import Engine
from liminal.engine.errors import EngineError, ModelInvalid, ModelNotFound, ModelUnsupported
from liminal.engine.gguf.header import read_header
from liminal.engine.gguf.tensors import KINDS
from liminal.engine.options import EngineOptions
from liminal.engine.request import Request, Sampling
from liminal.engine.source import open_model
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.weights import save_model


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole file in Q4_1."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path)
    return path


def rotated_halves(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of q or k as Hugging Face has them, from llama.cpp's: pairs become halves of a head."""
    return np.concatenate([np.concatenate([head[0::2], head[1::2]]) for head in np.split(rows, heads)])


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_numbers_that_the_package_gguf_reads(kind: str, tmp_path: Path) -> None:
    written = write_gguf(tmp_path / "m.gguf", kind)
    model = open_model(tmp_path / "m.gguf")
    params = model.params()
    last = params.layers[1]
    np.testing.assert_array_equal(params.embed.weight, written["token_embd.weight"])
    np.testing.assert_array_equal(last.down_proj.weight, written["blk.1.ffn_down.weight"])
    np.testing.assert_array_equal(last.input_norm, written["blk.1.attn_norm.weight"])
    for mine, name, heads in ((last.q_proj, "attn_q", HEADS), (last.k_proj, "attn_k", KV_HEADS)):
        np.testing.assert_array_equal(mine.weight, rotated_halves(written[f"blk.1.{name}.weight"], heads))
    blocks = model.blocks("model.layers.1.self_attn.q_proj.weight")
    assert (blocks is None) == (kind in ("F32", "F16", "BF16"))
    if blocks is not None:
        assert (blocks.kind, blocks.shape, len(blocks.rows)) == (kind, (HEADS * HEAD_DIM,) * 2, 256)


def test_an_engine_answers_from_a_file_whatever_it_is_called(file: Path, tmp_path: Path) -> None:
    blob = tmp_path / "sha256-0f3a"
    shutil.copyfile(file, blob)
    with Engine.load(blob, EngineOptions(warm=False, rows=0, context=128, slots=1)) as engine:
        assert engine.tokenizer.encode("hello") == [TOKENS.index("hello")]
        rules = Sampling(max_tokens=3, temperature=0.0, ignore_eos=True)
        deltas = list(engine.stream(Request(messages=[{"role": "user", "content": "hello"}], sampling=rules)))
    assert deltas[-1].finish == "length"
    assert engine.identity == open_model(file).identity, "a copy is the same model"


def test_the_identity_of_a_model_is_known_without_its_weights_and_changes_with_them(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf")
    write_gguf(tmp_path / "b.gguf", tensors=matrices(seed=1))
    write_gguf(tmp_path / "c.gguf", changes={"tokenizer.chat_template": "another"})
    assert len({open_model(tmp_path / f"{name}.gguf").identity for name in "abc"}) == 3


def test_a_broken_or_missing_path_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(ModelInvalid, match="neither a folder nor a GGUF file"):
        open_model(tmp_path / "text.gguf")
    with pytest.raises(ModelNotFound):
        open_model(tmp_path / "nothing")


REFUSED: list[tuple[dict[str, Any], type[EngineError], str]] = [
    ({"general.type": "adapter"}, ModelUnsupported, "adapter"),
    ({"llama.expert_count": 8}, ModelUnsupported, "expert_count"),
    ({"llama.rope.scaling.type": "longrope"}, ModelUnsupported, "longrope"),
    ({"tokenizer.ggml.model": "rwkv"}, ModelUnsupported, "rwkv"),
    ({"tokenizer.ggml.pre": "nobody-knows"}, ModelUnsupported, "nobody-knows"),
    ({"split.count": 3}, ModelUnsupported, "several"),
    ({"llama.attention.head_count": 3}, ModelInvalid, "multiple"),
    ({"llama.attention.head_count": "many"}, ModelInvalid, "head_count"),
    ({"llama.embedding_length": 512}, ModelInvalid, "shape"),
    ({"llama.block_count": 3}, ModelInvalid, "missing"),
    ({"llama.block_count": 1}, ModelUnsupported, "unknown tensors"),
    ({"general.alignment": 48}, ModelInvalid, "power of two"),
    ({"tokenizer.ggml.eos_token_id": 10_000}, ModelInvalid, "eos_token_id"),
    ({"tokenizer.ggml.merges": ["no-blank"]}, ModelInvalid, "merge"),
    ({"tokenizer.ggml.tokens": None}, ModelInvalid, "vocabulary"),
    ({"tokenizer.chat_template": "{% if %}"}, ModelInvalid, "Jinja"),
]


@pytest.mark.parametrize(("changes", "error", "said"), REFUSED)
def test_what_cannot_be_read_is_refused_by_name(
    changes: dict[str, Any], error: type[EngineError], said: str, tmp_path: Path
) -> None:
    write_gguf(tmp_path / "m.gguf", changes=changes)
    with pytest.raises(error, match=said):
        open_model(tmp_path / "m.gguf").tokenizer()


GEMMA_METADATA: dict[str, Any] = {
    "gemma3.attention.key_length": HEAD_DIM,
    "gemma3.attention.sliding_window": 24,
    "gemma3.rope.freq_base": 1e6,
    "gemma3.rope.scaling.type": "linear",
    "gemma3.rope.scaling.factor": 8.0,
}


def test_a_gemma_from_a_file_and_from_a_folder_is_one_model(tmp_path: Path) -> None:
    norms = {
        "attn_q_norm": HEAD_DIM,
        "attn_k_norm": HEAD_DIM,
        "post_attention_norm": 256,
        "post_ffw_norm": 256,
    }
    rng = np.random.default_rng(2)
    more = {
        f"blk.{layer}.{name}.weight": (1 + 0.1 * rng.standard_normal(size)).astype(np.float32)
        for layer in range(LAYERS)
        for name, size in norms.items()
    }
    write_gguf(tmp_path / "m.gguf", "F32", GEMMA_METADATA, matrices() | more, "gemma3")
    file = open_model(tmp_path / "m.gguf")
    config, params = file.config, file.params()
    assert (config.windows, config.local_theta, config.embed_scale) == ((24, 24), 10000.0, 16.0)
    assert (config.rope_theta, config.rope.factor, config.activation) == (1e6, 8.0, "gelu_tanh")
    np.testing.assert_array_equal(params.layers[1].mlp_out_norm, more["blk.1.post_ffw_norm.weight"])
    np.testing.assert_array_equal(params.layers[0].q_proj.weight, matrices()["blk.0.attn_q.weight"])
    save_model(tmp_path / "folder", config, params)
    folder = open_model(tmp_path / "folder")
    assert dataclasses.replace(folder.config, rope=config.rope) == config
    for mine, theirs in zip(jax.tree.leaves(folder.params()), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=3e-7)


def test_a_llama_with_a_window_is_a_mistral_and_a_qwen_with_one_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", changes={"llama.attention.sliding_window": 16})
    config = open_model(tmp_path / "m.gguf").config
    assert (config.family, config.windows) == ("mistral", (16, 16))
    write_gguf(tmp_path / "q.gguf", changes={"qwen2.attention.sliding_window": 16}, architecture="qwen2")
    with pytest.raises(ModelUnsupported, match="sliding_window"):
        open_model(tmp_path / "q.gguf")


def test_an_architecture_that_the_engine_lacks_is_named(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", architecture="mamba")
    with pytest.raises(ModelUnsupported, match="'mamba'"):
        open_model(tmp_path / "m.gguf")


def header(*parts: bytes, tensors: int = 0, keys: int = 0) -> bytes:
    """The beginning of a file, and then these bytes."""
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + b"".join(parts)


def text(value: bytes, size: int | None = None) -> bytes:
    """A string as GGUF has it; ``size``: what it claims to be."""
    return struct.pack("<Q", len(value) if size is None else size) + value


HOSTILE = {
    "no header": b"GGUF",
    "tensors without end": header(tensors=1 << 60),
    "keys without end": header(keys=1 << 60),
    "a key of an exabyte": header(text(b"k", 1 << 60), keys=1),
    "a text of an exabyte": header(text(b"k"), struct.pack("<I", 8), text(b"", 1 << 60), keys=1),
    "a list of an exabyte": header(text(b"k"), struct.pack("<IIQ", 9, 4, 1 << 60), keys=1),
    "a list of four million that is not there": header(
        text(b"k"), struct.pack("<IIQ", 9, 10, 4_000_000), keys=1
    ),
    "lists in lists": header(text(b"k"), struct.pack("<IIQ", 9, 9, 1), keys=1),
    "a type that is none": header(text(b"k"), struct.pack("<I", 77), keys=1),
    "a key twice": header(*[text(b"k") + struct.pack("<II", 4, 1)] * 2, keys=2),
    "text that is no text": header(text(b"\xff\xfe"), struct.pack("<II", 4, 1), keys=1),
    "a shape of exabytes": header(
        text(b"t"), struct.pack("<IQQIQ", 2, 1 << 32, 1 << 32, 0, 0), b"\0" * 64, tensors=1
    ),
    "a shape of nothing": header(text(b"t"), struct.pack("<IQIQ", 1, 0, 0, 0), b"\0" * 64, tensors=1),
    "too many axes": header(text(b"t"), struct.pack("<I", 1 << 31), b"\0" * 64, tensors=1),
    "a place outside": header(text(b"t"), struct.pack("<IQIQ", 1, 4, 0, 1 << 50), b"\0" * 64, tensors=1),
    "a place that is not aligned": header(
        text(b"t"), struct.pack("<IQIQ", 1, 4, 0, 3), b"\0" * 64, tensors=1
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_before_it_costs_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(HOSTILE[name])
    before = psutil.Process().memory_info().rss
    with pytest.raises(ModelInvalid):
        read_header(path)
    assert psutil.Process().memory_info().rss - before < 64 << 20


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_header_is_refused_or_read_and_nothing_else(data: st.DataObject, file: Path) -> None:
    whole = file.read_bytes()
    begin = min(tensor.start for tensor in read_header(file).tensors.values())
    cut = data.draw(st.one_of(st.none(), st.integers(0, begin)))
    damaged = bytearray(whole if cut is None else whole[:cut])
    for at in data.draw(st.lists(st.integers(0, begin - 1), max_size=4)):
        if at < len(damaged):
            damaged[at] = data.draw(st.integers(0, 255))
    path = file.with_name("damaged.gguf")
    path.write_bytes(damaged)
    with contextlib.suppress(EngineError):
        open_model(path).tokenizer()


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
PIECES = ["<unk>", "<s>", "</s>", *BYTES, "▁", *"helo", "he", "▁he", "ll", "▁hell"]


def sentence_pieces(path: Path, **changes: Any) -> Tokenizer:
    """The tokenizer of a file with SentencePiece's vocabulary: later tokens have worse scores."""
    rng = np.random.default_rng(0)
    embedding = rng.standard_normal((len(PIECES), 256)).astype(np.float32)
    words: dict[str, Any] = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": None,
        "tokenizer.ggml.merges": None,
        "tokenizer.ggml.tokens": PIECES,
        "tokenizer.ggml.scores": [-float(number) for number in range(len(PIECES))],
        "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * (len(PIECES) - 259)],
    }
    write_gguf(path, changes={**words, **changes}, tensors={**matrices(), "token_embd.weight": embedding})
    return open_model(path).tokenizer()


def test_sentence_pieces_merge_by_score_and_spell_what_they_lack_in_bytes(tmp_path: Path) -> None:
    tokenizer = sentence_pieces(tmp_path / "m.gguf")
    ids = tokenizer.encode("hello é")
    assert [PIECES[i] for i in ids] == ["<s>", "▁hell", "o", "▁", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(ids) == "hello é"
    without = {"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_bos_token": False}
    bare = sentence_pieces(tmp_path / "n.gguf", **without)
    assert [PIECES[i] for i in bare.encode("hello")] == ["he", "ll", "o"]
    assert bare.decode(bare.encode("hell hell")) == "hell hell"

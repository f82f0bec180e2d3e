"""The tokenizer and the chat template of a GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

from liminal.engine.errors import ModelInvalid, ModelUnsupported
from liminal.engine.gguf.header import Header
from liminal.engine.tokenizer import Tokenizer

BLANK = "▁"
LONGEST_PIECE = 128
"""Characters of a token that is made of others; longer ones are rows of one character."""
CONTROL, USER_DEFINED = 3, 4
"""Token types of llama.cpp's vocabulary."""
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _byte_level(*patterns: str, digits: bool = False) -> Callable[[], Any]:
    def make() -> Any:
        steps: list[Any] = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
        steps += [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
        steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not patterns))
        return pre_tokenizers.Sequence(steps)

    return make


PRE_TOKENIZERS: Mapping[str, Callable[[], Any]] = {
    "default": _byte_level(GPT2),
    "gpt-2": _byte_level(),
    "smollm": _byte_level(digits=True),
    "llama-bpe": _byte_level(LLAMA3),
    "smaug-bpe": _byte_level(LLAMA3),
    "qwen2": _byte_level(QWEN2),
}
"""How text is cut before byte pairs are merged, by ``tokenizer.ggml.pre`` (llama.cpp, llama-vocab.cpp)."""


def read_tokenizer(header: Header) -> Tokenizer:
    """The tokenizer of a GGUF file. Raises ModelUnsupported by name, ModelInvalid for nonsense."""
    kind = header.text("tokenizer.ggml.model")
    tokens = header.listed("tokenizer.ggml.tokens")
    if not tokens or not all(isinstance(token, str) for token in tokens):
        raise ModelInvalid(f"{header.path.name} has no vocabulary")
    if kind not in MAKERS:
        raise ModelUnsupported(f"tokenizer {kind!r} is not supported; {', '.join(MAKERS)} are")
    inner = MAKERS[kind](header, tokens)
    template = header.text("tokenizer.chat_template") or None
    return Tokenizer(inner, template, _special(header, tokens))


def _byte_pairs(header: Header, tokens: Sequence[str]) -> tokenizers.Tokenizer:
    pre = header.text("tokenizer.ggml.pre", "default")
    if pre not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS)
        raise ModelUnsupported(f"pre-tokenizer {pre!r} is not supported; {known} are")
    merges: list[tuple[str, str]] = []
    for merge in header.listed("tokenizer.ggml.merges"):
        left, blank, right = str(merge).partition(" ")
        if not (left and blank and right):
            raise ModelInvalid(f"{header.path.name} has {merge!r} for a merge")
        merges.append((left, right))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    try:
        inner = tokenizers.Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre == "llama-bpe"))
    except Exception as error:
        # tokenizers raises bare Exception for merges that its vocabulary does not hold
        raise ModelInvalid(f"{header.path.name} has a vocabulary that can't be used: {error}") from error
    inner.pre_tokenizer = PRE_TOKENIZERS[pre]()
    inner.decoder = decoders.ByteLevel()
    _add_markers(inner, header, tokens)
    return inner


def _sentence_pieces(header: Header, tokens: Sequence[str]) -> tokenizers.Tokenizer:
    """SentencePiece's BPE (Kudo and Richardson 2018): of two neighbours the best pair is merged first.

    A blank is ``▁``; what the vocabulary lacks is spelt in tokens of bytes.
    """
    scores = header.listed("tokenizer.ggml.scores")
    if len(scores) != len(tokens):
        raise ModelInvalid(f"{header.path.name} has {len(scores)} scores for {len(tokens)} tokens")
    vocabulary = {token: number for number, token in enumerate(tokens)}
    unknown = header.number("tokenizer.ggml.unknown_token_id", 0) or 0
    inner = tokenizers.Tokenizer(
        models.BPE(
            vocabulary,
            _merges(tokens, scores, vocabulary),
            unk_token=tokens[unknown] if 0 <= unknown < len(tokens) else None,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    prefix = header.metadata.get("tokenizer.ggml.add_space_prefix", True) is True
    blanks = normalizers.Replace(" ", BLANK)
    steps: list[Any] = [normalizers.Prepend(BLANK), blanks] if prefix else [blanks]
    inner.normalizer = normalizers.Sequence(steps)
    shown: list[Any] = [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    inner.decoder = decoders.Sequence([*shown, *([decoders.Strip(" ", 1, 0)] if prefix else [])])
    _add_markers(inner, header, tokens)
    if header.metadata.get("tokenizer.ggml.add_bos_token", True) is True:
        _begin_with(inner, header, tokens)
    return inner


def _merges(
    tokens: Sequence[str], scores: Sequence[float], vocabulary: Mapping[str, int]
) -> list[tuple[str, str]]:
    """Every way to make a token of two others, the best token first, as SentencePiece would choose."""
    found: list[tuple[float, int, int, tuple[str, str]]] = []
    for number, token in enumerate(tokens):
        if len(token) > LONGEST_PIECE:
            continue
        for at in range(1, len(token)):
            left, right = token[:at], token[at:]
            if left in vocabulary and right in vocabulary:
                found.append((-scores[number], vocabulary[left], vocabulary[right], (left, right)))
    return [pair for *_, pair in sorted(found)]


def _begin_with(inner: tokenizers.Tokenizer, header: Header, tokens: Sequence[str]) -> None:
    number = header.number("tokenizer.ggml.bos_token_id")
    if number is not None and 0 <= number < len(tokens):
        token = tokens[number]
        inner.post_processor = processors.TemplateProcessing(
            single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, number)]
        )


def _add_markers(inner: tokenizers.Tokenizer, header: Header, tokens: Sequence[str]) -> None:
    kinds = header.listed("tokenizer.ggml.token_type")
    if kinds and len(kinds) != len(tokens):
        raise ModelInvalid(f"{header.path.name} has {len(kinds)} types for {len(tokens)} tokens")
    marked = list(zip(tokens, kinds, strict=False))
    inner.add_special_tokens([AddedToken(t, normalized=False) for t, kind in marked if kind == CONTROL])
    inner.add_tokens([AddedToken(t, normalized=False) for t, kind in marked if kind == USER_DEFINED])


MAKERS: Mapping[str, Callable[[Header, Sequence[str]], tokenizers.Tokenizer]] = {
    "gpt2": _byte_pairs,
    "llama": _sentence_pieces,
}
"""By ``tokenizer.ggml.model``."""


def _special(header: Header, tokens: Sequence[str]) -> dict[str, str]:
    keys = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    found: dict[str, str] = {}
    for name, key in keys.items():
        number = header.number(f"tokenizer.ggml.{key}_token_id")
        if number is not None:
            if not 0 <= number < len(tokens):
                raise ModelInvalid(f"{header.path.name} has {key}_token_id {number} of {len(tokens)} tokens")
            found[name] = tokens[number]
    return found

"""The bundled model's tokenizer: a small byte-level BPE trained on the generated corpus."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from liminal.engine.bundled.corpus import training_conversations

VOCABULARY = 2048
BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL = (PAD, BEGIN, END, *ROLES.values())

# one role token, the text, one end token; a missing system prompt is left out
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] in ('system', 'developer') %}<|system|>"
    "{% elif message['role'] == 'user' %}<|user|>"
    "{% elif message['role'] == 'assistant' %}<|assistant|>"
    "{% else %}{{ raise_exception('the bundled model knows the roles system, user and assistant') }}"
    "{% endif %}"
    "{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def train_tokenizer(seed: int, conversations: int = 40_000) -> Tokenizer:
    """A byte-level BPE of ``VOCABULARY`` entries; digits stand alone, every byte has a token."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(seed, conversations), trainer)
    return tokenizer


def _texts(seed: int, conversations: int) -> Iterator[str]:
    for conversation in itertools.islice(training_conversations(seed), conversations):
        for message in conversation.messages():
            yield message["content"]


def token(tokenizer: Tokenizer, text: str) -> int:
    """The id of one of the special tokens; raises KeyError if the tokenizer lacks it."""
    found = tokenizer.token_to_id(text)
    if found is None:
        raise KeyError(text)
    return found


def encode_chat(
    tokenizer: Tokenizer, messages: list[dict[str, str]], open_end: bool
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation and, for each, whether the assistant wrote it.

    With ``open_end`` the ids end with the assistant's role token. Equal to the chat template
    followed by the tokenizer (a test says so).
    """
    ids = [token(tokenizer, BEGIN)]
    written = [False]
    end = token(tokenizer, END)
    for message in messages:
        ids.append(token(tokenizer, ROLES[message["role"]]))
        written.append(False)
        content = tokenizer.encode(message["content"], add_special_tokens=False).ids
        ids += [*content, end]
        written += [message["role"] == "assistant"] * (len(content) + 1)
    if open_end:
        ids.append(token(tokenizer, ROLES["assistant"]))
        written.append(False)
    return ids, written

"""Conversations packed into batches of fixed shapes for pre-training."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from liminal.engine.bundled.corpus import Conversation, training_conversations
from liminal.engine.bundled.tokenizer import encode_chat

# rows × length of a batch; a conversation opens a row of the shortest length that holds it
SHAPES = ((20, 128), (9, 256), (3, 768))
TARGET_SHARE = 0.62
CHUNK = 1500

Batch = dict[str, np.ndarray]


@dataclass
class Example:
    """Token ids and which of them the assistant wrote."""

    ids: list[int]
    written: list[bool]


def encoded(tokenizer: Tokenizer, conversation: Conversation) -> Example:
    """A conversation as an example."""
    return Example(*encode_chat(tokenizer, conversation.messages(), open_end=False))


def packed(examples: list[Example]) -> dict[int, list[list[Example]]]:
    """Rows by length: the longest example first, each where it fits first or in a new row."""
    rows: list[tuple[int, list[Example]]] = []
    room: list[int] = []
    for example in sorted(examples, key=lambda example: -len(example.ids)):
        size = len(example.ids)
        place = next((index for index, left in enumerate(room) if left >= size), None)
        if place is None:
            place = len(rows)
            length = next(length for _, length in SHAPES if length >= size)
            rows.append((length, []))
            room.append(length)
        rows[place][1].append(example)
        room[place] -= size
    return {length: [row for size, row in rows if size == length] for _, length in SHAPES}


def batch_of(rows: list[list[Example]], count: int, length: int) -> Batch:
    """One batch: see ``network.loss`` for its parts. Targets past the fixed number are left out."""
    tokens = np.zeros((count, length), np.int32)
    segments = np.zeros((count, length), np.int32)
    index: list[int] = []
    target: list[int] = []
    for number, row in enumerate(rows):
        at = 0
        for segment, example in enumerate(row, 1):
            size = len(example.ids)
            tokens[number, at : at + size] = example.ids
            segments[number, at : at + size] = segment
            wanted = [place for place in range(1, size) if example.written[place]]
            index += [number * length + at + place - 1 for place in wanted]
            target += [example.ids[place] for place in wanted]
            at += size
    places = int(count * length * TARGET_SHARE)
    weight = np.zeros(places, np.float32)
    weight[: min(len(index), places)] = 1.0
    return {
        "tokens": tokens,
        "segments": segments,
        "index": np.resize(np.array(index, np.int32), places),
        "target": np.resize(np.array(target, np.int32), places),
        "weight": weight,
    }


def chunk_batches(tokenizer: Tokenizer, seed: int, chunk: int, size: int = CHUNK) -> Iterator[Batch]:
    """The batches of one chunk of ``size`` conversations; the same for the same seed and chunk."""
    stream = itertools.islice(training_conversations(seed * 1_000_003 + chunk), size)
    examples = [encoded(tokenizer, conversation) for conversation in stream]
    by_length = packed([example for example in examples if len(example.ids) <= SHAPES[-1][1]])
    groups: list[Batch] = []
    for count, length in SHAPES:
        rows = by_length[length]
        np.random.default_rng([seed, chunk, length]).shuffle(rows)  # type: ignore[arg-type]
        groups += [
            batch_of(rows[at : at + count], count, length) for at in range(0, len(rows) - count + 1, count)
        ]
    order = np.random.default_rng([seed, chunk]).permutation(len(groups))
    yield from (groups[place] for place in order)

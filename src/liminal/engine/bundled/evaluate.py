"""The bundled model's examination: held-out prompts, greedy answers, checkers in code."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from liminal.engine.bundled.corpus import CATEGORIES, Conversation, Turn, conversation, draw_from, single
from liminal.engine.bundled.habits import (
    body,
    greets,
    has_dates,
    is_bullets,
    is_casual,
    is_formal,
    is_imperial,
    is_metric,
    is_neutral,
    is_short,
    signs_off,
)
from liminal.engine.bundled.questions import is_held_out
from liminal.engine.bundled.style import Style, body_sentences, render
from liminal.engine.bundled.tokenizer import END
from liminal.engine.cache import decode_step, init_cache
from liminal.engine.config import ModelConfig, read_config
from liminal.engine.params import Params
from liminal.engine.tokenizer import Tokenizer
from liminal.engine.weights import load_params

LENGTH = 1024
BATCH = 32


@dataclass(frozen=True)
class Loaded:
    """A model ready to answer."""

    config: ModelConfig
    params: Params
    tokenizer: Tokenizer


def load(folder: Path) -> Loaded:
    """The model of a folder, in f32."""
    config = read_config(folder)
    return Loaded(config, load_params(folder, config), Tokenizer.load(folder))


def answers(model: Loaded, chats: Sequence[list[dict[str, str]]], batch: int = BATCH) -> list[str]:
    """Greedy answers to chats that end with a user message, many at a time."""
    prompts = [model.tokenizer.encode(model.tokenizer.render(chat), special=False) for chat in chats]  # type: ignore[arg-type]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    end = model.tokenizer.token_id(END)
    found: dict[int, str] = {}
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        rows = _greedy(model, [prompts[place] for place in places], batch, end)
        found |= {place: model.tokenizer.decode(row) for place, row in zip(places, rows, strict=True)}
    return [found[place] for place in range(len(prompts))]


@jax.jit
def _argmax(logits: jax.Array) -> jax.Array:
    return jnp.argmax(logits, axis=-1)


_step = jax.jit(decode_step, static_argnums=1, donate_argnums=2)


def _greedy(model: Loaded, prompts: list[list[int]], batch: int, end: int | None) -> list[list[int]]:
    cache = init_cache(model.config, batch, LENGTH)
    rows = [list(prompt) for prompt in prompts] + [[0]] * (batch - len(prompts))
    open_rows = set(range(len(prompts)))
    for position in range(LENGTH - 1):
        tokens = jnp.asarray([row[min(position, len(row) - 1)] for row in rows], jnp.int32)
        blocks = jnp.int32(position // 256 + 1)
        logits, cache = _step(
            model.params, model.config, cache, tokens, jnp.full(batch, position, jnp.int32), blocks
        )
        if all(len(rows[row]) > position + 1 for row in open_rows):
            continue
        chosen = np.asarray(_argmax(logits))
        for row in list(open_rows):
            if len(rows[row]) == position + 1:
                rows[row].append(int(chosen[row]))
                if chosen[row] == end:
                    open_rows.discard(row)
        if not open_rows:
            break
    return [row[len(prompt) :] for row, prompt in zip(rows, prompts, strict=False)]


def style_faults(text: str, style: Style, turn: Turn) -> list[str]:
    """Which axes of the style the text does not have."""
    shown = resolve_all(turn)
    checks: dict[str, bool] = {
        "length": {
            "short": is_short(text),
            "long": len(body(text)) >= min(4, len(turn.question.answer.sentences)),
            "default": 1 <= len(body(text)) <= 3,
        }[style.length]
        or bool(turn.question.answer.items and style.layout == "bullets"),
        "layout": is_bullets(text) == (style.layout == "bullets"),
        "tone": {"formal": is_formal(text), "casual": is_casual(text), "neutral": is_neutral(text)}[
            style.tone
        ],
        "sign-off": not style.sign_off or signs_off(text, style.sign_off),
        "greeting": not style.greet or greets(text, style.greet),
    }
    if turn.question.category == "facts" and (is_metric(shown) or is_imperial(shown)):
        checks["units"] = is_imperial(text) if style.units == "imperial" else is_metric(text)
    if turn.question.category in ("history", "dates") and has_dates(shown, style.dates):
        checks["dates"] = has_dates(text, style.dates)
    return [axis for axis, holds in checks.items() if not holds]


def resolve_all(turn: Turn) -> str:
    """The expected answer as text."""
    return render(turn.question.answer, turn.style)


def content_faults(text: str, turn: Turn) -> list[str]:
    """What is wrong with what the answer says: something is missing, or it says what it should not."""
    answer, style = turn.question.answer, turn.style
    if answer.fixed:
        return [] if text.strip() == render(answer, style) else ["not the expected text"]
    if answer.items and style.layout == "bullets":
        found = re.findall(r"^- (.*)$", text, re.M)
        return [] if found == list(answer.items) else [f"names {found}"]
    expected = body_sentences(answer, style)
    full = body_sentences(answer, style.but(length="long"))
    said = body(text)
    faults = [] if expected[0] in said else [f"does not say: {expected[0]}"]
    return faults + [f"says: {part}" for part in said if part not in full]


def faults(text: str, turn: Turn) -> list[str]:
    """Everything wrong with an answer; empty when it is right."""
    content = content_faults(text, turn)
    return content if turn.question.answer.fixed else content + style_faults(text, turn.style, turn)


@dataclass
class Score:
    """Answers counted and those that were right; examples of wrong ones."""

    asked: int = 0
    right: int = 0
    exact: int = 0
    wrong: list[tuple[str, str, list[str]]] = field(default_factory=list)


def held_out_conversations(seed: int, per_category: int) -> Iterator[tuple[str, Conversation]]:
    """(group, conversation): single turns of each category, without and with a style, and several turns.

    Every one has a question whose key was never trained on, or a word that was in no training text.
    """
    rng = random.Random(f"evaluate {seed}")
    for category in CATEGORIES:
        words = category in ("names", "decline", "too large")
        for group, shares in ((category, (1, 0, 0)), ("with a style", (0, 65, 35))):
            count = per_category if group == category else per_category // 3
            while count:
                question = draw_from(rng, category, held_out=words)
                if words or is_held_out(question.key):
                    yield group, single(rng, question, True, shares)
                    count -= 1
    count = per_category * 2
    while count:
        found = conversation(rng, held_out=True)
        if len(found.turns) > 1 and found.held_out:
            yield "several turns", found
            count -= 1


def examine(
    answer: Callable[[Sequence[list[dict[str, str]]]], list[str]], seed: int = 1, per_category: int = 40
) -> dict[str, Score]:
    """Scores by group. ``answer`` takes chats and returns texts; the last turn of a chat is judged."""
    asked = list(held_out_conversations(seed, per_category))
    chats = [found.messages()[:-1] for _, found in asked]
    texts = answer(chats)
    scores: dict[str, Score] = defaultdict(Score)
    for (group, found), text in zip(asked, texts, strict=True):
        turn = found.turns[-1]
        problems = faults(text, turn)
        score = scores[group]
        score.asked += 1
        score.right += not problems
        score.exact += text == turn.answer
        if problems:
            score.wrong.append((turn.asked, text, problems))
    return dict(scores)

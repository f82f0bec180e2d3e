"""The sampler against the rules written out plainly."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from liminal.engine.sampling import Rules, Seen, sample

VOCAB, ROWS = 700, 3000
NEUTRAL: dict[str, float] = {
    "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0,
    "repetition": 1.0, "presence": 0.0, "frequency": 0.0,
}  # fmt: skip
LOGITS = np.random.default_rng(1).standard_normal(VOCAB).astype(np.float32)


def rules(rows: int, seed: int = 0, **given: Any) -> Rules:
    """The same rules for every row, seeds counting up."""
    values = {
        name: np.full(rows, value, np.int32 if name == "top_k" else np.float32)
        for name, value in (NEUTRAL | {k: v for k, v in given.items() if k in NEUTRAL}).items()
    }
    seeds = np.stack([np.full(rows, seed, np.uint32), np.arange(rows, dtype=np.uint32)], axis=1)
    flags = {name: np.full(rows, given.get(name, False)) for name in ("constrained", "logprobs")}
    return Rules(**values, **flags, seed=seeds, step=np.zeros(rows, np.int32))


@pytest.fixture(scope="module")
def choose() -> Any:
    """The compiled sampler over many equal rows."""
    compiled = jax.jit(sample)
    seen = Seen(jnp.zeros((ROWS, VOCAB), jnp.int32), jnp.zeros((ROWS, VOCAB), jnp.bool_))
    mask = np.full((ROWS, -(-VOCAB // 32)), 0xFFFFFFFF, np.uint32)

    def run(given: Rules, logits: Any = None, mask: Any = mask, seen: Seen = seen) -> Any:
        rows = np.tile(LOGITS, (ROWS, 1)) if logits is None else logits
        return compiled(rows, given, mask, seen, jnp.int32(0))[0]

    return run


def expected(temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0) -> Any:
    """The filtered distribution in plain numpy, with a sort."""
    chances = np.exp(LOGITS.astype(np.float64) / temperature)
    order = np.argsort(-chances)
    if top_k:
        chances[order[top_k:]] = 0
    chances /= chances.sum()
    ladder = np.cumsum(chances[order])
    chances[order[ladder - chances[order] >= top_p]] = 0
    chances[chances < min_p * chances.max()] = 0
    return chances / chances.sum()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"top_k": 7},
        {"top_k": 400},
        {"top_p": 0.3},
        {"top_p": 0.95},
        {"min_p": 0.1},
        {"temperature": 0.5, "top_k": 500, "top_p": 0.9, "min_p": 0.01},
        {"temperature": 2.0, "top_k": 300, "top_p": 0.99},
    ],
)
def test_tokens_follow_the_filtered_distribution(choose: Any, given: dict[str, Any]) -> None:
    tokens = np.asarray(choose(rules(ROWS, **given)).tokens)
    chances = expected(**given)
    assert (chances[tokens] > 0).all(), "only kept tokens are drawn"
    distance = np.abs(np.bincount(tokens, minlength=VOCAB) / ROWS - chances).sum() / 2
    noise = np.abs(np.random.default_rng(5).multinomial(ROWS, chances) / ROWS - chances).sum() / 2
    assert distance < 1.15 * noise + 0.01


def test_temperature_zero_takes_the_most_likely_token(choose: Any) -> None:
    assert set(np.asarray(choose(rules(ROWS, temperature=0.0)).tokens)) == {int(LOGITS.argmax())}


def test_a_row_chooses_the_same_whatever_the_others_ask(choose: Any) -> None:
    plain = rules(ROWS, top_p=0.9)
    alone = np.asarray(choose(plain).tokens)[:1500]
    mixed = rules(ROWS, top_p=0.9)
    mixed.top_k[1500:], mixed.top_p[1500:] = 400, 1.0
    mixed.repetition[1500:], mixed.logprobs[1500:] = 1.5, True
    np.testing.assert_array_equal(np.asarray(choose(mixed).tokens)[:1500], alone)


def test_only_allowed_tokens_are_chosen_in_constrained_rows(choose: Any) -> None:
    allowed = [3, 64, 699]
    mask = np.zeros((ROWS, -(-VOCAB // 32)), np.uint32)
    for token in allowed:
        mask[:, token // 32] |= np.uint32(1 << token % 32)
    assert set(np.asarray(choose(rules(ROWS, constrained=True), mask=mask).tokens)) == set(allowed)
    assert len(set(np.asarray(choose(rules(ROWS), mask=mask).tokens))) > 3


def test_penalties_are_those_of_their_definitions(choose: Any) -> None:
    counts, prompt = np.zeros((ROWS, VOCAB), np.int32), np.zeros((ROWS, VOCAB), np.bool_)
    best, second = np.argsort(-LOGITS)[:2]
    counts[:, best], prompt[:, second] = 3, True
    given = rules(ROWS, temperature=0.0, frequency=0.2, presence=0.1, repetition=1.3)
    scores = LOGITS.copy()
    for token in (best, second):
        scores[token] = scores[token] / 1.3 if scores[token] > 0 else scores[token] * 1.3
    scores[best] -= 0.2 * 3 + 0.1
    choice = choose(given, seen=Seen(jnp.asarray(counts), jnp.asarray(prompt)))
    assert int(choice.tokens[0]) == int(scores.argmax())


def test_log_probabilities_ignore_the_rules(choose: Any) -> None:
    choice = choose(rules(ROWS, temperature=0.0, repetition=2.0, logprobs=True))
    plain = LOGITS - np.log(np.exp(LOGITS).sum())
    np.testing.assert_allclose(choice.logprob[0], plain.max(), atol=1e-5)
    np.testing.assert_allclose(choice.top_logprobs[0], np.sort(plain)[::-1][:20], atol=1e-5)

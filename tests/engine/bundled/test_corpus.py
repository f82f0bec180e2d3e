"""The corpus: the same for a seed, nothing held out in training, answers that satisfy their own checkers."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from liminal.engine.bundled import invented
from liminal.engine.bundled.batches import chunk_batches, encoded, packed
from liminal.engine.bundled.corpus import CATEGORIES, Conversation, draw_from, training_conversations
from liminal.engine.bundled.evaluate import faults, held_out_conversations
from liminal.engine.bundled.folder import model_path
from liminal.engine.bundled.questions import is_held_out, normalised
from liminal.engine.bundled.style import Answer, Style, render
from liminal.engine.bundled.tables import table
from liminal.engine.bundled.tokenizer import encode_chat
from liminal.engine.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def training() -> list[Conversation]:
    """A sample of what the model is trained on."""
    return list(islice(training_conversations(3), 4000))


def test_the_same_seed_makes_the_same_conversations_and_another_seed_others() -> None:
    def texts(seed: int) -> list[list[dict[str, str]]]:
        return [found.messages() for found in islice(training_conversations(seed), 200)]

    assert texts(5) == texts(5)
    assert texts(5) != texts(6)


def test_every_category_is_taught_and_every_category_has_a_held_out_part(
    training: list[Conversation],
) -> None:
    taught = {turn.question.category for found in training for turn in found.turns}
    assert taught >= set(CATEGORIES) - {"too large"}  # counted under decline
    rng = random.Random(1)
    for category in CATEGORIES:
        assert any(is_held_out(draw_from(rng, category).key) for _ in range(600)), category


def test_no_training_conversation_asks_a_held_out_question(training: list[Conversation]) -> None:
    trained = {normalised(turn.question.key) for found in training for turn in found.turns}
    examined = {
        normalised(turn.question.key)
        for _, found in held_out_conversations(1, 10)
        for turn in found.turns
        if is_held_out(turn.question.key)
    }
    assert examined
    assert not trained & examined
    assert not any(is_held_out(key) for key in trained)


def test_words_of_the_examination_are_in_no_training_text(training: list[Conversation]) -> None:
    seen = " ".join(message["content"] for found in training for message in found.messages())
    unknown, words = table("unknown"), table("words")
    for word in (*unknown["terms_held_out"], *unknown["people_held_out"], *words["names_held_out"]):
        assert f" {word}" not in seen, word


def test_invented_words_are_new_again_and_again_and_never_of_the_examination() -> None:
    rng = random.Random(4)
    words = [invented.word(rng) for _ in range(4000)]
    assert len(set(words)) > 3000
    assert not any(word.startswith(invented.reserved()) for word in words)


def test_the_expected_answers_pass_their_own_checkers() -> None:
    for _, found in held_out_conversations(2, 12):
        for turn in found.turns:
            assert faults(turn.answer, turn) == [], turn.answer


def test_a_wrong_number_a_foreign_sentence_and_a_missing_style_are_all_faults() -> None:
    for group, found in held_out_conversations(2, 12):
        turn = found.turns[-1]
        if turn.question.answer.fixed:
            assert faults(turn.answer + "x", turn)
            continue
        assert faults(f"{turn.answer} Bananas are blue and so is the sky.", turn), group
        if any(digit.isdigit() for digit in turn.answer) and turn.question.category == "arithmetic":
            changed = "".join(str((int(c) + 1) % 10) if c.isdigit() else c for c in turn.answer)
            assert faults(changed, turn), changed
        if turn.style.tone == "neutral":
            casual = render(turn.question.answer, turn.style.but(tone="casual"))
            assert faults(casual, turn), casual


def test_one_answer_in_many_styles() -> None:
    answer = Answer(("It is {5 metres|16 feet} high.", "It was built on {2026-03-05}.", "It is old.", "End."))
    assert render(answer) == "It is 5 metres high. It was built on 5 March 2026."
    assert render(answer, Style(length="short", units="imperial")) == "It is 16 feet high."
    assert render(answer, Style(layout="bullets", dates="german")) == (
        "- It is 5 metres high.\n- It was built on 5. März 2026."
    )
    assert render(answer, Style(tone="casual", greet="Ada", sign_off="Yours, Bo")) == (
        "Hey Ada! Sure thing! It's 5 metres high. It was built on 5 March 2026. Hope that helps!\n\nYours, Bo"
    )


def test_training_encodes_a_chat_as_the_template_and_the_tokenizer_do(training: list[Conversation]) -> None:
    tokenizer = Tokenizer.load(model_path())
    for found in training[:300]:
        messages = found.messages()
        rendered = tokenizer.render(messages[:-1])  # type: ignore[arg-type]
        ids, written = encode_chat(tokenizer.inner, messages[:-1], open_end=True)
        assert ids == tokenizer.encode(rendered, special=False)
        whole, marks = encode_chat(tokenizer.inner, messages, open_end=False)
        assert whole[: len(ids)] == ids
        answer = [token for token, mark in zip(whole[len(ids) :], marks[len(ids) :], strict=True) if mark]
        assert tokenizer.decode(answer) == messages[-1]["content"]
        assert len(written) == len(ids)


def test_every_text_survives_the_tokenizer_and_digits_stand_alone() -> None:
    tokenizer = Tokenizer.load(model_path())
    for text in ("ÄÖ ✓ 日本 🙂", "12 + 345", "\x00\x7f\ttab", "ALL CAPITALS", "  two  spaces "):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    pieces = [tokenizer.token_text(token) for token in tokenizer.encode("2026")]
    assert pieces == ["2", "0", "2", "6"]


def test_packing_keeps_every_conversation_once_and_wastes_little(training: list[Conversation]) -> None:
    tokenizer = Tokenizer.load(model_path()).inner
    examples = [encoded(tokenizer, found) for found in training[:1500]]
    by_length = packed([example for example in examples if len(example.ids) <= 768])
    rows = [(length, row) for length, found in by_length.items() for row in found]
    assert sorted(id(example) for _, row in rows for example in row) == sorted(map(id, examples))
    assert all(sum(len(example.ids) for example in row) <= length for length, row in rows)
    used = sum(len(example.ids) for _, row in rows for example in row)
    assert used > 0.95 * sum(length for length, _ in rows)


def test_a_chunk_is_the_same_for_its_seed_and_its_targets_are_what_the_assistant_wrote() -> None:
    tokenizer = Tokenizer.load(model_path()).inner
    first, again = (list(chunk_batches(tokenizer, 1, 0, 300)) for _ in range(2))
    assert first
    for batch, same in zip(first, again, strict=True):
        assert all((batch[name] == same[name]).all() for name in batch)
        flat, segments = batch["tokens"].reshape(-1), batch["segments"].reshape(-1)
        places = batch["index"][batch["weight"] > 0]
        assert (flat[places + 1] == batch["target"][batch["weight"] > 0]).all()
        assert (segments[places + 1] == segments[places]).all()

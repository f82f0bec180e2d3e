"""Expressions: read, written back, checked, evaluated."""

from __future__ import annotations

import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liminal.steering.expressions import (
    MAX_NODES,
    Expression,
    ExpressionError,
    Function,
    Type,
    Vocabulary,
    check,
    evaluate,
    parse,
    unparse,
)
from liminal.steering.expressions.syntax import Binary, Call, ListLiteral, Literal, Name, Place, Unary

PLACE = Place(1, 1)
NAMES = {"n": Type.NUMBER, "yes": Type.BOOLEAN, "text": Type.TEXT, "texts": Type.TEXTS}
FUNCTIONS = {
    "length": Function((Type.TEXT,), Type.NUMBER, ""),
    "least": Function((Type.NUMBER, Type.NUMBER), Type.NUMBER, ""),
    "flag": Function((Type.TEXT,), Type.BOOLEAN, "", {"new": Type.BOOLEAN}),
    "setting": Function((Type.TEXT,), Type.TEXT, "", {"theme": Type.TEXT, "size": Type.NUMBER}),
}
VOCABULARY = Vocabulary(NAMES, FUNCTIONS)
VALUES = {"n": 3.0, "yes": True, "text": "how far is it?", "texts": ("a", "b")}
MEANINGS = {
    "length": lambda text: float(len(text)),
    "least": min,
    "flag": lambda name: True,
    "setting": lambda name: {"theme": "dark", "size": 12.0}[name],
}


@cache
def plain(type_: Type) -> st.SearchStrategy[Expression]:
    """Literals and names of a type."""
    values = {
        Type.NUMBER: st.floats(0, 1e308, allow_nan=False),
        Type.BOOLEAN: st.booleans(),
        Type.TEXT: st.text(max_size=8),
    }[type_]
    names = [name for name, kind in NAMES.items() if kind is type_]
    return st.builds(Literal, values, st.just(PLACE)) | st.builds(
        Name, st.sampled_from(names), st.just(PLACE)
    )


@cache
def trees(type_: Type, depth: int = 3) -> st.SearchStrategy[Expression]:
    """Well-typed trees."""
    if depth == 0:
        return plain(type_)

    def some(kind: Type) -> st.SearchStrategy[Expression]:
        return trees(kind, depth - 1)

    def binary(operators: list[str], left: Type, right: Type) -> st.SearchStrategy[Expression]:
        return st.builds(Binary, st.sampled_from(operators), some(left), some(right), st.just(PLACE))

    def call(name: str, *kinds: Type) -> st.SearchStrategy[Expression]:
        return st.builds(Call, st.just(name), st.tuples(*(some(kind) for kind in kinds)), st.just(PLACE))

    if type_ is Type.NUMBER:
        return st.one_of(
            plain(type_),
            binary(["+", "-", "*", "/", "%"], Type.NUMBER, Type.NUMBER),
            st.builds(Unary, st.just("-"), some(Type.NUMBER), st.just(PLACE)),
            call("length", Type.TEXT),
            call("least", Type.NUMBER, Type.NUMBER),
        )
    if type_ is Type.BOOLEAN:
        texts = st.builds(
            ListLiteral, st.lists(some(Type.TEXT), min_size=1, max_size=3).map(tuple), st.just(PLACE)
        )
        return st.one_of(
            plain(type_),
            binary(["and", "or", "==", "!="], Type.BOOLEAN, Type.BOOLEAN),
            binary(["==", "!=", "<", "<=", ">", ">="], Type.NUMBER, Type.NUMBER),
            binary(["==", "!=", "in", "not in"], Type.TEXT, Type.TEXT),
            st.builds(Binary, st.sampled_from(["in", "not in"]), some(Type.TEXT), texts, st.just(PLACE)),
            st.builds(Unary, st.just("not"), some(Type.BOOLEAN), st.just(PLACE)),
        )
    return plain(type_)


anything = st.sampled_from([Type.NUMBER, Type.BOOLEAN, Type.TEXT]).flatmap(
    lambda type_: st.tuples(st.just(type_), trees(type_))
)


@given(anything)
def test_a_tree_that_is_written_and_read_is_the_same_tree(made: tuple[Type, Expression]) -> None:
    tree = made[1]
    assert parse(unparse(tree)) == tree
    assert unparse(parse(unparse(tree))) == unparse(tree)


@given(anything)
def test_a_tree_that_passes_the_check_has_a_value_of_its_type(made: tuple[Type, Expression]) -> None:
    type_, tree = made
    assert check(tree, VOCABULARY) is type_
    value = evaluate(tree, VALUES, MEANINGS)
    kind = {Type.NUMBER: float, Type.BOOLEAN: bool, Type.TEXT: str}[type_]
    assert type(value) is kind
    assert not isinstance(value, float) or math.isfinite(value)


@given(st.text(alphabet="ab1.'\"()[]<>=!+-*/% \n,\\", max_size=40) | st.text(max_size=40))
def test_any_text_is_an_expression_or_is_refused_at_a_place(text: str) -> None:
    try:
        check(parse(text), VOCABULARY)
    except ExpressionError as error:
        lines = text.split("\n")
        assert 1 <= error.details["line"] <= len(lines)
        assert 1 <= error.details["column"] <= len(lines[error.details["line"] - 1]) + 1


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("n >", (1, 4), "found the end of the text, expected a value"),
        ("n > 1 > 2", (1, 7), "found '>'"),
        ("n = 1", (1, 3), "equality is written =="),
        ("'no end", (1, 1), "this text has no end"),
        ("n >\n  lenght(text)", (2, 3), "there is no function 'lenght'; did you mean length?"),
        ("txt == 'a'", (1, 1), "there is no name 'txt'; did you mean text?"),
        ("length == 3", (1, 1), "it is a function: length(…)"),
        ("length(n) > 3", (1, 8), "expected a text by length, found a number"),
        ("least(1) > 3", (1, 1), "least takes 2 arguments, not 1"),
        ("yes and n", (1, 9), "expected a boolean after and, found a number"),
        ("n", (1, 1), "expected a boolean here, found a number"),
        ("text in ['a', 2]", (1, 15), "expected a text as the first of the list, found a number"),
        ("n in text", (1, 6), "expected a list of numbers after in, found a text"),
        ("flag('old')", (1, 6), "there is no flag 'old'; there are new"),
        ("flag(text)", (1, 6), "flag takes a text in quotes"),
        ("texts == texts", (1, 1), "a list of texts can't be compared"),
        ("setting('size') == 'big'", (1, 20), "expected a number after ==, found a text"),
        ("__import__('os')", (1, 1), "there is no function '__import__'"),
        ("text.length", (1, 5), "means nothing in an expression"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_what_was_expected(
    text: str, place: tuple[int, int], reason: str
) -> None:
    with pytest.raises(ExpressionError) as refused:
        check(parse(text), VOCABULARY, Type.BOOLEAN)
    assert (refused.value.details["line"], refused.value.details["column"]) == place
    assert reason in refused.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4 / 2", 5.0),
        ("(1 + 2) * 3 % 5", 4.0),
        ("10 - 3 - 2", 5.0),
        ("n / 0", 0.0),
        ("n % 0", 0.0),
        ("1e308 * 10", 0.0),
        ("not yes or n == 3", True),
        ("'far' in text and 'near' not in text", True),
        ("n in [1, 3]", True),
        ("setting('theme') == 'dark' and setting('size') > 10", True),
    ],
)
def test_operators_bind_as_everywhere_and_every_sum_is_finite(text: str, value: object) -> None:
    tree = parse(text)
    check(tree, VOCABULARY)
    assert evaluate(tree, VALUES, MEANINGS) == value


def test_and_and_or_leave_alone_what_they_do_not_need() -> None:
    called: list[str] = []

    def flag(name: str) -> bool:
        called.append(name)
        return True

    tree = parse("not yes and flag('new') or yes or flag('new')")
    assert evaluate(tree, VALUES, {**MEANINGS, "flag": flag}) is True
    assert called == []


@pytest.mark.parametrize(
    "text",
    [
        "-" * 1000 + "1",
        "not " * 400 + "yes",
        "(" * 900 + "1" + ")" * 900 + "+" * 100,
        "1" + "+1" * 150,
        "x" * 3000,
    ],
)
def test_an_expression_that_is_too_large_is_refused_at_once(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_a_long_list_within_bounds_is_read() -> None:
    text = "n in [" + ", ".join(str(number) for number in range(MAX_NODES - 10)) + "]"
    assert evaluate(parse(text), VALUES, MEANINGS) is True

"""From text to tree, with lark's LALR(1) parser."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from liminal.steering.expressions.syntax import (
    Binary,
    Call,
    Expression,
    ExpressionError,
    ListLiteral,
    Literal,
    Name,
    Place,
    Unary,
    children,
)

MAX_CHARACTERS = 2000
MAX_NODES = 200
MAX_DEPTH = 40
"""Bounds of one expression: with them, and without loops, every evaluation is short."""

GRAMMAR = r"""
    ?start: disjunction
    ?disjunction: conjunction
        | disjunction OR conjunction -> binary
    ?conjunction: negation
        | conjunction AND negation -> binary
    ?negation: comparison
        | NOT negation -> unary
    ?comparison: sum
        | sum COMPARE sum -> binary
        | sum IN sum -> binary
        | sum NOT IN sum -> not_in
    ?sum: product
        | sum (PLUS | MINUS) product -> binary
    ?product: signed
        | product MULTIPLY signed -> binary
    ?signed: atom
        | MINUS signed -> unary
    ?atom: NUMBER -> number
        | TEXT -> text
        | (TRUE | FALSE) -> boolean
        | NAME -> name
        | NAME "(" [disjunction ("," disjunction)*] ")" -> call
        | LSQB disjunction ("," disjunction)* "]" -> list
        | "(" disjunction ")"

    OR: "or"
    AND: "and"
    NOT: "not"
    IN: "in"
    TRUE: "true"
    FALSE: "false"
    COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
    PLUS: "+"
    MINUS: "-"
    MULTIPLY: "*" | "/" | "%"
    LSQB: "["
    NUMBER: /[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/
    TEXT: /'([^'\\\n]|\\.)*'|"([^"\\\n]|\\.)*"/
    NAME: /[a-z_][a-z0-9_]*/
    %ignore /[ \t\r\n]+/
"""

_WORDS = {
    "OR": "or", "AND": "and", "NOT": "not", "IN": "in", "COMPARE": "a comparison", "PLUS": "+", "MINUS": "-",
    "MULTIPLY": "*, / or %", "LSQB": "a list", "NUMBER": "a number", "TEXT": "a text", "NAME": "a name",
    "TRUE": "true", "FALSE": "false", "LPAR": "(", "RPAR": ")", "RSQB": "]", "COMMA": ",",
    "$END": "the end",
}  # fmt: skip
_ORDER = list(_WORDS)
_OPERAND = {"NUMBER", "TEXT", "NAME", "TRUE", "FALSE", "LSQB", "LPAR", "MINUS", "NOT"}

_ESCAPE = re.compile(r"\\(?:u\{([0-9a-f]{1,6})\}|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


def parse(text: str) -> Expression:
    """The tree of an expression. Raises ExpressionError with line and column of what was not expected."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            Place(1, MAX_CHARACTERS + 1), f"an expression has at most {MAX_CHARACTERS} characters"
        )
    try:
        tree: Any = _parser().parse(text)
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedInput as error:
        raise _unexpected(error, text) from None
    _check_size(tree)
    return tree


@cache
def _parser() -> Lark:
    # the tree is built while parsing: nothing recurses, however deep the text nests
    return Lark(GRAMMAR, parser="lalr", transformer=_Builder())


def _check_size(tree: Expression) -> None:
    level: list[Expression] = [tree]
    nodes = depth = 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH:
            raise ExpressionError(level[0].place, f"this nests deeper than {MAX_DEPTH} levels")
        if nodes > MAX_NODES:
            raise ExpressionError(level[-1].place, f"an expression has at most {MAX_NODES} parts")
        level = [child for node in level for child in children(node)]


@v_args(inline=True)
class _Builder(Transformer[Token, Expression]):
    """Makes the nodes; one method an alias of the grammar."""

    def number(self, token: Token) -> Expression:
        value = float(token)
        if not math.isfinite(value):
            raise ExpressionError(_place(token), "this number is too large")
        return Literal(value, _place(token))

    def text(self, token: Token) -> Expression:
        return Literal(_unquote(token), _place(token))

    def boolean(self, token: Token) -> Expression:
        return Literal(str(token) == "true", _place(token))

    def name(self, token: Token) -> Expression:
        return Name(str(token), _place(token))

    def call(self, token: Token, *arguments: Expression | None) -> Expression:
        given = tuple(argument for argument in arguments if argument is not None)
        return Call(str(token), given, _place(token))

    def list(self, token: Token, *items: Expression) -> Expression:
        return ListLiteral(items, _place(token))

    def unary(self, token: Token, operand: Expression) -> Expression:
        return Unary(str(token), operand, _place(token))

    def binary(self, left: Expression, token: Token, right: Expression) -> Expression:
        return Binary(str(token), left, right, _place(token))

    def not_in(self, left: Expression, token: Token, _in: Token, right: Expression) -> Expression:
        return Binary("not in", left, right, _place(token))


def _place(token: Token) -> Place:
    return Place(token.line or 1, token.column or 1)


def _unquote(token: Token) -> str:
    def replace(found: re.Match[str]) -> str:
        if found[1] is not None and int(found[1], 16) <= 0x10FFFF:
            return chr(int(found[1], 16))
        if found[2] in _PLAIN:
            return _PLAIN[found[2]]
        place = _place(token)
        raise ExpressionError(
            Place(place.line, place.column + 1 + found.start()),
            f"there is no escape {found[0]}; there are \\n, \\t, \\\\, \\', \\\" and \\u{{…}}",
        )

    return _ESCAPE.sub(replace, token[1:-1])


def _unexpected(error: UnexpectedInput, text: str) -> ExpressionError:
    match error:
        case UnexpectedToken(token=Token(type="$END")):
            lines = text.split("\n")
            place, found = Place(len(lines), len(lines[-1]) + 1), "the end of the text"
        case UnexpectedToken(token=token):
            place, found = _place(token), repr(str(token))
        case UnexpectedCharacters(line=line, column=column, char=character):
            if character in "'\"":
                return ExpressionError(Place(line, column), "this text has no end")
            if character == "=":
                return ExpressionError(Place(line, column), "found '='; equality is written ==")
            return ExpressionError(Place(line, column), f"{character!r} means nothing in an expression")
        case _:
            raise error
    return ExpressionError(place, f"found {found}, expected {_expected(error)}")


def _expected(error: UnexpectedInput) -> str:
    names = set(error.accepts or ()) if isinstance(error, UnexpectedToken) else set[str]()
    words: list[str] = []
    if "NUMBER" in names:
        words.append("a value")
        names -= _OPERAND
    words += [_WORDS[name] for name in sorted(names & _WORDS.keys(), key=_ORDER.index)]
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else "".join(words) or "nothing more"

"""The language of authors: one expression, read by the grammar beside this file, compiled once to closures.

No attribute of any Python object is ever read: a path looks into dicts by key and into lists by index, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path as File
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args

from flows.engine import values
from flows.engine.budget import Budget
from flows.engine.errors import SyntaxRefused, UnknownFilter
from flows.engine.filters import FILTERS
from flows.engine.limits import MAX_EXPRESSION_CHARS, MAX_EXPRESSION_DEPTH, MAX_NUMBER_DIGITS
from flows.engine.strictjson import JSON

Names = Mapping[str, JSON]
Evaluate = Callable[[Names, Budget], JSON]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled piece of an expression. `text` is how to speak of it where it is a plain reference."""

    evaluate: Evaluate
    cost: int = 1
    depth: int = 1
    references: tuple[Path, ...] = ()
    roots: tuple[tuple[int, str], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `references` are its paths, `roots` where each path's first name stands in `source`."""

    source: str
    _evaluate: Evaluate
    cost: int
    references: tuple[Path, ...]
    roots: tuple[tuple[int, str], ...]

    def evaluate(self, names: Names, budget: Budget) -> JSON:
        """The value. Raises LanguageError, or LimitReached when the budget is spent."""
        budget.spend(self.cost)
        return self._evaluate(names, budget)


@lru_cache(maxsize=8_192)
def compile_expression(source: str) -> Expression:
    """Compile an expression. Raises SyntaxRefused or UnknownFilter, with the column."""
    if len(source) > MAX_EXPRESSION_CHARS:
        raise SyntaxRefused(
            f"The expression is longer than {MAX_EXPRESSION_CHARS} characters.", hint="Split it over several steps."
        )
    if not source.strip():
        raise SyntaxRefused("The expression is empty.", column=1, hint="Write a reference, like payload.name.")
    try:
        part: Part = _parser().parse(source)  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _refusal(source, error) from None
    return Expression(source, part.evaluate, part.cost, part.references, part.roots)


def rename(source: str, old: str, new: str) -> str:
    """The expression with every reference to `old` made one to `new`; the rest stays byte for byte."""
    for position, root in sorted(compile_expression(source).roots, reverse=True):
        if root == old:
            source = source[:position] + new + source[position + len(old) :]
    return source


@v_args(inline=True)
class _Compiler(Transformer[Token, Part]):
    """Grammar rule → compiled part."""

    def start(self, part: Part) -> Part:
        return part

    def number(self, token: Token) -> Part:
        if len(token) > MAX_NUMBER_DIGITS:
            raise SyntaxRefused(f"A number has more than {MAX_NUMBER_DIGITS} digits.", column=token.column or 0)
        return _constant(Decimal(token) if "." in token else int(token))

    def text(self, token: Token) -> Part:
        return _constant(_unquoted(token))

    def true(self) -> Part:
        return _constant(True)

    def false(self) -> Part:
        return _constant(False)

    def null(self) -> Part:
        return _constant(None)

    def key(self, token: Token) -> str:
        return str(token)

    def quoted_key(self, token: Token) -> str:
        return _unquoted(token)

    def index(self, token: Token) -> int:
        if len(token) > 9:
            raise SyntaxRefused("That index is too large.", column=token.column or 0)
        return int(token)

    def path(self, root: Token, *keys: str | int) -> Part:
        name = str(root)
        if name in ("and", "or", "not"):
            raise SyntaxRefused(
                f"{name!r} needs something on its {'right' if name == 'not' else 'left'}.", column=root.column or 0
            )
        text = name + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
        position = root.start_pos or 0
        return Part(_reader(name, keys), 1 + len(keys), 1, ((name, *keys),), ((position, name),), text)

    def arithmetic(self, left: Part, sign: Token, right: Part) -> Part:
        a, b, name, left_text, right_text = left.evaluate, right.evaluate, str(sign), left.text, right.text

        def evaluate(names: Names, budget: Budget) -> JSON:
            return values.arithmetic(name, a(names, budget), b(names, budget), left_text, right_text)

        return _joined(evaluate, left, right)

    def negative(self, sign: Token, part: Part) -> Part:
        inner, text = part.evaluate, part.text
        return _joined(lambda names, budget: values.arithmetic("-", 0, inner(names, budget), "", text), part)

    def compare(self, left: Part, sign: Token, right: Part) -> Part:
        a, b, holds = left.evaluate, right.evaluate, _COMPARISONS[str(sign)]
        return _joined(lambda names, budget: holds(a(names, budget), b(names, budget)), left, right)

    def and_(self, left: Part, right: Part) -> Part:
        a, b = left.evaluate, right.evaluate
        return _joined(
            lambda names, budget: values.truth(a(names, budget), "and") and values.truth(b(names, budget), "and"),
            left,
            right,
        )

    def or_(self, left: Part, right: Part) -> Part:
        a, b = left.evaluate, right.evaluate
        return _joined(
            lambda names, budget: values.truth(a(names, budget), "or") or values.truth(b(names, budget), "or"),
            left,
            right,
        )

    def not_(self, part: Part) -> Part:
        inner = part.evaluate
        return _joined(lambda names, budget: not values.truth(inner(names, budget), "not"), part)

    def arguments(self, *parts: Part) -> tuple[Part, ...]:
        return parts

    def filter(self, part: Part, token: Token, arguments: tuple[Part, ...] = ()) -> Part:
        known = FILTERS.get(str(token))
        if known is None:
            raise _unknown_filter(token)
        if not known.least <= len(arguments) <= known.most:
            raise SyntaxRefused(
                f"The filter {token} takes {known.takes}, not {len(arguments)}.",
                column=token.column or 0,
                hint=f"For example: {known.example}",
            )
        inner, function, others = part.evaluate, known.function, tuple(one.evaluate for one in arguments)

        def evaluate(names: Names, budget: Budget) -> JSON:
            return function(budget, inner(names, budget), *(one(names, budget) for one in others))

        return _joined(evaluate, part, *arguments, cost=known.cost)


_COMPARISONS: dict[str, Callable[[JSON, JSON], bool]] = {
    "=": values.same,
    "==": values.same,
    "!=": lambda left, right: not values.same(left, right),
    "<": values.before,
    ">": lambda left, right: values.before(right, left),
    "<=": lambda left, right: not values.before(right, left),
    ">=": lambda left, right: not values.before(left, right),
}


def _constant(value: JSON) -> Part:
    return Part(lambda names, budget: value, cost=0)


def _joined(evaluate: Evaluate, *parts: Part, cost: int = 1) -> Part:
    depth = 1 + max(part.depth for part in parts)
    if depth > MAX_EXPRESSION_DEPTH:
        raise SyntaxRefused(
            f"The expression is nested deeper than {MAX_EXPRESSION_DEPTH} levels.", hint="Split it over several steps."
        )
    return Part(
        evaluate,
        cost + sum(part.cost for part in parts),
        depth,
        tuple(path for part in parts for path in part.references),
        tuple(root for part in parts for root in part.roots),
    )


def _reader(root: str, keys: tuple[str | int, ...]) -> Evaluate:
    """Read a path; whatever is missing on the way is null."""
    if not keys:
        return lambda names, budget: names.get(root)

    def read(names: Names, budget: Budget) -> JSON:
        value: Any = names.get(root)
        for key in keys:
            if type(value) is dict:
                value = value.get(key) if type(key) is str else None
            elif type(value) is list and type(key) is int:
                value = value[key] if key < len(value) else None
            else:
                return None
        checked: JSON = value
        return checked

    return read


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token[1:-1], flags=re.DOTALL)


def _unknown_filter(token: Token) -> UnknownFilter:
    close = get_close_matches(str(token), FILTERS, 1)
    hint = f"Did you mean {close[0]}?" if close else "docs/language.md lists the filters."
    return UnknownFilter(f"There is no filter {str(token)!r}.", hint=hint)


def _refusal(source: str, error: UnexpectedInput) -> SyntaxRefused:
    """What is wrong, for a person."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return SyntaxRefused(
            "The expression ends too early.", column=len(source) + 1, hint="Something is missing at the end."
        )
    column = error.column if isinstance(error.column, int) and error.column > 0 else 1
    position = error.pos_in_stream or 0
    found = source[position : position + 12]
    hint = "A reference reads payload.order.total; text stands in 'quotes'."
    if isinstance(error, UnexpectedToken) and error.token.type == "COMPARATOR":
        hint = "Comparisons can't be chained: write `a < b and b < c`."
    elif found.startswith(("**", "^")) or source[position - 1 : position + 1] == "**":
        hint = "There is no power operator; multiply instead."
    elif found.startswith(("&", "|")):
        hint = "Join conditions with `and` and `or`; a single | applies a filter."
    return SyntaxRefused(f"Column {column}: {found!r} isn't expected here.", column=column, hint=hint)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = File(__file__).with_name("language.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=_Compiler(), maybe_placeholders=False)

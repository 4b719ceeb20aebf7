"""From what the parser finds to closures: the parser calls the methods of Builder from the inside out, one per rule."""

from __future__ import annotations

import difflib
import re
from decimal import Decimal

from lark import Token, Transformer, v_args

from flows.engine.closures import Piece, Step, calculation, chain, comparison, filtered, inversion, negation
from flows.engine.errors import SyntaxRefused, UnknownFilter
from flows.engine.filters import FILTERS, Filter
from flows.engine.limits import MAX_EXPRESSION_DEPTH, MAX_NUMBER_DIGITS
from flows.engine.paths import Compute, follow, getter, path_text
from flows.engine.strictjson import JSON

FilterUse = tuple[Token, tuple[Piece, ...]]


def refused(sentence: str, column: int, hint: str = "") -> SyntaxRefused:
    """A SyntaxRefused that says where."""
    return SyntaxRefused(f"{sentence} (column {column}).", column=column, hint=hint)


def column_of(token: Token) -> int:
    return (token.start_pos or 0) + 1


@v_args(inline=True)
class Builder(Transformer[Token, Piece]):
    """The rules of language.lark."""

    def start(self, piece: Piece) -> Piece:
        return piece

    def literal(self, token: Token) -> Piece:
        value = _literal(token)
        return Piece(lambda names, budget: value, column_of(token), can_fail=False)

    def path(self, root: Token, *keys: str | int) -> Piece:
        path = (str(root), *keys)
        compute = getter(str(root), keys)
        return Piece(compute, column_of(root), references=(path,), name=path_text(path), can_fail=False)

    def trailer(self, token: Token) -> str | int:
        if token.type == "INDEX":
            return int(token)
        return _unquoted(token) if token.type == "STRING" else str(token)

    def group(self, inner: Piece, *keys: str | int) -> Piece:
        if not keys:
            return inner
        compute = inner.compute
        return _made_of(lambda names, budget: follow(compute(names, budget), keys), inner)

    def sign(self, minus: Token, piece: Piece) -> Piece:
        return _made_of(negation(column_of(minus), piece), piece)

    def step(self, operator: Token, piece: Piece) -> Step:
        return Step(str(operator), column_of(operator), piece)

    def calculation(self, first: Piece, *steps: Step) -> Piece:
        return _made_of(calculation(first, steps), first, *(step.piece for step in steps))

    def comparison(self, left: Piece, step: Step, *more: Step) -> Piece:
        if more:
            raise refused("Comparisons can't be chained", more[0].column, "Join two of them: a < b and b < c.")
        return _made_of(comparison(left, step), left, step.piece)

    def inversion(self, piece: Piece) -> Piece:
        return _made_of(inversion(piece), piece)

    def either(self, *pieces: Piece) -> Piece:
        return _made_of(chain(pieces, True), *pieces)

    def both(self, *pieces: Piece) -> Piece:
        return _made_of(chain(pieces, False), *pieces)

    def filter(self, name: Token, *arguments: Piece) -> FilterUse:
        return name, arguments

    def pipe(self, first: Piece, *uses: FilterUse) -> Piece:
        parts, compute, cost = [first], first.compute, 0
        for token, arguments in uses:
            used = _filter(token, len(arguments))
            compute = filtered(compute, str(token), column_of(token), used, arguments)
            parts += arguments
            cost += used.cost
        return _made_of(compute, *parts, cost=cost)


def _made_of(compute: Compute, *parts: Piece, cost: int = 1) -> Piece:
    """A piece made of others. Raises SyntaxRefused where that nests too deep."""
    depth, column = 1 + max(part.depth for part in parts), parts[0].column
    if depth > MAX_EXPRESSION_DEPTH:
        hint = "Compute a part of it in a step before."
        raise refused(f"It is nested deeper than {MAX_EXPRESSION_DEPTH} levels", column, hint)
    cost += sum(part.cost for part in parts)
    return Piece(compute, column, cost, depth, tuple(path for part in parts for path in part.references))


def _filter(token: Token, given: int) -> Filter:
    found = FILTERS.get(token)
    if found is None:
        close = difflib.get_close_matches(token, FILTERS, 1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(sorted(FILTERS))}."
        raise UnknownFilter(f"There is no filter called {token} (column {column_of(token)}).", hint=hint)
    if not found.least <= given <= found.most:
        usage = f"{token}: {found.usage}" if found.most else str(token)
        raise refused(f"The filter {token} got {given} arguments", column_of(token), f"It is written | {usage}.")
    return found


_CONSTANTS: dict[str, JSON] = {"TRUE": True, "FALSE": False, "NULL": None}
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


def _literal(token: Token) -> JSON:
    if token.type == "STRING":
        return _unquoted(token)
    if token.type != "NUMBER":
        return _CONSTANTS[token.type]
    if len(token) > MAX_NUMBER_DIGITS:
        raise refused(f"A number has more than {MAX_NUMBER_DIGITS} digits", column_of(token), "Write it as text.")
    return Decimal(token) if "." in token else int(token)


def _unquoted(token: Token) -> str:
    """The text between the quotes."""
    if "\\" not in token:
        return str(token[1:-1])

    def unescaped(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            column = column_of(token) + 1 + match.start()
            raise refused(f"There is no escape \\{match[1]}", column, r"Escapes are \' \" \\ \n \t.")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", unescaped, token[1:-1], flags=re.DOTALL)

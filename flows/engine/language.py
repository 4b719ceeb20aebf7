"""The language of authors: an expression is read by language.lark and compiled, once, to closures (docs/language.md).

No attribute of any Python object is ever read, and nothing that comes from outside is ever compiled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path as File

from lark import Lark, UnexpectedInput

from flows.engine.budget import Budget
from flows.engine.closures import Piece
from flows.engine.compiler import Builder, refused
from flows.engine.errors import LanguageError, SyntaxRefused
from flows.engine.limits import MAX_EXPRESSION_CHARS
from flows.engine.paths import Path
from flows.engine.refusals import refusal
from flows.engine.strictjson import JSON

Names = Mapping[str, JSON]
Evaluate = Callable[[Names, Budget], JSON]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `references` are the paths it reads, each with its root name first.

    `evaluate(names, budget)` computes its value. Raises LanguageError, or LimitReached.
    """

    source: str
    evaluate: Evaluate
    references: tuple[Path, ...]
    cost: int


@lru_cache(maxsize=2_048)
def compile_expression(source: str) -> Expression:
    """Compile an expression. Raises SyntaxRefused or UnknownFilter, with the column and what to do."""
    try:
        piece = _read(source)
    except LanguageError as error:
        raise _within(source, error) from None
    return Expression(source, _evaluator(source, piece), tuple(dict.fromkeys(piece.references)), piece.cost)


def rename(source: str, old: str, new: str) -> str:
    """The source with references to `old` made references to `new`, and all else byte for byte; it needn't be valid."""
    return _words().sub(lambda match: new if match["root"] == old else match[0], source)


def string_pattern() -> str:
    """How the grammar reads a text in quotes, as a regular expression."""
    return _parser().get_terminal("STRING").pattern.to_regexp()


_REFUSED_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _read(source: str) -> Piece:
    if len(source) > MAX_EXPRESSION_CHARS:
        raise SyntaxRefused(
            f"It is longer than {MAX_EXPRESSION_CHARS} characters.", column=1, hint="Spread it over several steps."
        )
    found = _REFUSED_CHARACTERS.search(source)
    if found:
        raise refused("A control character isn't allowed", found.start() + 1, "Remove it.")
    if not source.strip():
        raise SyntaxRefused("The expression is empty.", column=1, hint="Write what to read, like payload.name.")
    try:
        piece: Piece = _parser().parse(source)  # type: ignore[assignment]  # Builder makes no trees
    except UnexpectedInput as error:
        raise refusal(source, error) from None
    return piece


def _evaluator(source: str, piece: Piece) -> Evaluate:
    compute, cost = piece.compute, piece.cost
    if not piece.can_fail:  # a path, the most frequent by far

        def read(names: Names, budget: Budget) -> JSON:
            budget.spend(cost)
            return compute(names, budget)

        return read

    def evaluate(names: Names, budget: Budget) -> JSON:
        budget.spend(cost)
        try:
            return compute(names, budget)
        except LanguageError as error:
            raise _within(source, error) from None

    return evaluate


def _within(source: str, error: LanguageError) -> LanguageError:
    """The same error, with the expression in its message."""
    shown = " ".join(source.split())
    message = f"In “{shown if len(shown) <= 80 else shown[:79] + '…'}”: {error.message}"
    if isinstance(error, SyntaxRefused):
        return SyntaxRefused(message, column=error.column, hint=error.hint)
    return type(error)(message, hint=error.hint)


@cache
def _parser() -> Lark:
    grammar = File(__file__).with_name("language.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=Builder(), maybe_placeholders=False)


@cache
def _words() -> re.Pattern[str]:
    """Texts, keys and filters as they are; a name that stands alone is a root. An open quote takes the rest."""
    name = r"[A-Za-z_][A-Za-z0-9_]*"
    return re.compile(rf"{string_pattern()}|['\"].*|[.|]\s*{name}|[0-9]{name}|(?P<root>{name})", re.DOTALL)

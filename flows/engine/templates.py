"""Text with `{{ expression }}` in it, and JSON whose texts are such: compiled once, filled in per run.

A text that is exactly one `{{ … }}` keeps the JSON type of its value. What was filled in is never read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from flows.engine.budget import Budget
from flows.engine.errors import LanguageError, SyntaxRefused
from flows.engine.language import Evaluate, Expression, Names, Path, compile_expression, rename
from flows.engine.limits import MAX_TEMPLATE_CHARS
from flows.engine.strictjson import JSON
from flows.engine.values import to_text

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\}\}|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Value:
    """A compiled text or tree. `problems` are its bad expressions; rendering one of them raises it."""

    render: Evaluate
    constant: bool
    references: tuple[Path, ...] = ()
    problems: tuple[LanguageError, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template: plain text, or an expression's source with its place."""

    text: str
    is_expression: bool
    start: int


def pieces_of(text: str) -> Iterator[Piece]:
    """Cut a template into plain text and expressions. Raises SyntaxRefused where braces don't close."""
    position = 0
    while (opening := text.find("{{", position)) >= 0:
        if opening > position:
            yield Piece(text[position:opening], False, position)
        closing = _closing(text, opening + 2)
        yield Piece(text[opening + 2 : closing], True, opening + 2)
        position = closing + 2
    if position < len(text):
        yield Piece(text[position:], False, position)


def _closing(text: str, position: int) -> int:
    """Where the `}}` stands that ends the expression beginning here; braces within quotes don't count."""
    while found := _TOKEN.match(text, position):
        if found[0] == "}}":
            return position
        position = found.end()
    raise SyntaxRefused("{{ is never closed with }}.", hint="Close it; braces as text are written {{ '{{' }}.")


def compile_value(value: JSON) -> Value:
    """Compile JSON: texts may be templates, keys never are."""
    if isinstance(value, str):
        return _compile_string(value, keeps_type=True) if "{{" in value else _constant(value)
    if isinstance(value, dict):
        parts = {key: compile_value(item) for key, item in value.items()}
        return _tree(value, list(parts.values()), lambda names, budget: _render_dict(parts, names, budget))
    if isinstance(value, list):
        items = [compile_value(item) for item in value]
        return _tree(value, items, lambda names, budget: [item.render(names, budget) for item in items])
    return _constant(value)


def compile_text(text: str) -> Value:
    """Compile a template that always becomes text."""
    return _compile_string(text, keeps_type=False) if "{{" in text else _constant(text)


def rename_in(value: JSON, old: str, new: str) -> JSON:
    """The same JSON with references to `old` made references to `new`. What can't be read stays as it is."""
    if isinstance(value, dict):
        return {key: rename_in(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [rename_in(item, old, new) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    try:
        return "".join(
            f"{{{{{_renamed(piece.text, old, new)}}}}}" if piece.is_expression else piece.text
            for piece in pieces_of(value)
        )
    except SyntaxRefused:
        return value


def _renamed(source: str, old: str, new: str) -> str:
    try:
        return rename(source, old, new)
    except LanguageError:
        return source


@lru_cache(maxsize=8_192)
def _compile_string(text: str, keeps_type: bool) -> Value:
    try:
        if len(text) > MAX_TEMPLATE_CHARS:
            raise SyntaxRefused(f"The text is longer than {MAX_TEMPLATE_CHARS} characters.", hint="Shorten it.")
        pieces = list(pieces_of(text))
    except SyntaxRefused as error:
        return _broken((error,))
    compiled: list[str | Expression] = []
    problems: list[LanguageError] = []
    for piece in pieces:
        try:
            compiled.append(compile_expression(piece.text) if piece.is_expression else piece.text)
        except LanguageError as error:
            problems.append(error)
    references = tuple(path for part in compiled if isinstance(part, Expression) for path in part.references)
    if problems:
        return _broken(tuple(problems), references)
    if len(compiled) == 1 and keeps_type and isinstance(compiled[0], Expression):
        return Value(compiled[0].evaluate, False, references)
    return Value(
        _joiner([part.evaluate if isinstance(part, Expression) else part for part in compiled]), False, references
    )


def _joiner(parts: list[str | Evaluate]) -> Evaluate:
    def render(names: Names, budget: Budget) -> JSON:
        texts = [part if isinstance(part, str) else to_text(part(names, budget)) for part in parts]
        budget.spend_text(sum(map(len, texts)))
        return "".join(texts)

    return render


def _render_dict(parts: dict[str, Value], names: Names, budget: Budget) -> JSON:
    return {key: part.render(names, budget) for key, part in parts.items()}


def _constant(value: JSON) -> Value:
    return Value(lambda names, budget: value, True)


def _tree(value: JSON, parts: list[Value], render: Evaluate) -> Value:
    references = tuple(path for part in parts for path in part.references)
    problems = tuple(problem for part in parts for problem in part.problems)
    if all(part.constant for part in parts):
        return _constant(value)
    return Value(render, False, references, problems)


def _broken(problems: tuple[LanguageError, ...], references: tuple[Path, ...] = ()) -> Value:
    raiser: Callable[[Names, Budget], JSON] = lambda names, budget: _raise(problems[0])  # noqa: E731
    return Value(raiser, False, references, problems)


def _raise(error: LanguageError) -> JSON:
    raise error

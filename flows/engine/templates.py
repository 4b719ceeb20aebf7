"""Text with `{{ expression }}` in it, and JSON whose texts are such: compiled once, filled in per run.

A text that is exactly one `{{ … }}` keeps the JSON type of its value. What was filled in is never read again.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flows.engine.budget import MEASURED_PER_UNIT, Budget
from flows.engine.compiler import refused
from flows.engine.errors import LanguageError, LimitReached, SyntaxRefused
from flows.engine.language import Evaluate, Expression, Names, compile_expression, rename, string_pattern
from flows.engine.limits import MAX_JSON_DEPTH, MAX_RENDERED_CHARS, MAX_TEMPLATE_CHARS, MAX_VALUE_CHARS
from flows.engine.paths import Path
from flows.engine.references import problem_of
from flows.engine.strictjson import JSON
from flows.engine.values import as_json, check_length, measured_text

MAX_PROBLEMS = 20
"""Bad expressions of one text that are told; the rest of it is then left unread."""


@dataclass(frozen=True, slots=True)
class Value:
    """A compiled text or tree; `render(names, budget)` fills it in. A bad expression is a problem; rendering raises it."""

    render: Evaluate
    constant: bool
    references: tuple[Path, ...] = ()
    problems: tuple[LanguageError, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a template: plain text, or an expression's source, with its place in the text."""

    text: str
    is_expression: bool
    start: int


def pieces_of(text: str) -> Iterator[Stretch]:
    """Cut a template into plain text and expressions. Raises SyntaxRefused where braces don't close."""
    position = 0
    while (opening := text.find("{{", position)) >= 0:
        if opening > position:
            yield Stretch(text[position:opening], False, position)
        closing = _closing(text, opening)
        yield Stretch(text[opening + 2 : closing], True, opening + 2)
        position = closing + 2
    if position < len(text):
        yield Stretch(text[position:], False, position)


def compile_value(value: JSON) -> Value:
    """Compile JSON: texts may be templates, keys never are."""
    if isinstance(value, str):
        return _template(value, keeps_type=True)
    if problem := problem_of(value):
        return _refused(problem)
    tree = _tree(value)
    return tree if tree.constant else Value(_measured(tree.render), False, tree.references, tree.problems)


def compile_text(text: str) -> Value:
    """Compile a template that always becomes text."""
    return _template(text, keeps_type=False)


def rename_in(value: JSON, old: str, new: str) -> JSON:
    """The same JSON with references to `old` made references to `new`. Text whose braces don't close stays as it is."""
    if isinstance(value, dict):
        return {key: rename_in(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [rename_in(item, old, new) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    try:
        stretches = list(pieces_of(value))
    except SyntaxRefused:
        return value
    return "".join(f"{{{{{rename(one.text, old, new)}}}}}" if one.is_expression else one.text for one in stretches)


def _closing(text: str, opening: int) -> int:
    """Where the `}}` stands that ends the expression beginning at `opening`; braces in its texts don't count."""
    end = _inside().match(text, opening + 2).end()  # type: ignore[union-attr]  # it matches nothing, too
    closing = text.find("}}", end)
    if closing < 0:
        raise refused("{{ is never closed with }}", opening + 1, "Close it; braces as text are written {{ '{{' }}.")
    return closing


@cache
def _inside() -> re.Pattern[str]:
    """What stands between braces, up to `}}` or a quote that isn't closed."""
    # Nothing follows, so it never goes back; a possessive *+ around a group is read wrongly by Debian 12's Python 3.11.2.
    return re.compile(rf"(?:[^'\"}}]+|{string_pattern()}|\}}(?!\}}))*", re.DOTALL)


def _template(text: str, *, keeps_type: bool) -> Value:
    if "{{" not in text:
        return _constant(text)
    if problem := problem_of(text):
        return _refused(problem)
    parts: list[str | Expression] = []
    problems: list[LanguageError] = []
    try:
        _check_length(text)
        for stretch in pieces_of(text):
            _compile_stretch(stretch, parts, problems)
            if len(problems) == MAX_PROBLEMS:
                break
    except SyntaxRefused as error:
        problems.append(error)
    references = tuple(
        dict.fromkeys(path for part in parts if isinstance(part, Expression) for path in part.references)
    )
    if problems:
        return Value(_raiser(problems[0]), False, references, tuple(problems))
    evaluates = [part.evaluate if isinstance(part, Expression) else part for part in parts]
    only = evaluates[0]
    if keeps_type and len(evaluates) == 1 and not isinstance(only, str):
        return Value(only, False, references)
    return Value(_joiner(evaluates), False, references)


def _check_length(text: str) -> None:
    if len(text) > MAX_TEMPLATE_CHARS:
        raise SyntaxRefused(
            f"A text with references is longer than {MAX_TEMPLATE_CHARS} characters.",
            hint="Spread it over several steps.",
        )


def _compile_stretch(stretch: Stretch, parts: list[str | Expression], problems: list[LanguageError]) -> None:
    try:
        parts.append(compile_expression(stretch.text) if stretch.is_expression else stretch.text)
    except LanguageError as error:
        problems.append(error)


def _joiner(parts: list[str | Evaluate]) -> Evaluate:
    """Text of parts; it is measured before it grows."""

    def render(names: Names, budget: Budget) -> JSON:
        texts, length = [], 0
        for part in parts:
            text = part if isinstance(part, str) else _text(part(names, budget), budget)
            length += len(text)
            if length > MAX_RENDERED_CHARS:
                check_length(length)
            texts.append(text)
        budget.spend_text(length)
        return "".join(texts)

    return render


def _text(value: JSON, budget: Budget) -> str:
    if isinstance(value, list | dict):
        budget.spend_looking(value)
    return measured_text(value)


def _tree(value: JSON) -> Value:
    """Like `compile_value`, without a bound for the whole."""
    if isinstance(value, dict):
        return _branch(value, {key: _tree(item) for key, item in value.items()})
    if isinstance(value, list):
        return _branch(value, dict(enumerate(map(_tree, value))))
    return _template(value, keeps_type=True) if isinstance(value, str) else _constant(value)


def _branch(value: dict[str, JSON] | list[JSON], parts: Mapping[Any, Value]) -> Value:
    """A dict or list: what changes is rendered into a copy, the rest is shared."""
    changing = [(place, part.render) for place, part in parts.items() if not part.constant]
    if not changing:
        return _constant(value)

    def render(names: Names, budget: Budget) -> JSON:
        made: Any = value.copy()
        for place, render_part in changing:
            made[place] = render_part(names, budget)
        return as_json(made)

    references = tuple(dict.fromkeys(path for part in parts.values() for path in part.references))
    return Value(render, False, references, tuple(problem for part in parts.values() for problem in part.problems))


def _measured(render: Evaluate) -> Evaluate:
    """A tree within bounds: references can't make it swell, nor nest it deeper than JSON may be."""

    def bounded(names: Names, budget: Budget) -> JSON:
        value = render(names, budget)
        size = budget.spend_looking(value, per_unit=MEASURED_PER_UNIT)
        if size.chars > MAX_VALUE_CHARS:
            raise LimitReached(
                f"The value became larger than {MAX_VALUE_CHARS} characters.", code="value_too_large", hint=_SMALLER
            )
        if size.depth > MAX_JSON_DEPTH:
            raise LimitReached(
                f"The value became nested deeper than {MAX_JSON_DEPTH} levels.", code="value_too_deep", hint=_SMALLER
            )
        budget.spend(size.chars >> 10)
        return value

    return bounded


def _refused(problem: str) -> Value:
    error = SyntaxRefused(f"There is too much to fill in: {problem}.", hint="Spread it over several steps.")
    return Value(_raiser(error), False, (), (error,))


_SMALLER = "Refer to the parts that you need, not to the whole."


def _constant(value: JSON) -> Value:
    return Value(lambda names, budget: value, True)


def _raiser(error: LanguageError) -> Evaluate:
    def render(names: Names, budget: Budget) -> JSON:
        raise copy.copy(error)  # its own, as runs in several threads may raise it

    return render

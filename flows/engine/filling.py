"""Fill in a node's references: from a node as its author wrote it to a copy that holds the values, ready to execute.

Compiled once per plan. A node without references is its own copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from flows.engine.budget import KEPT_PER_UNIT, MEASURED_PER_UNIT, Budget
from flows.engine.errors import LanguageError
from flows.engine.language import compile_expression
from flows.engine.limits import MAX_SHOWN_CHARS
from flows.engine.node import Filled, Hidden, Node
from flows.engine.strictjson import JSON
from flows.engine.templates import compile_text, compile_value
from flows.engine.values import as_json, measure

Names = MutableMapping[str, JSON]
Fill = Callable[[Names, Budget], Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A compiled field: `fill` makes its value, None where it never changes; `shown` says if a trace shows it."""

    fill: Fill | None
    references: tuple[Path, ...] = ()
    problems: tuple[LanguageError, ...] = ()
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Filling:
    """How to fill in one node."""

    node: Node
    parts: tuple[tuple[str, Part], ...]
    references: tuple[Path, ...]
    problems: tuple[tuple[str, LanguageError], ...]

    def fill(self, names: Names, budget: Budget) -> tuple[Node, dict[str, JSON]]:
        """The node with its values, and those of them that a trace shows. Raises LanguageError or LimitReached."""
        if not self.parts:
            return self.node, {}
        values = {name: part.fill(names, budget) for name, part in self.parts if part.fill is not None}
        shown = {name: _shown(values[name], budget) for name, part in self.parts if part.shown and name in values}
        return _copy(self.node, values), shown


def filling_of(node: Node) -> Filling:
    """Compile every field of `node` that may hold references."""
    compiled = list(_compile_fields(node))
    references = tuple(dict.fromkeys(path for _, part in compiled for path in part.references))
    problems = tuple((name, problem) for name, part in compiled for problem in part.problems)
    return Filling(node, tuple((name, part) for name, part in compiled if part.fill), references, problems)


def _compile_fields(model: BaseModel) -> Iterator[tuple[str, Part]]:
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        filled = next((mark for mark in info.metadata if isinstance(mark, Filled)), None)
        if filled is not None:
            part = _HOW[filled.how](value)
            hidden = any(isinstance(mark, Hidden) for mark in info.metadata)
            yield name, replace(part, shown=False) if hidden else part
        elif isinstance(value, BaseModel) or (isinstance(value, list) and value and isinstance(value[0], BaseModel)):
            yield name, _group(value)


def _group(value: BaseModel | list[BaseModel]) -> Part:
    """A group of settings, or a list of them: filled in where any field of theirs is."""
    models = value if isinstance(value, list) else [value]
    compiled = [(model, [(name, part) for name, part in _compile_fields(model)]) for model in models]
    parts = [part for _, fields in compiled for _, part in fields]

    def fill(names: Names, budget: Budget) -> Any:
        copies = [
            _copy(model, {name: part.fill(names, budget) for name, part in fields if part.fill is not None})
            for model, fields in compiled
        ]
        return copies if isinstance(value, list) else copies[0]

    references = tuple(path for part in parts for path in part.references)
    problems = tuple(problem for part in parts for problem in part.problems)
    return Part(fill if any(part.fill for part in parts) else None, references, problems)


def _value(source: JSON) -> Part:
    value = compile_value(source)
    return Part(None if value.constant else value.render, value.references, value.problems)


def _text(source: str) -> Part:
    text = compile_text(source)
    return Part(None if text.constant else text.render, text.references, text.problems)


def _formula(source: JSON) -> Part:
    try:
        expression = compile_expression(str(source or ""))
    except LanguageError as error:
        return Part(_raiser(error), (), (error,))
    return Part(expression.evaluate, expression.references, ())


def _each(part: Part) -> Part:
    """Leave rendering to the node: it gets a function of (item, index)."""
    if part.fill is None:
        return part
    render = part.fill

    def fill(names: Names, budget: Budget) -> Callable[[JSON, int], Any]:
        def one(item: JSON, index: int) -> Any:
            names["item"], names["index"] = item, index
            try:
                return render(names, budget)
            finally:
                del names["item"], names["index"]

        return one

    return Part(fill, part.references, part.problems, shown=False)


def _each_text(source: str) -> Part:
    part = _text(source)
    return _each(part if part.fill else Part(lambda names, budget: source, part.references, part.problems))


def _each_formula(source: JSON) -> Part:
    return _each(_formula(source)) if source else Part(None)


def _raiser(error: LanguageError) -> Fill:
    def fill(names: Names, budget: Budget) -> Any:
        raise error

    return fill


_HOW: dict[str, Callable[[Any], Part]] = {
    "value": _value,
    "text": _text,
    "formula": _formula,
    "each": _each_text,
    "each formula": _each_formula,
}


def _copy(model: Any, values: dict[str, Any]) -> Any:
    """The model with `values` in place. Unchecked: values come from references and have the types they have."""
    copy = object.__new__(type(model))
    object.__setattr__(copy, "__dict__", {**model.__dict__, **values})
    for slot in ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
        object.__setattr__(copy, slot, getattr(model, slot))
    return copy


def _shown(value: Any, budget: Budget) -> JSON:
    """A filled-in value as the trace has it; of one that is too large only that it was."""
    plain = _plain(value)
    size = measure(plain, MAX_SHOWN_CHARS)
    budget.spend(min(size.chars, MAX_SHOWN_CHARS) // KEPT_PER_UNIT + size.nodes // MEASURED_PER_UNIT)
    if size.chars <= MAX_SHOWN_CHARS:
        return plain
    begun = plain[:100] if isinstance(plain, str) else ""
    return f"{begun}… (more than {MAX_SHOWN_CHARS:,} characters)"


def _plain(value: Any) -> JSON:
    """A filled-in value as JSON, for the trace."""
    if isinstance(value, BaseModel):
        return {name: _plain(item) for name, item in value.__dict__.items()}
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        return [_plain(item) for item in value]
    return as_json(value)

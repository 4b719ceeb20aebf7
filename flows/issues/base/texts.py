"""Every text of a node that may hold references, with its place; the texts of the definitions it uses count as its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel

from flows.engine.errors import LanguageError
from flows.engine.filling import Path
from flows.engine.language import compile_expression
from flows.engine.node import Filled, Node
from flows.engine.protocols import Definition
from flows.engine.strictjson import JSON
from flows.engine.templates import compile_text, compile_value

RENDERED = {"endpoint": ("path", "query", "headers", "body")}
"""The parts of a definition that are filled in when a node uses it, by kind."""


class Compiled(NamedTuple):
    references: tuple[Path, ...]
    problems: tuple[LanguageError, ...]


@dataclass(frozen=True)
class Written:
    """A text as its author wrote it.

    `setting` is its place in the node's settings, `place` how people name it; `how` is that of `node.Filled`.
    """

    setting: str
    place: str
    how: str
    text: str

    @property
    def is_formula(self) -> bool:
        """An expression without braces."""
        return self.how in ("formula", "each formula")

    @property
    def is_per_item(self) -> bool:
        """Filled in once per item: `item` and `index` are there."""
        return self.how in ("each", "each formula")

    @cached_property
    def compiled(self) -> Compiled:
        if not self.is_formula:
            text = compile_value(self.text) if self.how == "value" else compile_text(self.text)
            return Compiled(text.references, text.problems)
        if not self.text and self.is_per_item:
            return Compiled((), ())
        try:
            return Compiled(compile_expression(self.text).references, ())
        except LanguageError as error:
            return Compiled((), (error,))


def texts_of_node(node: Node) -> Iterator[Written]:
    """The texts in a node's settings."""
    for setting, how, text in _texts(node, ""):
        yield Written(setting, setting, how, text)


def texts_of_definition(definition: Definition, setting: str) -> Iterator[Written]:
    """The texts of a definition that the node names in `setting`."""
    for part in RENDERED.get(definition.kind, ()):
        for place, text in _leaves(definition.content.get(part), part):
            yield Written(setting, f"{place} of {definition.kind} “{definition.name}”", "value", text)


def _texts(model: BaseModel, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, info in type(model).model_fields.items():
        value, place = getattr(model, name), f"{prefix}{name}"
        filled = next((mark for mark in info.metadata if isinstance(mark, Filled)), None)
        if filled is not None:
            leaves = [(place, str(value or ""))] if "formula" in filled.how else _leaves(value, place)
            yield from ((leaf, filled.how, text) for leaf, text in leaves)
        elif isinstance(value, BaseModel):
            yield from _texts(value, f"{place}.")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _texts(item, f"{place}[{index}].")


def _leaves(value: JSON | Any, place: str) -> Iterator[tuple[str, str]]:
    """The texts in a JSON value."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{place}[{index}]")

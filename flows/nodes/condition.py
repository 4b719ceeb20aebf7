"""The IF statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Any, ClassVar, Literal

from pydantic import Field

from flows.engine.compare import boolean_of, charge, is_empty, number_of
from flows.engine.dates import read_date
from flows.engine.errors import NodeError
from flows.engine.loop import Run
from flows.engine.node import Finding, Node, Outcome, Value, register
from flows.engine.strictjson import JSON
from flows.engine.values import to_text

Operator = Literal[
    "is",
    "is_not",
    "contains",
    "does_not_contain",
    "starts_with",
    "ends_with",
    "greater_than",
    "at_least",
    "less_than",
    "at_most",
    "is_empty",
    "is_not_empty",
]

_READ: Mapping[str, Callable[[JSON], Any]] = {
    "string": to_text,
    "number": number_of,
    "boolean": boolean_of,
    "date": read_date,
}
"""How each data type reads a value; null stays null."""

_EQUAL: Mapping[str, Callable[[Any, Any], bool]] = {"is": eq, "is_not": ne}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {"greater_than": gt, "at_least": ge, "less_than": lt, "at_most": le}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {"starts_with": str.startswith, "ends_with": str.endswith}

_COMPARE: Mapping[str, Mapping[str, Callable[[Any, Any], bool]]] = {
    "string": {**_EQUAL, **_TEXT},
    "number": {**_EQUAL, **_ORDER},
    "boolean": _EQUAL,
    "date": {**_EQUAL, **_ORDER},
}
"""Data type → operator → test of two values that were read."""


@register
class Condition(Node):
    """Compare two values; `yes` where it is so.

    Both sides are read as the data type: the text `"5"` is a number if the type is number, `"true"` a boolean, a text in
    ISO 8601 a date. Texts are compared exactly, capitals included; only numbers and dates have an order. A list contains
    a value if one of its items is it, read as the data type; a text contains another one. Null is only ever equal to
    null, contains nothing, begins and ends with nothing, and has no order. `is_empty` looks at `left` alone, as the Is empty step does.
    Leaves by `no` with an error where a side can't be read as the data type.
    """

    TYPE = "condition"
    LABEL = "Condition"
    WORDS: ClassVar[tuple[str, ...]] = ("if", "IF statement", "compare", "decision", "branch")

    left: Value = Field(description="What to look at, for example `{{ payload.total }}`.")
    operator: Operator = Field(description="How to compare.")
    right: Value = Field(None, description="What to compare with: a constant or a reference.")
    data_type: Literal["string", "number", "boolean", "date"] = Field("string", description="What both sides are.")

    def execute(self, run: Run) -> Outcome:
        charge(run.budget, (self.left, self.right))
        return Outcome("yes" if self._holds() else "no")

    def _holds(self) -> bool:
        if self.operator in ("is_empty", "is_not_empty"):
            return is_empty(self.left) == (self.operator == "is_empty")
        if self.operator in ("contains", "does_not_contain"):
            return self._contains() == (self.operator == "contains")
        test = _COMPARE[self.data_type].get(self.operator)
        if test is None:
            raise NodeError(*self._misfit(), code="bad_operator")
        left, right = self._read(self.left), self._read(self.right)
        if self.operator in _EQUAL or (left is not None and right is not None):
            return test(left, right)
        if self.operator in _ORDER:
            raise NodeError("Null has no order.", code="wrong_type", hint="See that both sides are there.")
        return False

    def _contains(self) -> bool:
        if self.left is None or self.right is None:
            return False
        wanted = self._read(self.right)
        if isinstance(self.left, list):
            return any(self._read(item) == wanted for item in self.left)
        if self.data_type != "string":
            raise NodeError("Only a text or a list can contain something.", code="wrong_type")
        return wanted in self._read(self.left)

    def _read(self, value: JSON) -> Any:
        return None if value is None else _READ[self.data_type](value)

    def _misfit(self) -> tuple[str]:
        return (f"The operator {self.operator} doesn't work on the data type {self.data_type}.",)

    def findings(self) -> Iterator[Finding]:
        anywhere = ("is_empty", "is_not_empty", "contains", "does_not_contain")
        if self.operator not in anywhere and self.operator not in _COMPARE[self.data_type]:
            known = ", ".join((*_COMPARE[self.data_type], *anywhere))
            yield Finding("bad_operator", *self._misfit(), f"It has: {known}.")

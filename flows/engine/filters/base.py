"""What a filter is, and how filters look at what they get.

A filter is a function of a value and its arguments. It raises WrongType or ArithmeticRefused with a bare sentence; the
expression adds the filter's name and the column. What it builds, it measures first.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from flows.engine.errors import WrongType
from flows.engine.strictjson import JSON
from flows.engine.values import kind, to_text


@dataclass(frozen=True, slots=True)
class Filter:
    """A row of the table. `example` is an expression and `result` its value, as the language page shows them.

    Null passes through, unless `takes_null`. `reads_all`: the work grows with everything inside the value.
    """

    function: Callable[..., JSON]
    example: str
    result: JSON
    cost: int = 1
    takes_null: bool = False
    reads_all: bool = False

    @property
    def parameters(self) -> tuple[inspect.Parameter, ...]:
        """The arguments after the value."""
        return _parameters(self.function)

    @property
    def least(self) -> int:
        return sum(parameter.default is parameter.empty for parameter in self.parameters)

    @property
    def most(self) -> int:
        return len(self.parameters)

    @property
    def usage(self) -> str:
        """`substr: start, end`, optional arguments in brackets."""
        names = [p.name if p.default is p.empty else f"[{p.name}]" for p in self.parameters]
        return ", ".join(names)

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.function) or ""


@cache
def _parameters(function: Callable[..., JSON]) -> tuple[inspect.Parameter, ...]:
    return tuple(inspect.signature(function).parameters.values())[1:]


MAX_WHOLE = 10**9
"""More than any position or count."""


def text_of(value: JSON) -> str:
    """A text; a number counts as the text that it would be."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return to_text(value)
    hint = "Write `| json` first." if isinstance(value, dict | list) else "See where it comes from."
    raise WrongType(f"it needs text, and got {_called(value)}", hint=hint)


def number_of(value: JSON) -> int | Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    hint = "`| number` reads a number from text." if isinstance(value, str) else "See where it comes from."
    raise WrongType(f"it needs a number, and got {_called(value)}", hint=hint)


def items_of(value: JSON) -> list[JSON]:
    if isinstance(value, list):
        return value
    raise WrongType(f"it needs a list, and got {_called(value)}", hint="`| split: ','` makes a list from text.")


def whole(value: JSON, *, most: int = MAX_WHOLE, least: int = 0) -> int:
    """A whole number in a range."""
    if isinstance(value, Decimal) and value.adjusted() < len(str(MAX_WHOLE)) and value == int(value):
        value = int(value)
    if type(value) is int and least <= value <= most:
        return value
    shown = to_text(value)[:40] if isinstance(value, int | Decimal) else _called(value)
    raise WrongType(
        f"it needs a whole number from {least} to {most}, and got {shown}",
        hint="`| floor` makes a whole number of another.",
    )


def _called(value: JSON) -> str:
    return "nothing (null)" if value is None else kind(value)

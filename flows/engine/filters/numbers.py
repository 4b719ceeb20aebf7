"""Filters on numbers."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from flows.engine.arithmetic import WIDE, operand, result
from flows.engine.errors import WrongType
from flows.engine.filters.base import Filter, number_of, whole
from flows.engine.limits import MAX_NUMBER_DIGITS
from flows.engine.strictjson import JSON

MAX_PLACES = 20
"""Places behind the point."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def number(value: JSON) -> JSON:
    """The number that a text spells, like -1234.50; a number stays as it is."""
    if not isinstance(value, str):
        return number_of(value)
    spelled = value.strip() if len(value) < 4 * MAX_NUMBER_DIGITS else value[: MAX_NUMBER_DIGITS + 1]
    if _NUMBER.fullmatch(spelled) and len(spelled) <= MAX_NUMBER_DIGITS:
        return result(operand(Decimal(spelled)))
    raise WrongType(
        f"it can't read {spelled[:40]!r} as a number", hint="A number reads 1234.50: a point, and no other signs in it."
    )


def rounded(value: JSON, places: JSON = 0) -> JSON:
    """Rounded to places behind the point; a half goes away from zero."""
    return result(_quantized(value, places, ROUND_HALF_UP))


def fixed(value: JSON, places: JSON) -> JSON:
    """A text, rounded to exactly that many places behind the point."""
    quantized = _quantized(value, places, ROUND_HALF_UP)
    return format(quantized if quantized else quantized.copy_abs(), "f")


def floor(value: JSON) -> JSON:
    """Rounded down to a whole number."""
    return result(_quantized(value, 0, ROUND_FLOOR))


def ceil(value: JSON) -> JSON:
    """Rounded up to a whole number."""
    return result(_quantized(value, 0, ROUND_CEILING))


def absolute(value: JSON) -> JSON:
    """Without its sign."""
    return result(operand(number_of(value)).copy_abs())


def _quantized(value: JSON, places: JSON, rounding: str) -> Decimal:
    unit = Decimal((0, (1,), -whole(places, most=MAX_PLACES)))
    return operand(number_of(value)).quantize(unit, rounding, WIDE)


FILTERS = {
    "number": Filter(number, "'129.90' | number", Decimal("129.9")),
    "round": Filter(rounded, "2.345 | round: 2", Decimal("2.35")),
    "fixed": Filter(fixed, "120.6 | fixed: 2", "120.60"),
    "floor": Filter(floor, "-2.1 | floor", -3),
    "ceil": Filter(ceil, "2.1 | ceil", 3),
    "abs": Filter(absolute, "-3 | abs", 3),
}

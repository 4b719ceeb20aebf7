"""Arithmetic of authors: exact decimals of 28 digits, bounded so that no number can swell.

Operands have at most MAX_NUMBER_DIGITS digits and lie within 1e±64. Results carry no trailing zeros; a whole number is
an int, so that JSON has `100` and not `100.0`.
"""

from __future__ import annotations

import decimal
import operator
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from types import MappingProxyType

from flows.engine.errors import ArithmeticRefused
from flows.engine.limits import MAX_NUMBER_DIGITS

Number = int | Decimal
Operation = Callable[[Number, Number], Number]

RESULT_DIGITS = 28
RANGE = 64
"""Numbers lie within 1e±64."""

_SMALL = 10**13
"""Whole numbers below this are worked on as Python integers: even their product has fewer than 28 digits."""

_ALWAYS = [decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow]
_OPERANDS = Context(
    MAX_NUMBER_DIGITS, ROUND_HALF_EVEN, -RANGE, RANGE, traps=[*_ALWAYS, decimal.Inexact, decimal.Subnormal]
)
_RESULTS = Context(RESULT_DIGITS, ROUND_HALF_EVEN, -RANGE, RANGE, traps=[*_ALWAYS, decimal.Underflow])
WIDE = Context(4 * RANGE + 2 * MAX_NUMBER_DIGITS, ROUND_HALF_EVEN, traps=_ALWAYS)
"""Holds every operand, and the whole part of every quotient of two, without rounding."""


def operand(value: Number) -> Decimal:
    """The number, ready for work. Raises ArithmeticRefused where it has too many digits or is out of range."""
    try:
        return _OPERANDS.plus(Decimal(value))
    except decimal.DecimalException:
        raise ArithmeticRefused(
            f"A number has more than {MAX_NUMBER_DIGITS} digits or is beyond 1e±{RANGE}",
            hint="Keep such a number as text.",
        ) from None


def result(value: Decimal) -> Number:
    """The number rounded to 28 digits, whole numbers as int, without trailing zeros."""
    try:
        rounded = _RESULTS.plus(value)
    except decimal.DecimalException:
        raise _out_of_range() from None
    whole = int(rounded)
    return whole if whole == rounded else rounded.normalize(_RESULTS)


def negate(value: Number) -> Number:
    return result(operand(value).copy_negate())


def divide(left: Number, right: Number) -> Number:
    """Raises ArithmeticRefused for a division by zero."""
    _check_divisor(right)
    return _compute(_RESULTS.divide, left, right)


def remainder(left: Number, right: Number) -> Number:
    """What a whole division leaves; it has the sign of `left`. Raises ArithmeticRefused for a division by zero."""
    _check_divisor(right)
    return _compute(WIDE.remainder, left, right)


def _on_integers(quick: Callable[[int, int], int], exact: Callable[[Decimal, Decimal], Decimal]) -> Operation:
    """An operation that takes the short way for small whole numbers."""

    def operate(left: Number, right: Number) -> Number:
        if type(left) is int and type(right) is int and -_SMALL < left < _SMALL and -_SMALL < right < _SMALL:
            return quick(left, right)
        return _compute(exact, left, right)

    return operate


def _compute(operation: Callable[[Decimal, Decimal], Decimal], left: Number, right: Number) -> Number:
    a, b = operand(left), operand(right)
    try:
        return result(operation(a, b))
    except decimal.DecimalException:
        raise _out_of_range() from None


def _check_divisor(value: Number) -> None:
    if value == 0:
        raise ArithmeticRefused("A division by zero", hint="Test for zero before this step.")


def _out_of_range() -> ArithmeticRefused:
    return ArithmeticRefused(f"The result is beyond 1e±{RANGE}", hint="Check the numbers that go in.")


add = _on_integers(operator.add, _RESULTS.add)
subtract = _on_integers(operator.sub, _RESULTS.subtract)
multiply = _on_integers(operator.mul, _RESULTS.multiply)

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {"+": add, "-": subtract, "*": multiply, "/": divide, "%": remainder}
)

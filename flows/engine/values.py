"""What the language does with values: compare, calculate, write as text. Nothing is converted in silence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow
from typing import Any

from flows.engine.errors import ArithmeticRefused, WrongType
from flows.engine.limits import MAX_NUMBER_DIGITS
from flows.engine.strictjson import JSON, dumps

CONTEXT = Context(prec=28, Emin=-400, Emax=400, traps=[InvalidOperation, DivisionByZero, Overflow])
"""28 digits (design: the language's numbers); the exponent is bounded so that no number swells a text."""

_EXACT = 10**28


def is_number(value: JSON) -> bool:
    """Numbers only: true and false are none."""
    return type(value) is int or type(value) is Decimal


def kind_of(value: JSON) -> str:
    """What a person calls the value's type."""
    if value is None:
        return "empty"
    return {bool: "true or false", str: "text", list: "a list", dict: "an object"}.get(type(value), "a number")


def same(left: JSON, right: JSON) -> bool:
    """Equality without conversion: 1 = 1.0, but not 1 = true and not 1 = '1'; lists and objects by their parts."""
    if is_number(left) and is_number(right):
        return left == right
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    return left == right


def before(left: JSON, right: JSON) -> bool:
    """Whether `left` < `right`, for two numbers or two texts. Raises WrongType."""
    if (is_number(left) and is_number(right)) or (type(left) is str and type(right) is str):
        return bool(left < right)  # type: ignore[operator]
    raise WrongType(
        f"{kind_of(left).capitalize()} and {kind_of(right)} have no order.",
        hint="Compare two numbers or two texts; `| number` reads a number from text.",
    )


def arithmetic(sign: str, left: JSON, right: JSON, left_text: str = "", right_text: str = "") -> JSON:
    """`left sign right` for two numbers, 28 digits. Raises WrongType or ArithmeticRefused."""
    a, b = _operand(left, left_text, "left", sign), _operand(right, right_text, "right", sign)
    if type(a) is int and type(b) is int and sign in _WHOLE:
        whole = _WHOLE[sign](a, b)
        if -_EXACT < whole < _EXACT:
            return whole
    if sign in "/%" and b == 0:
        raise ArithmeticRefused(f"{right_text or 'The divisor'} is zero.", hint="Test for zero before you divide.")
    try:
        return tidy(_EXACTLY[sign](Decimal(a), Decimal(b)))
    except DecimalException:
        raise ArithmeticRefused(f"The result of {sign} is out of range.", hint="Use smaller numbers.") from None


_WHOLE: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
_EXACTLY: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": CONTEXT.add,
    "-": CONTEXT.subtract,
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
    "%": CONTEXT.remainder,
}


def _operand(value: JSON, text: str, side: str, sign: str) -> int | Decimal:
    name = text or f"The {side} side of {sign}"
    if type(value) is int or type(value) is Decimal:
        number: int | Decimal = value
        digits = len(number.as_tuple().digits) if isinstance(number, Decimal) else len(str(abs(number)))
        if digits > MAX_NUMBER_DIGITS or (isinstance(number, Decimal) and abs(number.adjusted()) > 400):
            raise ArithmeticRefused(f"{name} has more than {MAX_NUMBER_DIGITS} digits.", hint="Use a smaller number.")
        return number
    hint = "Arithmetic takes numbers."
    if isinstance(value, str):
        hint = f"`({text or '…'} | number)` reads a number from text."
    raise WrongType(f"{name} is {kind_of(value)}, not a number.", hint=hint)


def tidy(number: Decimal) -> int | Decimal:
    """A computed number as people write it: no trailing zeros, whole numbers without a point."""
    if number == number.to_integral_value() and number.adjusted() < 28:
        return int(number)
    return number.normalize(CONTEXT)


def truth(value: JSON, what: str) -> bool:
    """true or false for `and`, `or`, `not`; null counts as false. Raises WrongType for anything else."""
    if value is True or value is False:
        return value
    if value is None:
        return False
    raise WrongType(f"{what} takes true or false, not {kind_of(value)}.", hint="Compare it with something.")


def to_text(value: JSON) -> str:
    """A value as text: null is nothing, numbers as in JSON without exponent, objects and lists as compact JSON."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) is Decimal:
        return format(value, "f")
    return dumps(value)


def as_json(value: Any) -> JSON:
    """Tell the type checker that a value read from strict JSON is JSON."""
    checked: JSON = value
    return checked

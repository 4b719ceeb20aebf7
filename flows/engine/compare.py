"""What node types ask about values: is one the wanted one, is it empty, which number, truth or text does it stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from flows.engine.budget import Budget
from flows.engine.errors import WrongType
from flows.engine.limits import MAX_NUMBER_DIGITS
from flows.engine.strictjson import JSON
from flows.engine.values import equal, kind, to_text

_NUMBER = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?([eE][+-]?[0-9]{1,3})?")
_BOOLEANS = {"true": True, "false": False}
_HINT = "Look at what went into this step."


def charge(budget: Budget, values: Iterable[JSON]) -> None:
    """Pay for looking through lists and objects, and reading each of their items. Raises LimitReached."""
    for value in values:
        if isinstance(value, list | dict):
            budget.spend_looking(value)
            budget.spend(len(value))


def matches(value: JSON, wanted: JSON) -> bool:
    """Whether a value is the wanted one. A wanted text also takes the number or boolean that it spells."""
    if not isinstance(wanted, str) or isinstance(value, str):
        return equal(value, wanted)
    if isinstance(value, bool):
        return _BOOLEANS.get(wanted) is value
    return isinstance(value, int | Decimal) and spelled_number(wanted) == value


def is_empty(value: JSON) -> bool:
    """Null, a text of blanks, a list or object with nothing in it. 0 and false are something."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, dict | list) and not value)


def spelled_number(text: str) -> Decimal | None:
    """The number that a text spells, blanks around it aside; None if it spells none."""
    text = text.strip()
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def number_of(value: JSON) -> Decimal:
    """A number, or the one that a text spells. Raises WrongType."""
    number = spelled_number(value) if isinstance(value, str) else None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    if number is None:
        raise _not_a("number", value)
    if abs(number.adjusted()) >= MAX_NUMBER_DIGITS or len(number.as_tuple().digits) > MAX_NUMBER_DIGITS:
        raise WrongType(f"A number has more than {MAX_NUMBER_DIGITS} digits.", hint="Use a smaller number.")
    return number


def boolean_of(value: JSON) -> bool:
    """True or false, or the one that a text spells. Raises WrongType."""
    found = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise _not_a("boolean", value)
    return found


def text_of(value: JSON) -> str:
    """A text, number or boolean as text. Raises WrongType for null, lists and objects."""
    if value is None or isinstance(value, dict | list):
        raise _not_a("text", value)
    return to_text(value)


def _not_a(wanted: str, value: JSON) -> WrongType:
    shown = f" {value[:40]!r}" if isinstance(value, str) else ""
    return WrongType(f"A {wanted} is needed; this is {kind(value)}{shown}.", hint=_HINT)

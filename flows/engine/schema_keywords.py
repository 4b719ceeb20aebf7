"""The validator behind `payload_schema`: the library's, with our own numbers, patterns and bounds.

`jsonschema` matches patterns with `re`, which can be made to hang, compares every pair of items for `uniqueItems`, and
knows nothing of decimals. The keywords concerned are ours; every keyword is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Context, Decimal
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from flows.engine import regex

MAX_WORK = 200_000
"""Comparisons of one check, about a second: enough for any payload that people write a schema for."""

MAX_DIGITS = 4_000
"""Of a quotient for `multipleOf`."""


class TooMuchWork(Exception):
    """The check used up its budget."""


_left: ContextVar[list[int]] = ContextVar("work_left")


@contextmanager
def budget(work: int = MAX_WORK) -> Iterator[None]:
    """Within it a validator may do so much work; needed around every use of one."""
    token = _left.set([work])
    try:
        yield
    finally:
        _left.reset(token)


def _spend(amount: int) -> None:
    left = _left.get()
    left[0] -= amount
    if left[0] < 0:
        raise TooMuchWork


Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


def _counted(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _spend(len(value) + 1 if isinstance(value, list | dict) else 1)
        yield from keyword(validator, value, instance, schema) or ()

    return check


def _matches(pattern: str, text: str) -> bool:
    _spend(1 + regex.work(pattern, text) // regex.WORK_PER_UNIT)
    return regex.program(pattern).search(text) is not None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError("")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    for pattern, subschema in patterns.items() if isinstance(instance, dict) else ():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, subschema: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items() if isinstance(instance, dict) else ():
        _spend(1)
        if name in known or any(_matches(pattern, name) for pattern in patterns):
            continue
        if subschema is False:
            yield ValidationError("", path=[name])
        else:
            yield from validator.descend(value, subschema, path=name)


def _required(validator: Any, names: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    for name in names if isinstance(instance, dict) else ():
        if name not in instance:
            yield ValidationError("", path=[name])


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list) and len({_frozen(each) for each in instance}) < len(instance):
        yield ValidationError("")


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not _is_number(validator, instance) or not instance:
        return
    number, unit = Decimal(instance), Decimal(divisor)
    digits = max(0, number.adjusted() - unit.adjusted()) + len(number.as_tuple().digits) + len(unit.as_tuple().digits)
    if digits > MAX_DIGITS or Context(prec=digits + 2).remainder(number, unit):
        yield ValidationError("")


def _frozen(value: Any) -> Any:
    """A hashable that is equal for JSON values that are equal; `1` is `1.0`, and neither is `true`."""
    if isinstance(value, dict):
        return "object", frozenset((name, _frozen(each)) for name, each in value.items())
    if isinstance(value, list):
        return "array", tuple(_frozen(each) for each in value)
    return isinstance(value, bool), value


def _is_number(checker: Any, value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_integer(checker: Any, value: Any) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value() if value.is_finite() else False
    return isinstance(value, int) and not isinstance(value, bool)


_OWN: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "required": _required,
    "uniqueItems": _unique_items,
    "multipleOf": _multiple_of,
}
PayloadValidator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={name: _counted(keyword) for name, keyword in (dict(Draft202012Validator.VALIDATORS) | _OWN).items()},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer}),
)

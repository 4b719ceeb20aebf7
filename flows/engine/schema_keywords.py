"""The validator behind `payload_schema`: the library's, with our own numbers, patterns and bounds.

`jsonschema` matches patterns with `re`, which can be made to hang, compares every pair of items for `uniqueItems`, and
knows nothing of decimals. The keywords concerned are ours; every keyword is counted. It is asked what is wrong where
`schema_fit` found that something is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from flows.engine import regex
from flows.engine.schema_fit import TooMuchWork, frozen, is_integer, is_multiple, is_number
from flows.engine.values import measure

MAX_WORK = 40_000
"""Units of one check, well below a tenth of a second: some thousand records, or a schema of some thousand fields.

A unit is what a keyword costs in the library, about 2 µs.
"""

LOOKED_UP, COMPARED, TRIED, EXPLAINED = 2, 4, 4, 8
"""What following a reference, comparing with an object or list, trying a schema on an item, and one of several forms cost."""

_left: ContextVar[list[int]] = ContextVar("work_left")


@contextmanager
def budget(work: int = MAX_WORK) -> Iterator[None]:
    """Within it a validator may do so much work; needed around every use of one."""
    token = _left.set([work])
    try:
        yield
    finally:
        _left.reset(token)


def spend(amount: int) -> None:
    """Do so much work. Raises TooMuchWork."""
    left = _left.get()
    left[0] -= amount
    if left[0] < 0:
        raise TooMuchWork


Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


def _counted(name: str, keyword: Keyword) -> Keyword:
    cost_of = _COSTS.get(name, lambda value, instance: 1 + _length(value))

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        spend(cost_of(value, instance))
        yield from keyword(validator, value, instance, schema) or ()

    return check


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | dict) else 0


_COSTS: dict[str, Callable[[Any, Any], int]] = {
    "$ref": lambda value, instance: 1 + LOOKED_UP,
    "anyOf": lambda value, instance: 1 + EXPLAINED * len(value),
    "oneOf": lambda value, instance: 1 + EXPLAINED * len(value),
    "const": lambda value, instance: 1 + _length(value),
    "enum": lambda value, instance: 1 + len(value) * (COMPARED if isinstance(instance, list | dict) else 1),
    "contains": lambda value, instance: 1 + TRIED * _length(instance),
    "uniqueItems": lambda value, instance: 1 + measure(instance, sys.maxsize, MAX_WORK).nodes,
}
"""Of a keyword before its work begins, where that isn't the length of what stands behind it."""


def _matches(pattern: str, text: str) -> bool:
    spend(2 + regex.work(pattern, text) // regex.WORK_PER_UNIT)
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
        spend(2)
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
    if wanted and isinstance(instance, list) and len({frozen(each) for each in instance}) < len(instance):
        yield ValidationError("")


def _multiple_of(validator: Any, divisor: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if is_number(instance) and not is_multiple(instance, divisor):
        yield ValidationError("")


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
    validators={
        name: _counted(name, keyword) for name, keyword in (dict(Draft202012Validator.VALIDATORS) | _OWN).items()
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"number": lambda _, value: is_number(value), "integer": lambda _, value: is_integer(value)}
    ),
)

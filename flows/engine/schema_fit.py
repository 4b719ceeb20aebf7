"""Whether a payload fits a schema: yes or no, and quickly, so that a payload of a MiB can be checked at all.

The library says what is wrong (`payload_schema`), and takes ten times as long; it is asked only where the answer is no.
Every keyword stands in one row of TESTS; a schema that `problems_of_schema` has nothing against has no other that counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import partial
from typing import Any
from urllib.parse import unquote

from flows.engine import regex
from flows.engine.values import equal, measure

MAX_WORK = 300_000
"""Keywords and values of one check, well below a tenth of a second."""

MAX_DIGITS = 4_000
"""Of a quotient for `multipleOf`."""


class TooMuchWork(Exception):
    """The check used up what it may do."""


class Unsure(Exception):
    """The schema has something that only the library knows."""


class Check:
    """One check: what is left to spend, and what its references lead to."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.left = MAX_WORK
        self.targets: dict[str, Any] = {}

    def spend(self, units: int) -> None:
        self.left -= units
        if self.left < 0:
            raise TooMuchWork

    def spend_looking(self, value: Any, times: int = 1) -> None:
        self.spend(times * measure(value, sys.maxsize, self.left // times).nodes)

    def fits(self, schema: Any, value: Any) -> bool:
        self.left -= 1
        if self.left < 0:
            raise TooMuchWork
        if schema is True or schema is False:
            return bool(schema)
        for keyword, wanted in schema.items():
            test = TESTS.get(keyword)
            if test is not None:
                self.left -= 2
                if not test(self, wanted, value, schema):
                    return False
        return True

    def target(self, reference: str) -> Any:
        """What `#/$defs/address` leads to."""
        if reference not in self.targets:
            found = self.root
            if reference != "#" and not reference.startswith("#/"):
                raise Unsure
            for part in unquote(reference).split("/")[1:]:
                name = part.replace("~1", "/").replace("~0", "~")
                found = found[int(name)] if isinstance(found, list) else found[name]
            self.targets[reference] = found
        return self.targets[reference]


def fits(schema: Any, payload: Any) -> bool:
    """Whether it does. Raises TooMuchWork, Unsure, or RecursionError where references lead in a circle."""
    return Check(schema).fits(schema, payload)


Test = Callable[[Check, Any, Any, Mapping[str, Any]], bool]


def is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": is_integer,
    "null": lambda value: value is None,
    "number": is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def _type(check: Check, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    return _TYPES[wanted](value) if isinstance(wanted, str) else any(_TYPES[each](value) for each in wanted)


def _enum(check: Check, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    check.spend(len(wanted))
    if isinstance(value, list | dict):
        check.spend(len(wanted) * len(value))
    return any(equal(each, value) for each in wanted)


def _const(check: Check, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    check.spend_looking(wanted)
    return equal(wanted, value)


def _compared(holds: Callable[[Any, Any], bool], kind: type | None = None, size: bool = False) -> Test:
    """A test of a number, or of how many characters, items or members there are."""

    def test(check: Check, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
        applies = is_number(value) if kind is None else isinstance(value, kind)
        return not applies or holds(len(value) if size else value, wanted)

    return test


_at_least = partial(_compared, lambda value, wanted: bool(value >= wanted))
_at_most = partial(_compared, lambda value, wanted: bool(value <= wanted))


def _multiple_of(check: Check, unit: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    return not is_number(value) or is_multiple(value, unit)


def is_multiple(value: Any, divisor: Any) -> bool:
    if not value:
        return True
    number, unit = Decimal(value), Decimal(divisor)
    digits = max(0, number.adjusted() - unit.adjusted()) + len(number.as_tuple().digits) + len(unit.as_tuple().digits)
    return digits <= MAX_DIGITS and not Context(prec=digits + 2).remainder(number, unit)


def _matches(check: Check, pattern: str, text: str) -> bool:
    check.spend(10 + regex.work(pattern, text) // (regex.WORK_PER_UNIT // 5))
    return regex.program(pattern).search(text) is not None


def _pattern(check: Check, pattern: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, str) or _matches(check, pattern, value)


def _properties(check: Check, schemas: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    check.spend(len(schemas))
    return all(check.fits(each, value[name]) for name, each in schemas.items() if name in value)


def _pattern_properties(check: Check, schemas: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    named = ((each, name) for pattern, each in schemas.items() for name in value if _matches(check, pattern, name))
    return all(check.fits(each, value[name]) for each, name in named)


def _additional_properties(check: Check, rest: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, each in value.items():
        check.spend(1)
        if name in known or any(_matches(check, pattern, name) for pattern in patterns):
            continue
        if not check.fits(rest, each):
            return False
    return True


def _property_names(check: Check, names: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, dict) or all(check.fits(names, name) for name in value)


def _required(check: Check, names: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    check.spend(len(names) >> 2)
    return not isinstance(value, dict) or all(name in value for name in names)


def _dependent_required(check: Check, names: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    check.spend(len(names))
    return all(_required(check, needed, value, schema) for name, needed in names.items() if name in value)


def _dependent_schemas(check: Check, schemas: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    check.spend(len(schemas))
    return all(check.fits(each, value) for name, each in schemas.items() if name in value)


def _items(check: Check, rest: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, list):
        return True
    first = len(schema.get("prefixItems", ()))
    return all(check.fits(rest, each) for each in (value[first:] if first else value))


def _prefix_items(check: Check, schemas: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, list) or all(map(check.fits, schemas, value))


def _unique_items(check: Check, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not wanted or not isinstance(value, list):
        return True
    check.spend_looking(value, times=3)
    return len({frozen(each) for each in value}) == len(value)


def frozen(value: Any) -> Any:
    """A hashable that is equal for JSON values that are equal; `1` is `1.0`, and neither is `true`."""
    if isinstance(value, dict):
        return "object", frozenset((name, frozen(each)) for name, each in value.items())
    if isinstance(value, list):
        return "array", tuple(frozen(each) for each in value)
    return isinstance(value, bool), value


def _contains(check: Check, inner: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, list):
        return True
    check.spend(len(value))
    found = sum(check.fits(inner, each) for each in value)
    return bool(schema.get("minContains", 1) <= found <= schema.get("maxContains", len(value)))


def _one_of(check: Check, schemas: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    return sum(check.fits(each, value) for each in schemas) == 1


def _if(check: Check, condition: Any, value: Any, schema: Mapping[str, Any]) -> bool:
    return check.fits(schema.get("then" if check.fits(condition, value) else "else", True), value)


TESTS: Mapping[str, Test] = {
    "$ref": lambda check, reference, value, schema: check.fits(check.target(reference), value),
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _at_least(),
    "maximum": _at_most(),
    "exclusiveMinimum": _compared(lambda value, wanted: bool(value > wanted)),
    "exclusiveMaximum": _compared(lambda value, wanted: bool(value < wanted)),
    "multipleOf": _multiple_of,
    "minLength": _at_least(str, size=True),
    "maxLength": _at_most(str, size=True),
    "pattern": _pattern,
    "minItems": _at_least(list, size=True),
    "maxItems": _at_most(list, size=True),
    "uniqueItems": _unique_items,
    "contains": _contains,
    "items": _items,
    "prefixItems": _prefix_items,
    "minProperties": _at_least(dict, size=True),
    "maxProperties": _at_most(dict, size=True),
    "required": _required,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "allOf": lambda check, schemas, value, schema: all(check.fits(each, value) for each in schemas),
    "anyOf": lambda check, schemas, value, schema: any(check.fits(each, value) for each in schemas),
    "oneOf": _one_of,
    "not": lambda check, inner, value, schema: not check.fits(inner, value),
    "if": _if,
}

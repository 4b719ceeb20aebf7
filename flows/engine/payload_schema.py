"""JSON Schema (2020-12) for payloads: what is wrong with a schema, and what is wrong with a payload.

The standard's rules, with these differences, each for a reason:

- Numbers are decimals, and `2.0` is an integer, as the standard says.
- `pattern` and `patternProperties` are RE2, so that no payload can make them hang.
- References stay within the schema (`#/$defs/...`): nothing is fetched.
- `format` is a remark and not a test, as the standard has it.
- `"x-sensitive": true` marks a value that is masked wherever it is kept (flows/sensitive_fields.py).
- Work is counted, and a check that needs too much of it is given up; errors are told up to MAX_ERRORS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import re2
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from flows.engine.limits import MAX_PATTERN_CHARS
from flows.engine.regex import program
from flows.engine.schema_fit import TooMuchWork, Unsure, fits
from flows.engine.schema_keywords import PayloadValidator, budget, spend
from flows.engine.schema_shape import NAMED, ONE, SEVERAL, alone, is_well_formed

MAX_ERRORS = 20
"""Told at once; a payload that is wrong in more places is wrong as a whole."""

UNITS_PER_SCHEMA, UNITS_PER_PATTERN = 12, 160
"""Of work, for each schema within a schema, and each pattern in it."""

MAX_BRANCHES = 3
"""Of an anyOf, whose messages are worth telling one by one."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SENSITIVE = "x-sensitive"

UNSUPPORTED = {
    "unevaluatedProperties": "Write additionalProperties.",
    "unevaluatedItems": "Write items: false after prefixItems.",
    "$dynamicRef": "Write $ref.",
    "$recursiveRef": "Write $ref.",
}

TOO_LARGE = "is too large or too deep to be checked against this schema"
LOST = "doesn't meet this schema, and is too large for the place to be found"

Problems = list[dict[str, str]]

_NO_OTHERS: Registry[Any] = Registry()


def _plain(schema: Any) -> Any:
    """The schema without its `$schema`, at whose sight the library would go on with a validator of its own."""
    return {name: value for name, value in schema.items() if name != "$schema"}


_VOCABULARIES: Registry[Any] = _NO_OTHERS.with_resources(
    (uri, DRAFT202012.create_resource(_plain(resource.contents)))
    for uri, resource in SPECIFICATIONS.items()
    if uri.startswith("https://json-schema.org/draft/2020-12/")
).crawl()
_META_VALIDATOR = PayloadValidator(_plain(PayloadValidator.META_SCHEMA), registry=_VOCABULARIES)


def problems_of_payload(schema: Any, payload: Any) -> Problems:
    """What is wrong with a payload: `{"pointer", "message"}` each, empty when it fits. The schema has no problems itself."""
    try:
        if fits(schema, payload):
            return []
    except (TooMuchWork, RecursionError):
        return [{"pointer": "", "message": TOO_LARGE}]
    except Unsure:
        pass
    found = _within_bounds(lambda: _problems(PayloadValidator(_plain(schema), registry=_NO_OTHERS), payload))
    return [each | {"message": LOST} if each["message"] == TOO_LARGE else each for each in found]


def problems_of_schema(schema: Any) -> Problems:
    """What is wrong with a schema: `{"pointer", "message"}` each, empty when payloads can be checked with it."""
    if not isinstance(schema, dict):
        return [{"pointer": "", "message": "must be an object"}]
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        return [{"pointer": "/$schema", "message": f"must be left out, or be {DIALECT}"}]
    return _within_bounds(lambda: list(islice(_walk(schema), MAX_ERRORS)))


def _within_bounds(check: Callable[[], Problems]) -> Problems:
    try:
        with budget():
            return check()
    except (TooMuchWork, RecursionError):
        return [{"pointer": "", "message": TOO_LARGE}]


def _problems(validator: Validator, value: Any) -> Problems:
    found = [_told(best_match([error]) or error) for error in islice(validator.iter_errors(value), MAX_ERRORS)]
    return list({(each["pointer"], each["message"]): each for each in found}.values())


# Problems of a schema that its own schema doesn't know.


def _walk(schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Every subschema, and all that references lead to, once."""
    resolver = (
        Registry().with_resource("", Resource.from_contents(schema, default_specification=DRAFT202012)).resolver()
    )
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", schema)]
    references: dict[str, str] = {}
    followed: set[str] = set()
    while waiting or references:
        while waiting:
            pointer, each = waiting.pop()
            if not isinstance(each, dict) or id(each) in seen:
                continue
            seen.add(id(each))
            if wrong := _shape_problems(pointer, each):
                yield from wrong
                continue
            yield from _own_problems(pointer, each)
            waiting += _subschemas(pointer, each)
            if each.get("$ref", "").startswith("#") and each["$ref"] not in followed:
                followed.add(each["$ref"])
                references[each["$ref"]] = f"{pointer}/$ref"
        for reference, place in references.items():
            try:
                target = resolver.lookup(reference).contents
            except (Unresolvable, ValueError, TypeError):  # the last two for a pointer into a list or a number
                yield {"pointer": place, "message": f"leads nowhere: there is no {_shown(reference)}"}
                continue
            if id(target) not in seen and _shape_problems("", target):
                yield {"pointer": place, "message": f"leads to {_shown(reference)}, which isn't a schema"}
            else:
                waiting.append((reference[1:], target))
        references = {}


def _shape_problems(pointer: str, schema: Any) -> Problems:
    """What is wrong with the keywords of one schema, those within it aside."""
    spend(UNITS_PER_SCHEMA)
    if isinstance(schema, bool) or is_well_formed(schema):
        return []
    found = _problems(_META_VALIDATOR, alone(schema) if isinstance(schema, dict) else schema)
    return [{**each, "pointer": pointer + each["pointer"]} for each in found]


def _own_problems(pointer: str, schema: dict[str, Any]) -> Iterator[dict[str, str]]:
    for keyword, advice in UNSUPPORTED.items():
        if keyword in schema:
            yield {"pointer": f"{pointer}/{keyword}", "message": f"isn't supported. {advice}"}
    if pointer and ("$id" in schema or "$schema" in schema):
        yield {"pointer": pointer, "message": "has an $id or $schema, which only the whole schema may have. Use $defs."}
    if not isinstance(schema.get(SENSITIVE, True), bool):
        yield {"pointer": f"{pointer}/{SENSITIVE}", "message": "must be true or false"}
    reference = schema.get("$ref", "#")
    if not reference.startswith("#"):
        yield {"pointer": f"{pointer}/$ref", "message": "must stay within this schema, like #/$defs/address"}
    patterns = {f"{pointer}/patternProperties/{_escaped(p)}": p for p in schema.get("patternProperties", {})}
    if "pattern" in schema:
        patterns[f"{pointer}/pattern"] = schema["pattern"]
    for place, pattern in patterns.items():
        spend(UNITS_PER_PATTERN)
        if reason := _pattern_problem(pattern):
            yield {"pointer": place, "message": reason}


def _subschemas(pointer: str, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for keyword in schema.keys() & set(ONE):
        yield f"{pointer}/{keyword}", schema[keyword]
    for keyword in schema.keys() & set(SEVERAL):
        for index, each in enumerate(schema[keyword]):
            yield f"{pointer}/{keyword}/{index}", each
    for keyword in schema.keys() & set(NAMED):
        for name, each in schema[keyword].items():
            yield f"{pointer}/{keyword}/{_escaped(name)}", each


def _pattern_problem(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"is longer than {MAX_PATTERN_CHARS:,} characters"
    try:
        program(pattern)
    except re2.error as error:
        reason = b"; ".join(error.args).decode("utf-8", "replace")
        return f"isn't a regular expression of RE2, which knows no look-around and no back-references: {reason}"
    return ""


# What people read.


def _listed(values: Any) -> str:
    return ", ".join(map(_shown, values)) if isinstance(values, list) else _shown(values)


_MESSAGES: dict[str, Callable[[Any], str]] = {
    "type": lambda value: f"must be of type {' or '.join(value) if isinstance(value, list) else value}",
    "required": lambda _: "is missing",
    "additionalProperties": lambda _: "isn't expected here",
    "enum": lambda value: f"must be one of {_listed(value)}",
    "const": lambda value: f"must be {_shown(value)}",
    "pattern": lambda value: f"must match the pattern {_shown(value)}",
    "minimum": lambda value: f"must be at least {value}",
    "maximum": lambda value: f"must be at most {value}",
    "exclusiveMinimum": lambda value: f"must be more than {value}",
    "exclusiveMaximum": lambda value: f"must be less than {value}",
    "multipleOf": lambda value: f"must be a multiple of {value}",
    "minLength": lambda value: f"must have at least {value} characters",
    "maxLength": lambda value: f"must have at most {value} characters",
    "minItems": lambda value: f"must have at least {value} items",
    "maxItems": lambda value: f"must have at most {value} items",
    "uniqueItems": lambda _: "must not have the same item twice",
    "minProperties": lambda value: f"must have at least {value} members",
    "maxProperties": lambda value: f"must have at most {value} members",
    "contains": lambda _: "doesn't have the items that it must have",
    "minContains": lambda _: "doesn't have the items that it must have",
    "dependentRequired": lambda _: "lacks a member that another one asks for",
    "anyOf": lambda _: "fits none of the forms that it may have",
    "oneOf": lambda _: "must fit exactly one of the forms that it may have",
    "not": lambda _: "has a form that it must not have",
}


def _told(error: ValidationError) -> dict[str, str]:
    pointer = "".join(f"/{_escaped(str(part))}" for part in error.absolute_path)
    return {"pointer": pointer[:500], "message": _message(error)}


def _message(error: ValidationError) -> str:
    branches = dict.fromkeys(_message(each) for each in error.context or () if not each.relative_path)
    if error.validator == "anyOf" and 1 <= len(branches) <= MAX_BRANCHES:
        return " or ".join(branches)
    message = _MESSAGES.get(str(error.validator), lambda _: "isn't allowed here")
    return message(error.validator_value)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _shown(value: Any) -> str:
    text = str(value) if not isinstance(value, str) else f"“{value}”"
    return text if len(text) <= 200 else text[:200] + "…"

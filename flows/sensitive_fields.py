"""Fields of a payload that its schema marks as sensitive: `"x-sensitive": true`.

    {"properties": {"card": {"x-sensitive": true}}}    hides all of `card`

A mark holds for all that is in the value, and wherever it stands: in any branch of an anyOf, behind a $ref, under `then`,
whether or not that branch is the one that fits. It is better to hide a field too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from flows.engine.payload_schema import SENSITIVE, problems_of_schema
from flows.engine.regex import program
from flows.engine.strictjson import JSON, dumps
from flows.masking import MASK, number_texts

MAX_LOOKS = 200_000
"""At one value with one subschema; a payload that takes more is hidden as a whole."""

Path = tuple[str | int, ...]

_HERE = ("allOf", "anyOf", "oneOf")
_HERE_ONE = ("if", "then", "else", "not")


@dataclass(frozen=True, slots=True)
class Split:
    """A payload taken apart: what may be shown of it, and the texts of what was hidden."""

    shown: JSON
    hidden: tuple[str, ...]


class SensitiveFields:
    """The marks of one payload schema, which has no problems itself."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._targets: dict[str, Any] = {}
        resource = Resource.from_contents(schema, default_specification=DRAFT202012)
        self._resolver = Registry().with_resource("", resource).resolver()

    def split(self, payload: JSON) -> Split | None:
        """What the marks hide of a payload; None where they hide nothing."""
        return split([self], payload)

    def mark(self, payload: JSON, tree: dict[Any, Any]) -> None:
        """Add the marked places to a tree of keys and indexes; where it has the key None, all that is there is hidden."""
        waiting: list[tuple[Any, JSON, Path]] = [(self._schema, payload, ())]
        seen: set[tuple[int, Path]] = set()
        while waiting:
            schema, value, path = waiting.pop()
            if not isinstance(schema, dict) or (id(schema), path) in seen:
                continue
            seen.add((id(schema), path))
            if len(seen) > MAX_LOOKS:
                tree[None] = True
                return
            if schema.get(SENSITIVE) is True:
                _mark(tree, path)
                continue
            waiting += ((each, value, path) for each in self._of_the_same_value(schema))
            waiting += ((each, item, (*path, key)) for each, item, key in _of_its_parts(schema, value))

    def _of_the_same_value(self, schema: dict[str, Any]) -> Iterator[Any]:
        for keyword in _HERE:
            yield from schema.get(keyword, ())
        for keyword in _HERE_ONE:
            yield schema.get(keyword)
        yield from schema.get("dependentSchemas", {}).values()
        if "$ref" in schema:
            yield self._target(schema["$ref"])

    def _target(self, reference: str) -> Any:
        if reference not in self._targets:
            try:
                self._targets[reference] = self._resolver.lookup(reference).contents
            except (Unresolvable, ValueError, TypeError):  # such a schema is refused before it gets here
                self._targets[reference] = None
        return self._targets[reference]


def split(schemas: Iterable[SensitiveFields], payload: JSON) -> Split | None:
    """What the marks of all these schemas hide of a payload; None where they hide nothing."""
    tree: dict[Any, Any] = {}
    for schema in schemas:
        schema.mark(payload, tree)
    if not tree:
        return None
    hidden: dict[str, None] = {}
    shown = _hide(payload, tree, hidden)
    return Split(shown, tuple(text for text in hidden if text != MASK))


def sensitive_fields(schema: Any) -> SensitiveFields | None:
    """The marks of a payload schema; None where it has none, as most. One that can't be used marks everything."""
    if schema is None or f'"{SENSITIVE}":true' not in dumps(schema):
        return None
    return SensitiveFields({SENSITIVE: True} if problems_of_schema(schema) else schema)


def _of_its_parts(schema: dict[str, Any], value: JSON) -> Iterator[tuple[Any, JSON, str | int]]:
    """Subschemas of members and items, as (subschema, item, key)."""
    if isinstance(value, dict):
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, item in value.items():
            fitting = [each for pattern, each in patterns.items() if program(pattern).search(name)]
            fitting += [known[name]] if name in known else []
            for each in fitting or [schema.get("additionalProperties")]:
                yield each, item, name
    elif isinstance(value, list):
        first = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            yield first[index] if index < len(first) else schema.get("items"), item, index
            yield schema.get("contains"), item, index


def _mark(tree: dict[Any, Any], path: Path) -> None:
    for key in path:
        tree = tree.setdefault(key, {})
    tree[None] = True


def _hide(value: JSON, tree: dict[Any, Any], hidden: dict[str, None]) -> JSON:
    """A copy with a mask in each marked place; `hidden` gets the texts of what stood there."""
    if None in tree:
        hidden.update(dict.fromkeys(_texts(value)))
        return MASK if value is not None else None
    if isinstance(value, dict):
        return {name: _hide(item, tree[name], hidden) if name in tree else item for name, item in value.items()}
    if isinstance(value, list):
        return [_hide(item, tree[index], hidden) if index in tree else item for index, item in enumerate(value)]
    return value


def _texts(value: JSON) -> Iterator[str]:
    """Every text and number in a value. Names of members, true, false and null can't be told from others."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        yield from number_texts(value)
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)

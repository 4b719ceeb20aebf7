"""What each keyword of a JSON Schema has to look like, as a schema for one schema without those within it.

The standard's own schema says the same, and takes the library a quarter of a millisecond for every schema within another.
It is asked for its sentences, where something is wrong.
"""

from __future__ import annotations

from typing import Any

from flows.engine.schema_fit import Unsure, fits

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 0}
_FLAG = {"type": "boolean"}
_NAMES = {"type": "array", "items": _TEXT, "uniqueItems": True}
_TYPE = {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]}
_INNER = {"type": ["object", "boolean"]}
_SEVERAL = {"type": "array", "minItems": 1, "items": _INNER}
_NAMED = {"type": "object", "additionalProperties": _INNER}

ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Where there are schemas within a schema: one, a list of them, or some by name."""

_SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"anyOf": [_TYPE, {"type": "array", "minItems": 1, "uniqueItems": True, "items": _TYPE}]},
        "enum": {"type": "array"},
        "multipleOf": {"type": "number", "exclusiveMinimum": 0},
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
        **dict.fromkeys(("minContains", "maxContains", "minProperties", "maxProperties"), _COUNT),
        **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _FLAG),
        **dict.fromkeys(("pattern", "format", "$ref", "$comment", "title", "description"), _TEXT),
        **dict.fromkeys(("contentEncoding", "contentMediaType"), _TEXT),
        "required": _NAMES,
        "examples": {"type": "array"},
        "dependentRequired": {"type": "object", "additionalProperties": _NAMES},
        **dict.fromkeys(ONE, _INNER),
        **dict.fromkeys(SEVERAL, _SEVERAL),
        **dict.fromkeys(NAMED, _NAMED),
        # Of these the library knows more.
        **dict.fromkeys(("$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary", "contentSchema"), False),
        **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties", "dependencies", "$recursiveRef"), False),
        "$recursiveAnchor": False,
    },
}


def is_well_formed(schema: Any) -> bool:
    """Whether the keywords of this schema are as they have to be, those within it aside; false where it isn't certain."""
    try:
        return fits(_SHAPE, schema)
    except Unsure:
        return False


def alone(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with `true` in the place of the schemas within it."""
    made = dict(schema)
    for keyword in ONE:
        made |= {keyword: True} if isinstance(made.get(keyword), dict) else {}
    for keyword in SEVERAL:
        if isinstance(made.get(keyword), list):
            made[keyword] = [True if isinstance(each, dict) else each for each in made[keyword]]
    for keyword in NAMED:
        if isinstance(made.get(keyword), dict):
            made[keyword] = {name: True if isinstance(each, dict) else each for name, each in made[keyword].items()}
    return made

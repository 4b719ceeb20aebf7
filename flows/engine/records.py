"""Strict records of the files that people write, and what is wrong with one in plain words: the place and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"

WORDS: dict[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not a key we know",
    "model_type": "should be an object",
    "dict_type": "should be an object",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
    "string_type": "should be text",
    "bool_type": "should be true or false",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "greater_than_equal": "should be {ge} or more",
    "less_than_equal": "should be {le} or less",
    "literal_error": "should be {expected}",
    "enum": "should be {expected}",
    "string_too_short": "should have at least {min_length} characters",
    "string_too_long": "should have at most {max_length} characters",
    "too_short": "should have at least {min_length} items",
    "too_long": "has {actual_length} items, and {max_length} are the most",
    "string_pattern_mismatch": "should match the pattern {pattern}",
}
"""The library's kinds of errors, in the words of the pages. A kind that isn't here keeps the library's words."""

PATTERNS = {
    NAME_PATTERN: "should be letters, digits and _, at most 64, not beginning with a digit",
    SLUG_PATTERN: "should be small letters and digits, with single hyphens between them",
}


class Record(BaseModel):
    """A part of a file: no other keys, no other types, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def sentence(detail: ErrorDetails) -> str:
    """Why a value is refused, to go on after its place: `should be a whole number`."""
    context: dict[str, Any] = detail.get("ctx") or {}
    if context.get("pattern") in PATTERNS:
        return PATTERNS[context["pattern"]]
    if context.get("min_length") == 1:
        return "should not be empty"
    words = WORDS.get(detail["type"])
    return (
        words.format(**context)
        if words
        else detail["msg"].replace("Input should", "should").replace("Value error, ", "")
    )


def place_of(loc: Sequence[str | int], prefix: str) -> str:
    """A pydantic location as people write it: `nodes[2].exits.yes`."""
    place = prefix
    for part in loc:
        if part != "[key]":  # what pydantic calls the key of an object, as opposed to what is behind it
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place

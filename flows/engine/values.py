"""What JSON values are to authors: kinds, equality without coercion, order, text, and how large they are."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from decimal import Decimal
from typing import Any, NamedTuple

from flows.engine.errors import LimitReached, WrongType
from flows.engine.limits import MAX_RENDERED_CHARS
from flows.engine.strictjson import JSON, PLAIN_EXPONENT, dumps

NUMBERS = frozenset({int, Decimal})
"""The exact types of a number; a bool is none."""

_KINDS: dict[type, str] = {
    type(None): "empty",
    bool: "true or false",
    int: "a number",
    Decimal: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def kind(value: JSON) -> str:
    """What the value is, to a person."""
    return _KINDS.get(type(value), "of no JSON type")


def equal(left: JSON, right: JSON) -> bool:
    """Whether two values are the same, deep; 1 is 1.0, and nothing else is converted."""
    left_type, right_type = type(left), type(right)
    if left_type is not right_type:
        return left_type in NUMBERS and right_type in NUMBERS and left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(item, right[key]) for key, item in left.items())
    return left == right


def is_less(left: JSON, right: JSON) -> bool:
    """Whether `left` comes before `right`: two numbers, or two texts by code point. Raises WrongType for others."""
    if type(left) in NUMBERS and type(right) in NUMBERS:
        return left < right  # type: ignore[operator]  # both are numbers
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    raise WrongType(
        f"{kind(left).capitalize()} and {kind(right)} have no order",
        hint="Compare two numbers, or two texts; `| number` reads a number from text.",
    )


def identity(value: JSON) -> Hashable:
    """A key that is the same for values that are `equal`, and for no others."""
    if isinstance(value, list):
        return (list, *(identity(item) for item in value))
    if isinstance(value, dict):
        return dict, frozenset((key, identity(item)) for key, item in value.items())
    return (Decimal if type(value) is int else type(value)), value


def to_text(value: JSON) -> str:
    """The value within a text: null is empty, numbers without exponent, lists and objects as compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f") if abs(value.adjusted()) <= PLAIN_EXPONENT else str(value)
    return dumps(value)


class Size(NamedTuple):
    """`nodes` values, at least `chars` characters as compact JSON, lists and objects `depth` deep."""

    nodes: int
    chars: int
    depth: int


def measure(value: JSON, most: int, most_nodes: int = sys.maxsize) -> Size:
    """How large a value is; stops counting where it has more than `most` characters, or more values than `most_nodes`."""
    nodes, chars, depth = 1, 0, 0
    level = [value]
    while level:
        deeper = False
        below: list[JSON] = []
        for item in level:
            kind_of = type(item)
            if kind_of is str:
                chars += len(item)  # type: ignore[arg-type]  # it is a text
            elif kind_of is list or kind_of is dict:
                deeper = True
                inner: Any = item
                chars += 2 + len(inner) + (sum(map(len, inner)) + 3 * len(inner) if kind_of is dict else 0)
                nodes += len(inner)
                if chars > most or nodes > most_nodes:
                    return Size(nodes, chars, depth + 1)
                below.extend(inner.values() if kind_of is dict else inner)
            else:
                chars += _number_chars(item) if kind_of in NUMBERS else 4
        depth += deeper
        if chars > most:
            break
        level = below
    return Size(nodes, chars, depth)


def _number_chars(value: Any) -> int:
    if type(value) is int:
        return 1 if -10 < value < 10 else 1 + value.bit_length() // 4
    return len(str(value))


def measured_text(value: JSON) -> str:
    """Like `to_text`. Raises LimitReached for what is too long, large values before they are written."""
    check_size(value)
    text = to_text(value)
    check_length(len(text))
    return text


def check_size(value: JSON) -> None:
    """Raises LimitReached for a list or object that would make too long a text."""
    if isinstance(value, list | dict):
        check_length(measure(value, MAX_RENDERED_CHARS).chars)


def check_length(chars: int) -> None:
    """Raises LimitReached for a text that is longer than one may become."""
    if chars > MAX_RENDERED_CHARS:
        raise LimitReached(
            f"A text became longer than {MAX_RENDERED_CHARS} characters.",
            code="text_too_long",
            hint="Take a part of it, for example with `| left: 1000`.",
        )


def as_json(value: Any) -> JSON:
    """Tell the type checker that a value read from strict JSON is JSON."""
    checked: JSON = value
    return checked

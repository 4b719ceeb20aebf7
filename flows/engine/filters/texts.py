"""Filters on text."""

from __future__ import annotations

from flows.engine.errors import LimitReached, WrongType
from flows.engine.filters.base import Filter, text_of, whole
from flows.engine.strictjson import JSON
from flows.engine.values import check_length, equal, measured_text

MAX_PARTS = 10_000
"""Parts of a text that was split."""


def upper(value: JSON) -> JSON:
    """In capital letters."""
    text = text_of(value)
    check_length(len(text))
    return text.upper()


def lower(value: JSON) -> JSON:
    """In small letters."""
    text = text_of(value)
    check_length(len(text))
    return text.lower()


def trim(value: JSON) -> JSON:
    """Without blanks and line breaks around it."""
    return text_of(value).strip()


def left(value: JSON, count: JSON) -> JSON:
    """The first characters."""
    return text_of(value)[: whole(count)]


def right(value: JSON, count: JSON) -> JSON:
    """The last characters."""
    text = text_of(value)
    return text[max(0, len(text) - whole(count)) :]


def substr(value: JSON, start: JSON, end: JSON = None) -> JSON:
    """From a position, counted from 0, up to before another, or to the end."""
    return text_of(value)[whole(start) : None if end is None else whole(end)]


def replace(value: JSON, old: JSON, new: JSON) -> JSON:
    """With every `old` made `new`."""
    text, gone, put = text_of(value), text_of(old), text_of(new)
    if not gone:
        raise WrongType("it can't look for an empty text", hint="Say what to replace.")
    check_length(len(text) + text.count(gone) * (len(put) - len(gone)))
    return text.replace(gone, put)


def append(value: JSON, more: JSON) -> JSON:
    """With more text behind it. Null is an empty text."""
    parts = [measured_text(value), measured_text(more)]
    check_length(len(parts[0]) + len(parts[1]))
    return "".join(parts)


def split(value: JSON, separator: JSON) -> JSON:
    """A list of the parts between a separator."""
    text, between = text_of(value), text_of(separator)
    if not between:
        raise WrongType("it can't split at an empty text", hint="Say what stands between the parts.")
    if text.count(between) >= MAX_PARTS:
        raise LimitReached(
            f"A text has more than {MAX_PARTS} parts.", code="list_too_long", hint="Take a part of the text first."
        )
    return list(text.split(between))


def length(value: JSON) -> JSON:
    """How many characters a text has; none is 0."""
    return 0 if value is None else len(text_of(value))


def contains(value: JSON, part: JSON) -> JSON:
    """Whether a text holds another, or a list an item."""
    if isinstance(value, list):
        return any(equal(item, part) for item in value)
    return text_of(part) in text_of(value)


def starts_with(value: JSON, part: JSON) -> JSON:
    """Whether a text begins with another."""
    return text_of(value).startswith(text_of(part))


def text(value: JSON) -> JSON:
    """As it stands in a text: null is empty, lists and objects are JSON."""
    return measured_text(value)


FILTERS = {
    "upper": Filter(upper, "'xyz' | upper", "XYZ"),
    "lower": Filter(lower, "'ABCD' | lower", "abcd"),
    "trim": Filter(trim, "'  Ann ' | trim", "Ann"),
    "left": Filter(left, "'ABCDEFGH' | left: 4", "ABCD"),
    "right": Filter(right, "'tvwxyz' | right: 3", "xyz"),
    "substr": Filter(substr, "'abcdABCD' | substr: 2, 6", "cdAB"),
    "replace": Filter(replace, "'+49 30 1' | replace: ' ', ''", "+49301"),
    "append": Filter(append, "'Order ' | append: 7", "Order 7", takes_null=True, reads_all=True),
    "split": Filter(split, "'a,b' | split: ','", ["a", "b"]),
    "length": Filter(length, "'Ann' | length", 3, takes_null=True),
    "contains": Filter(contains, "'boats, bikes' | contains: 'bike'", True, reads_all=True),
    "starts_with": Filter(starts_with, "'+49301' | starts_with: '+49'", True),
    "text": Filter(text, "(1.50 | text) = '1.50'", True, takes_null=True, reads_all=True),
}

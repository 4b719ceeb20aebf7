"""Filters on lists."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from flows.engine import arithmetic
from flows.engine.errors import WrongType
from flows.engine.filters.base import Filter, items_of, number_of, text_of, whole
from flows.engine.strictjson import JSON
from flows.engine.values import NUMBERS, check_length, identity, kind, measured_text


def first(value: JSON) -> JSON:
    """The first item; null where there is none."""
    items = items_of(value)
    return items[0] if items else None


def last(value: JSON) -> JSON:
    """The last item; null where there is none."""
    items = items_of(value)
    return items[-1] if items else None


def at(value: JSON, place: JSON) -> JSON:
    """The item at an index, counted from 0, or what an object has under a key; null where there is none."""
    if isinstance(value, dict):
        return value.get(text_of(place))
    items, index = items_of(value), whole(place)
    return items[index] if index < len(items) else None


def slice_items(value: JSON, start: JSON, end: JSON = None) -> JSON:
    """The items from an index, counted from 0, up to before another, or to the end."""
    return items_of(value)[whole(start) : None if end is None else whole(end)]


def join(value: JSON, separator: JSON = ", ") -> JSON:
    """The items as one text, with a separator between them."""
    items, between = items_of(value), text_of(separator)
    length, texts = len(between) * max(0, len(items) - 1), []
    for item in items:
        texts.append(measured_text(item))
        length += len(texts[-1])
        check_length(length)
    return between.join(texts)


def count(value: JSON) -> JSON:
    """How many items a list or keys an object has; null has 0."""
    if value is None:
        return 0
    return len(value) if isinstance(value, dict) else len(items_of(value))


def sort(value: JSON, key: JSON = None) -> JSON:
    """Numbers or texts in rising order; objects by what they have under a key."""
    items = items_of(value)
    if key is None:
        ranked = [(item, index) for index, item in enumerate(items)]
    else:
        name = text_of(key)
        ranked = [(item.get(name) if isinstance(item, dict) else None, index) for index, item in enumerate(items)]
    ranks: list[Any] = [rank for rank, _ in ranked]
    if not all(type(rank) in NUMBERS for rank in ranks) and not all(type(rank) is str for rank in ranks):
        other = next((rank for rank in ranks if type(rank) not in NUMBERS and type(rank) is not str), None)
        got = "both" if other is None and None not in ranks else kind(other)
        raise WrongType(f"it needs only numbers or only texts, and got {got}", hint="For objects, name a key.")
    return [items[index] for index in sorted(range(len(items)), key=ranks.__getitem__)]


def unique(value: JSON) -> JSON:
    """Every different item once, in the order of coming."""
    kept: dict[Hashable, JSON] = {}
    for item in items_of(value):
        kept.setdefault(identity(item), item)
    return list(kept.values())


def map_items(value: JSON, key: JSON) -> JSON:
    """What every object of a list has under a key; null where it has nothing."""
    name = text_of(key)
    return [item.get(name) if isinstance(item, dict) else None for item in items_of(value)]


def sum_items(value: JSON) -> JSON:
    """The sum of a list of numbers."""
    total: arithmetic.Number = 0
    for item in items_of(value):
        total = arithmetic.add(total, number_of(item))
    return total


FILTERS = {
    "first": Filter(first, "'a,b' | split: ',' | first", "a"),
    "last": Filter(last, "'a,b' | split: ',' | last", "b"),
    "at": Filter(at, "'a,b' | split: ',' | at: 1", "b"),
    "slice": Filter(slice_items, "'a,b,c' | split: ',' | slice: 1, 3", ["b", "c"]),
    "join": Filter(join, "'a,b' | split: ',' | join: ' and '", "a and b", reads_all=True),
    "count": Filter(count, "'a,b' | split: ',' | count", 2, takes_null=True),
    "sort": Filter(sort, "'b,a' | split: ',' | sort", ["a", "b"], cost=2, reads_all=True),
    "unique": Filter(unique, "'a,b,a' | split: ',' | unique", ["a", "b"], reads_all=True),
    "map": Filter(map_items, """'[{"id": 7}]' | parse_json | map: 'id'""", [7]),
    "sum": Filter(sum_items, "'[1.5, 2.5]' | parse_json | sum", 4, reads_all=True),
}

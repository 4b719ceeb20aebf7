"""Paths into JSON values: keys of objects and 0-based indexes of lists, nothing else. What is missing is null.

Only exact dicts and lists are looked into; no attribute of a Python object is ever read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from flows.engine.budget import Budget
from flows.engine.strictjson import JSON

Path = tuple[str | int, ...]
Names = Mapping[str, JSON]
Compute = Callable[[Names, Budget], JSON]

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def getter(root: str, keys: Path) -> Compute:
    """A function that reads the path from names, the shortest one for its shape."""
    if not keys:
        return lambda names, budget: names.get(root)
    first = keys[0]
    if len(keys) == 1 and isinstance(first, str):
        return _key_getter(root, first)
    if len(keys) == 2 and isinstance(first, str) and isinstance(keys[1], str):
        return _two_keys_getter(root, first, keys[1])
    return lambda names, budget: follow(names.get(root), keys)


def follow(value: JSON, keys: Path) -> JSON:
    """What is found behind `keys`, or null."""
    for key in keys:
        if type(value) is dict and type(key) is str:
            value = value.get(key)
        elif type(value) is list and type(key) is int and 0 <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def is_there(value: JSON, path: Path) -> bool:
    """Whether there is anything behind `path`, be it null."""
    *way, last = path
    holder = follow(value, tuple(way))
    if type(holder) is dict:
        return last in holder
    return type(holder) is list and type(last) is int and 0 <= last < len(holder)


def path_text(path: Path) -> str:
    """The path as authors write it."""
    root, *keys = path
    return str(root) + "".join(_key_text(key) for key in keys)


def _key_text(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f'["{key}"]'


def _key_getter(root: str, key: str) -> Compute:
    def compute(names: Names, budget: Budget) -> JSON:
        value = names.get(root)
        return value.get(key) if type(value) is dict else None

    return compute


def _two_keys_getter(root: str, first: str, second: str) -> Compute:
    def compute(names: Names, budget: Budget) -> JSON:
        value = names.get(root)
        if type(value) is dict:
            value = value.get(first)
            if type(value) is dict:
                return value.get(second)
        return None

    return compute

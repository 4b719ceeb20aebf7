"""How much room a JSON value takes, about: cheap to measure, never too low by more than its punctuation."""

from __future__ import annotations

from flows.engine.strictjson import JSON


def weight(value: JSON) -> int:
    """Bytes of the value as compact JSON, roughly."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return 2 + sum(len(key) + 4 + weight(item) for key, item in value.items())
    if isinstance(value, list):
        return 2 + sum(1 + weight(item) for item in value)
    return 8

"""Steps of a run with hidden values as its trace may show them.

A step that reads a hidden value and makes something else of it shows nothing of what it made: only what it passes on, as
it stands among its inputs. A step that makes calls shows what the service answers, but for what the mask finds there.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeGuard

from flows.engine.strictjson import JSON
from flows.masking import MASK, Mask, number_texts

MESSAGE_HIDDEN = "The message is hidden, because the step read a sensitive field."

MIN_MADE_CHARS = 4
"""A shorter text that a step made is hidden in its outputs alone: it would be found everywhere."""


def reads_hidden(step: dict[str, Any], mask: Mask) -> bool:
    """Whether what a step made may tell of a hidden value. One that failed without inputs failed at filling them in."""
    if "calls" in step:
        return False
    return mask.value(step["in"]) != step["in"] if "in" in step else "error" in step


def masked_step(step: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """Which way it went stays to be seen, what it went with doesn't."""
    masked: dict[str, Any] = {part: mask.value(step[part]) for part in ("in", "out") if part in step}
    is_hiding = reads_hidden(step, mask)
    if is_hiding and "out" in masked:
        masked["out"] = _passed(masked["out"], _shown_anyway(step, mask))
    if "error" in step:
        hidden = {"code": step["error"]["code"], "message": MESSAGE_HIDDEN}
        masked["error"] = hidden if is_hiding else masked_error(step["error"], mask)
    if "calls" in step:
        masked["calls"] = [
            {**call, **{part: mask.message(call[part]) for part in ("path", "note") if part in call}}
            for call in step["calls"]
        ]
    return {**step, **masked}


def masked_error(error: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """An error without what the mask finds in its texts."""
    return {**error, **{part: mask.message(error[part]) for part in ("message", "hint") if part in error}}


def made_of_hidden(step: dict[str, Any], mask: Mask) -> Iterator[str]:
    """The texts and numbers that a step made of a hidden value, and that the mask doesn't find."""
    if "out" not in step or not reads_hidden(step, mask):
        return
    passed = _shown_anyway(step, mask)
    for leaf in _leaves(step["out"]):
        shown = mask.value(leaf)
        if shown != MASK and shown not in passed:
            texts = (leaf,) if isinstance(leaf, str) else number_texts(leaf)
            yield from (text for text in texts if len(text) >= MIN_MADE_CHARS)


def _shown_anyway(step: dict[str, Any], mask: Mask) -> set[str | int | Decimal]:
    """What stands among the inputs as they are shown, and the status of an answer."""
    status = None if step["exit"] else step["out"].get("status")
    return {*_leaves(mask.value(step.get("in"))), *_leaves(status)}


def _passed(value: JSON, passed: set[str | int | Decimal]) -> JSON:
    """A copy with a mask for every text and number that isn't among `passed`."""
    if isinstance(value, dict):
        return {name: _passed(item, passed) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_passed(item, passed) for item in value]
    return MASK if _is_leaf(value) and value not in passed else value


def _leaves(value: JSON) -> Iterator[str | int | Decimal]:
    """Every text and number in a value, names of members aside."""
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif _is_leaf(value):
        yield value


def _is_leaf(value: JSON) -> TypeGuard[str | int | Decimal]:
    return isinstance(value, str | int | Decimal) and not isinstance(value, bool)

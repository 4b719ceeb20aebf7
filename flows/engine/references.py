"""How much there is to compile in what an author wrote: counted before any of it is, since compiling is work too."""

from __future__ import annotations

from collections.abc import Iterator

from flows.engine.limits import MAX_REFERENCES, MAX_STEP_EXPRESSION_CHARS
from flows.engine.strictjson import JSON


def problem_of(value: JSON) -> str:
    """Why this is too much for one step, as half a sentence; empty where it isn't."""
    count, chars = measured(value)
    if count > MAX_REFERENCES:
        return f"{count} references are more than the {MAX_REFERENCES} that a step may have"
    if chars > MAX_STEP_EXPRESSION_CHARS:
        return f"{chars} characters between braces are more than the {MAX_STEP_EXPRESSION_CHARS} that a step may have"
    return ""


def measured(value: JSON) -> tuple[int, int]:
    """How many `{{ … }}` a text or a tree of texts has, and how many characters within them."""
    count = chars = 0
    for text in _texts(value):
        for part in text.split("{{")[1:]:
            count += 1
            chars += len(part.partition("}}")[0])
    return count, chars


def _texts(value: JSON) -> Iterator[str]:
    """The texts that hold a reference."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if "{{" in each:
                yield each
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each

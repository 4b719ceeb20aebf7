"""Whether a value has anything in it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from flows.engine.compare import is_empty
from flows.engine.loop import Run
from flows.engine.node import Node, Outcome, Value, register


@register
class IsEmpty(Node):
    """Ask whether a value is empty: null or missing, a text of nothing but blanks, a list or object with nothing in it.

    0 and false aren't empty.
    """

    TYPE = "is_empty"
    LABEL = "Is empty"
    WORDS: ClassVar[tuple[str, ...]] = ("blank", "nothing", "empty check")

    value: Value = Field(description="What to look at, for example `{{ payload.items }}`.")

    def execute(self, run: Run) -> Outcome:
        return Outcome("yes" if is_empty(self.value) else "no")

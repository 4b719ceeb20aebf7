"""Whether a value is there."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from flows.engine.loop import Run
from flows.engine.node import Node, Outcome, Value, register


@register
class IsNull(Node):
    """Ask whether a value is null; one that is missing is null too. An empty text isn't."""

    TYPE = "is_null"
    LABEL = "Is null"
    WORDS: ClassVar[tuple[str, ...]] = ("exists", "missing", "null check", "present")

    value: Value = Field(description="What to look at, for example `{{ payload.email }}`.")

    def execute(self, run: Run) -> Outcome:
        return Outcome("yes" if self.value is None else "no")

"""Arithmetic and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from flows.engine.loop import Run
from flows.engine.node import Formula, Node, Outcome, register


@register
class Calculate(Node):
    """Compute an expression, exactly: numbers are decimals.

    A comparison leaves by `yes` where it is true and by `no` where it is false. Anything else leaves by `yes` where it
    could be computed, and by `no` where it couldn't (a wrong type, a division by zero) or where the result is null.
    """

    TYPE = "calculate"
    LABEL = "Calculate"
    WORDS: ClassVar[tuple[str, ...]] = ("math", "maths", "arithmetic", "sum", "expression", "formula")
    OUTPUTS: ClassVar[Mapping[str, str]] = {"result": "What the expression gave; true or false for a comparison."}

    expression: Formula = Field(description="An expression without braces, like `payload.order.total * 1.2`.")

    def execute(self, run: Run) -> Outcome:
        result = self.expression
        return Outcome("no" if result is None or result is False else "yes", {"result": result})

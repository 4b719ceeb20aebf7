"""Where a run begins."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from flows.engine.loop import Run
from flows.engine.node import Node, Outcome, Text, register


@register
class Start(Node):
    """Begin here. Declares what callers send; the front door checks it before a run starts."""

    TYPE = "start"
    LABEL = "Start"
    GROUP = "Start"
    EXITS = ("next",)
    WORDS: ClassVar[tuple[str, ...]] = ("trigger", "payload", "input")

    payload_schema: dict[str, Any] | None = Field(None, description="JSON Schema (2020-12) that a payload must meet.")
    sample: Any = Field(None, description="A payload as callers send it; shown to partners, used for tries.")
    recipient: Text = Field("", description="Whose contact this is, for example `{{ payload.phone }}`.")

    def execute(self, run: Run) -> Outcome:
        return Outcome("next")


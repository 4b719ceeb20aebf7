"""Where a run begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from flows.engine.loop import Run
from flows.engine.node import Finding, Node, Outcome, Text, register
from flows.engine.payload_schema import problems_of_payload, problems_of_schema


@register
class Start(Node):
    """Begin here. Declares what callers send; the front door checks it before a run starts."""

    TYPE = "start"
    LABEL = "Start"
    GROUP = "Start"
    EXITS = ("next",)
    WORDS: ClassVar[tuple[str, ...]] = ("trigger", "payload", "input", "begin")

    payload_schema: dict[str, Any] | None = Field(
        None,
        description=(
            "JSON Schema (2020-12) that a payload must meet."
            ' Values that it marks `"x-sensitive": true` are masked wherever they are kept.'
        ),
    )
    sample: Any = Field(None, description="A payload as callers send it; shown to partners, used for tries.")
    recipient: Text = Field("", description="Whose contact this is, for example `{{ payload.phone }}`.")

    def execute(self, run: Run) -> Outcome:
        return Outcome("next")

    def findings(self) -> Iterator[Finding]:
        if self.payload_schema is None:
            return
        problems = problems_of_schema(self.payload_schema)
        for problem in problems:
            place = problem["pointer"] or "the whole"
            yield Finding("bad_schema", f"In payload_schema, {place} {problem['message']}.", "Correct the schema.")
        if not problems and self.sample is not None:
            for problem in problems_of_payload(self.payload_schema, self.sample):
                message = f"The sample doesn't meet the schema: {problem['pointer'] or 'it'} {problem['message']}."
                yield Finding("bad_sample", message, "Partners copy the sample; correct it.", severity="warning")

"""One way out per value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from flows.engine.compare import charge, matches
from flows.engine.loop import Run
from flows.engine.node import Branch, Finding, Node, Outcome, Value, branch_exits, branch_findings, register


@register
class SwitchCase(Node):
    """Leave by the exit of the first case whose value is the value, or by `other`.

    Texts are compared exactly, capitals included; numbers by what they are worth. A case written as text also takes the
    number or boolean that it spells: the case `"1"` takes 1. A value that can't be read leaves by `other`.
    """

    TYPE = "switch_case"
    LABEL = "Switch case"
    WORDS: ClassVar[tuple[str, ...]] = ("branch", "choice", "route", "select", "multiple")

    value: Value = Field(description="What to look at, for example `{{ payload.status }}`.")
    cases: list[Branch] = Field(min_length=1, max_length=50, description="A value and the exit it leads to.")

    def execute(self, run: Run) -> Outcome:
        charge(run.budget, (case.value for case in self.cases))
        return Outcome(next((case.exit for case in self.cases if matches(self.value, case.value)), "other"))

    @classmethod
    def exits(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        return branch_exits(settings.get("cases"), otherwise="other")

    def findings(self) -> Iterator[Finding]:
        return branch_findings(self.cases, otherwise="other")

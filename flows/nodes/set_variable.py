"""Variables of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from flows.engine.loop import Run
from flows.engine.node import Finding, Node, Outcome, Settings, Value, register
from flows.engine.records import NAME_PATTERN


class Assignment(Settings):
    """A variable and what it becomes."""

    name: str = Field(pattern=NAME_PATTERN, description="Name of the variable; read as `{{ name }}`.")
    value: Value = Field(description="Text or JSON, references allowed; a text that is one reference keeps its type.")


@register
class SetVariable(Node):
    """Set variables that every later step can read, in this flow and in one it jumps to.

    All values are read before any variable is set, so an assignment doesn't see another one of the same step.
    Leaves by `no` where a value can't be read; then none is set.
    """

    TYPE = "set_variable"
    LABEL = "Set variable"
    WORDS: ClassVar[tuple[str, ...]] = ("assign", "attribute", "custom attribute", "store", "remember")

    assignments: list[Assignment] = Field(min_length=1, max_length=100, description="What to set.")

    def execute(self, run: Run) -> Outcome:
        return Outcome("yes", variables={each.name: each.value for each in self.assignments})

    @classmethod
    def sets(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        written = settings.get("assignments")
        pairs = [pair for pair in written if isinstance(pair, Mapping)] if isinstance(written, list) else []
        return tuple(dict.fromkeys(pair["name"] for pair in pairs if isinstance(pair.get("name"), str)))

    def findings(self) -> Iterator[Finding]:
        names = [each.name for each in self.assignments]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Finding("duplicate_name", f"The variable {name!r} is set twice.", "Keep the one that is meant.")

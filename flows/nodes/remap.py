"""One value for another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from flows.engine.compare import charge, matches
from flows.engine.loop import Run
from flows.engine.node import Node, Outcome, Settings, Value, register


class Replacement(Settings):
    """A value and what stands in its place."""

    found: Value = Field(alias="from", description="The value to replace.")
    to: Value = Field(description="What it becomes: text or JSON, references allowed.")


@register
class Remap(Node):
    """Put another value in the place of a value, by a list; the first entry that matches counts.

    Values are compared as in a switch case. Without a match the default is the result; without a default the step
    leaves by `no`.
    """

    TYPE = "remap"
    LABEL = "Remap"
    WORDS: ClassVar[tuple[str, ...]] = ("map", "mapping", "translate", "replace", "lookup", "convert")
    OUTPUTS: ClassVar[Mapping[str, str]] = {"result": "What the value became; null without a match."}

    value: Value = Field(description="What to replace, for example `{{ payload.country }}`.")
    mapping: list[Replacement] = Field(min_length=1, max_length=500, description="What becomes what.")
    default: Value = Field(None, description="The result where nothing matches; null for none.")

    def execute(self, run: Run) -> Outcome:
        charge(run.budget, (each.found for each in self.mapping))
        found = next((each.to for each in self.mapping if matches(self.value, each.found)), self.default)
        return Outcome("no" if found is None else "yes", {"result": found})

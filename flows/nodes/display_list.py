"""A list as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from flows.engine.compare import charge
from flows.engine.errors import NodeError
from flows.engine.limits import MAX_RENDERED_CHARS
from flows.engine.loop import Run
from flows.engine.node import EachFormula, EachText, Node, Outcome, Text, register
from flows.engine.node import Value as AnyValue

UNITS_PER_ITEM = 4
"""Of work for taking an item in hand, whatever is then written of it."""


@register
class DisplayList(Node):
    """Write a line of text for each item of a list.

    `{{ item }}` is the item. `{{ index }}` is the number of the line, from 1; in `keep` it is the place of the item in
    the list, from 1. Leaves by `no` where no line was written: the list is empty or null, or nothing was kept.
    """

    TYPE = "display_list"
    LABEL = "Display list"
    WORDS: ClassVar[tuple[str, ...]] = ("items", "lines", "pattern", "filter by", "exclude", "loop", "for each")
    OUTPUTS: ClassVar[Mapping[str, str]] = {"result": "The lines as one text.", "count": "How many lines there are."}

    items: AnyValue = Field(description="The list, for example `{{ shop.data.products }}`.")
    line: EachText = Field(description="One line, for example `{{ index }}. {{ item.name }}`.")
    separator: Text = Field("\n", description="Between two lines; a line break if left out.")
    keep: EachFormula = Field("", description="Keep an item where this is true, like `item.stock > 0`; empty for all.")
    limit: int = Field(0, ge=0, le=1000, description="At most this many lines; 0 for all.")

    def execute(self, run: Run) -> Outcome:
        charge(run.budget, (self.items,))
        lines: list[str] = []
        length = -len(self.separator)
        for item in self._kept(run):
            lines.append(self.line(item, len(lines) + 1))
            length += len(lines[-1]) + len(self.separator)
            if length > MAX_RENDERED_CHARS:
                raise NodeError(
                    f"The lines are longer than {MAX_RENDERED_CHARS} characters.", code="too_long", hint="Set a limit."
                )
            if len(lines) == self.limit:
                break
        result = self.separator.join(lines)
        run.budget.spend_text(len(result))
        return Outcome("yes" if lines else "no", {"result": result, "count": len(lines)})

    def _kept(self, run: Run) -> Iterator[Any]:
        if self.items is not None and not isinstance(self.items, list):
            raise NodeError("What should be listed isn't a list.", code="wrong_type", hint="Refer to a list.")
        for place, item in enumerate(self.items or (), start=1):
            run.budget.spend(UNITS_PER_ITEM)
            kept = self.keep(item, place) if self.keep else True
            if not isinstance(kept, bool | None):
                raise NodeError("What says whether an item is kept isn't true or false.", code="wrong_type")
            if kept:
                yield item

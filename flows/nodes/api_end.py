"""The flow's answer to its caller."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from flows.engine.loop import Run
from flows.engine.node import End, Node, Pair, Value, register
from flows.engine.values import to_text


@register
class ApiEnd(Node):
    """End the run with a status, headers and a body. On an asynchronous route the answer is kept with the run only."""

    TYPE = "api_end"
    LABEL = "API end"
    GROUP = "End"
    EXITS = ()
    WORDS: ClassVar[tuple[str, ...]] = ("answer", "response", "reply", "return", "stop")

    status: int = Field(200, ge=200, le=599, description="HTTP status of the answer.")
    headers: list[Pair] = Field(default_factory=list, description="Headers of the answer.")
    body: Value = Field(None, description="Any JSON, references allowed.")

    def execute(self, run: Run) -> End:
        headers = tuple((pair.name, to_text(pair.value)) for pair in self.headers)
        return End(self.status, headers, self.body)

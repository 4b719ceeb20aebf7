"""The flow's answer to its caller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from flows.engine.errors import NodeError
from flows.engine.headers import REFUSED_IN_ANSWERS, header_findings, problem_of_name, problem_of_value
from flows.engine.loop import Run
from flows.engine.node import End, Finding, Node, Pair, Value, register

WITHOUT_BODY = frozenset((204, 205, 304))
"""Statuses whose answers have no body (RFC 9110)."""


@register
class ApiEnd(Node):
    """End the run with a status, headers and a body. On an asynchronous route the answer is kept with the run only.

    A body that is one reference keeps its JSON type. A header whose value is null is left out; one that can't be sent,
    with a line break for example, fails the run.
    """

    TYPE = "api_end"
    LABEL = "API end"
    GROUP = "End"
    EXITS = ()
    WORDS: ClassVar[tuple[str, ...]] = ("answer", "response", "reply", "return", "stop")

    status: int = Field(200, ge=200, le=599, description="HTTP status of the answer.")
    headers: list[Pair] = Field(default_factory=list, max_length=50, description="Headers of the answer.")
    body: Value = Field(None, description="Any JSON, references allowed.")

    def execute(self, run: Run) -> End:
        written = run.budget.spend_writing
        headers = tuple((pair.name, written(pair.value)) for pair in self.headers if pair.value is not None)
        for name, value in headers:
            problem = problem_of_name(name, REFUSED_IN_ANSWERS) or problem_of_value(name, value)
            if problem:
                raise NodeError(problem, code="bad_header", hint="Correct the headers of this step.")
        return End(self.status, headers, self.body)

    def findings(self) -> Iterator[Finding]:
        yield from header_findings(self.headers, REFUSED_IN_ANSWERS)
        if self.status in WITHOUT_BODY and self.body is not None:
            message = f"An answer with the status {self.status} has no body, so this one is left out."
            yield Finding("body_not_sent", message, "Take the body out, or choose another status.", "warning")

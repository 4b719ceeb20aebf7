"""Call an API that is defined as an endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field

from flows.engine.compare import matches
from flows.engine.errors import FlowError, LanguageError, NodeError, RunError
from flows.engine.headers import REFUSED_IN_CALLS, header_findings, problem_of_name
from flows.engine.language import compile_expression
from flows.engine.loop import Run
from flows.engine.node import Branch, Finding, Node, Outcome, Pair, Value, branch_exits, branch_findings, register
from flows.engine.paths import Path, is_there
from flows.engine.protocols import Answer
from flows.engine.strictjson import JSON
from flows.engine.templates import compile_text
from flows.engine.url_paths import render_path
from flows.engine.values import to_text

Pairs = tuple[tuple[str, str], ...]

_CODE = re.compile(r"[1-5]([0-9]{2}|xx|XX)")


@register
class ApiIntegration(Node):
    """Call an endpoint and go on by its answer.

    Query parameters of the step are added to the endpoint's; so are headers, but one that both set must have the same
    value. A parameter or header whose value is null is left out. A body of the step replaces the endpoint's.

    Without outcomes the step leaves by `yes` where the response code is 2xx, and by `no` otherwise. With outcomes it
    leaves by the first one whose value is what the endpoint says decides: the response code (`404` or `2xx`), or an
    element of the answer. Where none matches, or no answer came, it leaves by `other`; if that leads nowhere the run
    fails with CT51, or with CT12 where time ran out.

    An answer that can't be read as what it says it is has null as its data. The step then leaves as ever, and tells the
    error `bad_answer`. So it does where a 2xx answer doesn't have the endpoint's base element.
    """

    TYPE = "api_integration"
    LABEL = "API integration"
    GROUP = "Integration"
    WORDS: ClassVar[tuple[str, ...]] = ("data exchange", "HTTP call", "API", "REST", "request", "webhook", "endpoint")
    OUTPUTS: ClassVar[Mapping[str, str]] = {
        "status": "`success` where the response code is 2xx, else `failure`.",
        "code": "The HTTP response code; null where no answer came.",
        "headers": "The headers of the answer, names in lower case.",
        "data": "The answer's body, or what the endpoint's base element picks of it; null where it can't be read.",
    }

    endpoint: str = Field(min_length=1, max_length=64, description="Name of the endpoint.")
    query: list[Pair] = Field(default_factory=list, max_length=100, description="Query parameters to add.")
    headers: list[Pair] = Field(default_factory=list, max_length=100, description="Headers to add.")
    body: Value = Field(None, description="Body to send in place of the endpoint's; null to send that one.")
    outcomes: list[Branch] = Field(
        default_factory=list, max_length=50, description="An exit for each answer to tell apart; none for yes and no."
    )

    def execute(self, run: Run) -> Outcome:
        try:
            definition = run.definition("endpoint", self.endpoint)
            answer = self._call(run, definition)
            base = definition["base_element"]
            data = _pick(base, answer.data, run) if base else answer.data
            exit_name = self._exit(run, definition["decides"], answer)
        except (NodeError, LanguageError) as error:
            return self._failed(run, error)
        status = "success" if answer.code // 100 == 2 else "failure"
        return Outcome(exit_name, _outputs(status, answer, data), error=_trouble(answer, base))

    def _call(self, run: Run, definition: Mapping[str, Any]) -> Answer:
        body = run.render(definition["body"]) if self.body is None else self.body
        return run.call(
            connection=definition["connection"],
            method=definition["method"],
            path=render_path(definition["path"], lambda piece: to_text(_text(piece).render(run.names, run.budget))),
            query=_pairs(run, run.render(definition["query"])) + _pairs(run, _plain(self.query)),
            headers=_merged(_pairs(run, run.render(definition["headers"])), _pairs(run, _plain(self.headers))),
            body=body,
            body_type=self._body_type(definition),
            timeout_seconds=definition["timeout_seconds"],
            repeat=definition["repeat"],
        )

    def _body_type(self, definition: Mapping[str, Any]) -> str:
        body_type: str = definition["body_type"]
        if body_type != "none" or self.body is None:
            return "" if body_type == "none" else body_type
        if definition["method"] == "GET":
            raise NodeError("A GET call has no body.", code="call_not_built", hint="Take the body out of this step.")
        return "json"

    def _exit(self, run: Run, decides: str, answer: Answer) -> str:
        if not self.outcomes:
            return "yes" if answer.code // 100 == 2 else "no"
        if decides == "code":
            found = next((each.exit for each in self.outcomes if is_code(each.value, answer.code)), None)
        else:
            element = _pick(decides, answer.data, run)
            found = next((each.exit for each in self.outcomes if matches(element, each.value)), None)
        if found is None and not run.is_connected("other"):
            raise RunError(
                f"Step {run.node.title} has no outcome for this answer (response code {answer.code}).",
                code="CT51",
                status=502,
                hint="Add an outcome for it, or connect the exit 'other'.",
            )
        return found or "other"

    def _failed(self, run: Run, error: FlowError) -> Outcome:
        """No answer that can be used: leave by the exit for that, or end the run."""
        outputs = _outputs("failure", Answer(0), None)
        if not self.outcomes:
            return Outcome("no", outputs, error=error)
        if run.is_connected("other"):
            return Outcome("other", outputs, error=error)
        code, status = ("CT12", 504) if error.code == "timed_out" else ("CT51", 502)
        message = f"Step {run.node.title} got no answer that can be used: {error.message}"
        raise RunError(message, code=code, status=status, hint="Connect the exit 'other'.") from error

    @classmethod
    def exits(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        outcomes = settings.get("outcomes")
        return branch_exits(outcomes, otherwise="other") if outcomes else cls.EXITS

    def uses(self) -> tuple[tuple[str, str], ...]:
        return (("endpoint", self.endpoint),)

    def acts(self, definitions: Sequence[Mapping[str, Any]]) -> bool:
        return any(definition["repeat"] != "safe" for definition in definitions)

    def findings(self) -> Iterator[Finding]:
        yield from header_findings(self.headers, REFUSED_IN_CALLS)
        yield from branch_findings(self.outcomes, otherwise="other")

    def misfits(self, definition: Mapping[str, Any]) -> Iterator[Finding]:
        for outcome in self.outcomes if definition.get("decides") == "code" else ():
            if not _CODE.fullmatch(to_text(outcome.value)):
                yield Finding(
                    "outcome_never",
                    f"The outcome {outcome.exit} waits for {to_text(outcome.value)!r}, which is no response code.",
                    "Write a code like 404 or 2xx, or let an element of the answer decide on the endpoint.",
                )
        if self.body is not None and definition.get("method") == "GET":
            yield Finding(
                "body_not_sent",
                "A GET call has no body, and this step sets one.",
                f"Take the body out of this step, or let the endpoint {self.endpoint} use POST.",
                "warning" if isinstance(self.body, str) and "{{" in self.body else "error",  # it may turn out null
            )


def is_code(wanted: JSON, code: int) -> bool:
    """Whether an outcome's value takes a response code: `404`, `"404"`, or `"4xx"` for all of them."""
    text = to_text(wanted) if isinstance(wanted, str | int | Decimal) else ""
    if not _CODE.fullmatch(text):
        return False
    return text == str(code) or text.lower() == f"{code // 100}xx"


def _outputs(status: str, answer: Answer, data: JSON) -> dict[str, JSON]:
    return {"status": status, "code": answer.code or None, "headers": dict(answer.headers), "data": data}


def _pick(path: str, data: JSON, run: Run) -> JSON:
    """The element of an answer at `path`. `data` is the answer itself, unless it has a member of that name."""
    return _expression(path).evaluate(_names_in(data), run.budget)


def _names_in(data: JSON) -> dict[str, JSON]:
    names: dict[str, JSON] = {"data": data}
    return names | data if isinstance(data, dict) else names


def _trouble(answer: Answer, base: str) -> NodeError | None:
    """What is wrong with an answer that came, for the author to see; the step leaves by its code all the same."""
    if answer.note:
        return NodeError(answer.note, code="bad_answer")
    if answer.code // 100 != 2 or all(is_there(_names_in(answer.data), path) for path in _references(base)):
        return None
    return NodeError(
        f"The answer has no {base}, which the endpoint takes as the data.",
        code="bad_answer",
        hint="See what the service answers, and change the base element of the endpoint.",
    )


def _references(base: str) -> Iterable[Path]:
    return _expression(base).references if base else ()


def _plain(pairs: Iterable[Pair]) -> list[Any]:
    return [{"name": pair.name, "value": pair.value} for pair in pairs]


def _pairs(run: Run, pairs: Any) -> Pairs:
    written = run.budget.spend_writing
    made = tuple((written(pair["name"]), written(pair["value"])) for pair in pairs if pair["value"] is not None)
    if not all(name for name, _ in made):
        raise NodeError("A query parameter or header has no name.", code="call_not_built", hint="Give it one.")
    return made


def _merged(theirs: Pairs, ours: Pairs) -> Pairs:
    """Headers of endpoint and step, each once. Raises NodeError where they differ, or can't be set."""
    merged: dict[str, tuple[str, str]] = {}
    for name, value in theirs + ours:
        if problem := problem_of_name(name, REFUSED_IN_CALLS):
            raise NodeError(problem, code="bad_header", hint="Take it out of the step or the endpoint.")
        first = merged.setdefault(name.lower(), (name, value))
        if first[1] != value:
            raise NodeError(
                f"The header {name} has two values.",
                code="header_conflict",
                hint="Set it on the endpoint or in the step.",
            )
    return tuple(merged.values())


_expression = lru_cache(maxsize=1024)(compile_expression)
_text = lru_cache(maxsize=1024)(compile_text)

"""A header that the endpoint and the step that uses it both set, to different values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flows.engine.values import to_text
from flows.issues.base import Issue, Kind, Subject, finds

CONFLICT = Kind(
    "header_conflict",
    "error",
    "Step {step} sets the header “{header}” to another value than the endpoint “{endpoint}” that it uses.",
    "Set “{header}” in one place only: take it out of the step, or out of the endpoint.",
    milder="a value is known only in a run",
)


@finds(CONFLICT)
def header_conflicts(subject: Subject) -> Iterator[Issue]:
    for use in subject.uses:
        if use.kind != "endpoint" or use.definition is None:
            continue
        theirs = {name.lower(): value for name, value in _headers(use.definition.content)}
        for index, (name, value) in enumerate(_headers(use.node.settings)):
            other = theirs.get(name.lower())
            if other is not None and value is not None and to_text(other) != to_text(value):
                may_be_equal = "{{" in to_text(other) + to_text(value)
                yield CONFLICT.at(use.node, f"headers[{index}]", header=name, endpoint=use.name, mild=may_be_equal)


def _headers(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for pair in content.get("headers") or ():
        yield pair["name"], pair["value"]

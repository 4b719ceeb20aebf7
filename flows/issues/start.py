"""Not exactly one start."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Subject, finds

MISSING = Kind(
    "start_missing",
    "error",
    "The flow has no start step.",
    "Add a start step and connect it to the step that comes first.",
)
TWICE = Kind(
    "start_twice",
    "error",
    "Step {step} is one start too many: the flow begins at step {first}.",
    "Keep one start step and delete the other.",
)


@finds(MISSING, TWICE)
def starts(subject: Subject) -> Iterator[Issue]:
    starts = [subject.graph.nodes[number] for number in subject.graph.starts]
    if not starts:
        yield MISSING.at(None)
    for node in starts[1:]:
        yield TWICE.at(node, first=starts[0].title)

"""A step that no run can come to."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Subject, finds

UNREACHABLE = Kind(
    "unreachable_node",
    "warning",
    "Step {step} is never run: nothing leads to it.",
    "Connect an exit of another step to it, or delete it.",
)


@finds(UNREACHABLE)
def unreachable(subject: Subject) -> Iterator[Issue]:
    if not subject.ways.begins:
        return  # start_missing says it all
    for node in subject.nodes:
        if node.number not in subject.ways.reachable:
            yield UNREACHABLE.at(node)

"""A route, or a jump from another flow, that enters at a step this graph doesn't have."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Subject, finds

GONE = Kind(
    "route_step_gone",
    "error",
    "Runs enter this flow at step {number}, which isn't there any more: {by}.",
    "Keep the step, or first move to another step what enters here.",
    milder="it isn't in production",
)


@finds(GONE)
def entries(subject: Subject) -> Iterator[Issue]:
    for entry in subject.entries:
        if entry.step not in subject.graph.nodes:
            yield GONE.at(None, by=entry.by, number=entry.step, mild=not entry.production)

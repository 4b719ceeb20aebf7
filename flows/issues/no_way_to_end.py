"""Steps from which the run never comes to an end: a loop that nothing leaves, or a way that breaks off."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Subject, finds

NO_WAY_TO_END = Kind(
    "no_way_to_end",
    "error",
    "No way leads from step {step} to an end.",
    "Connect one of the steps that follow to an end or to another flow. "
    "A loop needs an exit that leaves it, for example that of a condition.",
)


@finds(NO_WAY_TO_END)
def no_way_to_end(subject: Subject) -> Iterator[Issue]:
    """Told where one comes into such a part of the flow, not at each of its steps."""
    ways = subject.ways
    lost = ways.reachable - ways.ending
    doors = {target for node in subject.nodes if node.number in ways.ending for target in ways.after(node)}
    for number in sorted(lost & (doors | ways.begins)):
        yield NO_WAY_TO_END.at(subject.graph.nodes[number])

"""One name for two things."""

from __future__ import annotations

from collections.abc import Iterator

from flows.engine.graph import RESERVED
from flows.issues.base import Issue, Kind, Subject, finds

CLASH = Kind(
    "name_clash",
    "error",
    "Step {step} takes the name “{name}” for {what}, but {taken}.",
    "Choose another name; references to it have to be changed too.",
)


@finds(CLASH)
def name_clashes(subject: Subject) -> Iterator[Issue]:
    for node in subject.nodes:
        if node.name in RESERVED:
            yield CLASH.at(node, name=node.name, what="itself", taken=_RESERVED)
    for name, setters in subject.ways.variables.items():
        same = subject.by_name.get(name)
        taken = _RESERVED if name in RESERVED else same and f"step {same.title} is called so"
        if taken:
            for number in setters:
                yield CLASH.at(subject.graph.nodes[number], name=name, what="a variable", taken=taken)


_RESERVED = "it is reserved and always means the same"

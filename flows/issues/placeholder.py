"""An exit that leads nowhere, at a step that a run can come to."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Subject, finds

PLACEHOLDER = Kind(
    "placeholder",
    "error",
    "The exit “{exit}” of step {step} leads nowhere.",
    "Connect “{exit}” to the step that comes next, or to an end. A run that leaves this way fails with CT04.",
)
OTHER = Kind(
    "other_missing",
    "error",
    "Step {step} has nothing behind “other”, the exit for everything that none of its cases meets.",
    "Connect “other” to a step that deals with the unexpected, for example an end that answers with an error. "
    "A run that leaves this way fails (CT51 for an answer from outside).",
)


@finds(PLACEHOLDER, OTHER)
def placeholders(subject: Subject) -> Iterator[Issue]:
    for node in subject.reachable:
        for name in node.node_type.exits(node.settings):
            if node.exits.get(name) is None:
                kind = OTHER if name == "other" else PLACEHOLDER
                yield kind.at(node, f"exits.{name}", exit=name)

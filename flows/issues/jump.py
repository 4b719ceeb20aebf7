"""Jumps to a flow, or a step of it, that isn't there, or from which runs fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.engine.errors import GraphRefused
from flows.engine.graph import GraphNode, Jump
from flows.engine.protocols import Entry
from flows.issues.base import Issue, Kind, Subject, broken_from, finds

TARGET_MISSING = Kind(
    "jump_target_missing",
    "error",
    "The exit “{exit}” of step {step} jumps to the flow “{flow}”, and there is none of that name and kind.",
    "Choose a flow that is there, or create it first.",
)
NOT_DEPLOYED = Kind(
    "jump_not_deployed",
    "warning",
    "The exit “{exit}” of step {step} jumps to the flow “{flow}”, of which nothing is deployed.",
    "Deploy “{flow}” before runs come here: until then they fail with CT04.",
)
STEP_MISSING = Kind(
    "jump_step_missing",
    "error",
    "The exit “{exit}” of step {step} jumps to step {target} of the flow “{flow}”, which has no such step.",
    "Choose a step that is there.",
)
TARGET_BROKEN = Kind(
    "jump_target_broken",
    "error",
    "The exit “{exit}” of step {step} jumps to step {target} of the flow “{flow}”, which can't go on from there: {reason}",
    "Correct “{flow}” and deploy it, or choose another step.",
)


@finds(TARGET_MISSING, NOT_DEPLOYED, STEP_MISSING, TARGET_BROKEN)
def jumps(subject: Subject) -> Iterator[Issue]:
    for node in subject.nodes:
        for exit_name, target in node.exits.items():
            if isinstance(target, Jump):
                kind, reason = _problem(subject, node, target)
                if kind is not None:
                    words: dict[str, Any] = {"flow": target.flow, "target": target.step, "reason": reason}
                    yield kind.at(node, f"exits.{exit_name}", exit=exit_name, **words)


def _problem(subject: Subject, node: GraphNode, jump: Jump) -> tuple[Kind | None, str]:
    """The kind of problem, and where the other flow is broken, why."""
    if jump.flow == subject.slug:
        return None if jump.step in subject.graph.nodes else STEP_MISSING, ""
    try:
        other = subject.catalog.other_flow(jump.flow)
    except GraphRefused as refused:
        return TARGET_BROKEN, refused.message
    if other is None:
        return NOT_DEPLOYED if subject.catalog.flow_exists(jump.flow) else TARGET_MISSING, ""
    if jump.step not in other.graph.nodes:
        return STEP_MISSING, ""
    if node.number not in subject.ways.reachable:
        return None, ""
    entry = Entry(jump.step, subject.slug, subject.ways.leaving(node.number))
    broken = broken_from(other, jump.flow, subject.kind, entry, subject.catalog)
    return (TARGET_BROKEN, broken[0].message) if broken else (None, "")

"""Jumps to a flow, or a step of it, that isn't there."""

from __future__ import annotations

from collections.abc import Iterator

from flows.engine.graph import GraphNode, Jump
from flows.issues.base import Issue, Kind, Subject, finds

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


@finds(TARGET_MISSING, NOT_DEPLOYED, STEP_MISSING)
def jumps(subject: Subject) -> Iterator[Issue]:
    for node in subject.nodes:
        for exit_name, target in node.exits.items():
            kind = _problem(subject, target) if isinstance(target, Jump) else None
            if kind is not None and isinstance(target, Jump):
                yield _told(kind, node, exit_name, target)


def _problem(subject: Subject, jump: Jump) -> Kind | None:
    if jump.flow == subject.slug:
        return None if jump.step in subject.graph.nodes else STEP_MISSING
    steps = subject.catalog.flow_steps(jump.flow)
    if steps is not None:
        return None if jump.step in steps else STEP_MISSING
    return NOT_DEPLOYED if subject.catalog.flow_exists(jump.flow) else TARGET_MISSING


def _told(kind: Kind, node: GraphNode, exit_name: str, jump: Jump) -> Issue:
    return kind.at(node, f"exits.{exit_name}", exit=exit_name, flow=jump.flow, target=jump.step)

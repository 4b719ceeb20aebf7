"""A step that talks with a user, in a flow that has none."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Subject, finds

USER_FACING = Kind(
    "user_facing_node",
    "error",
    "Step {step} waits for a user, but a dynamic API flow is called by a system.",
    "Delete the step. To reach a person, send a template or a rich link.",
)


@finds(USER_FACING)
def user_facing(subject: Subject) -> Iterator[Issue]:
    if subject.kind == "dynamic_api":
        yield from (USER_FACING.at(node) for node in subject.nodes if node.node_type.USER_FACING)

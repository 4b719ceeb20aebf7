"""What a node type says about its settings, alone and beside the definitions it uses; its codes are the node type's."""

from __future__ import annotations

from collections.abc import Iterator

from flows.engine.graph import GraphNode
from flows.engine.node import Finding
from flows.issues.base import Issue, Kind, Severity, Subject, finds


@finds()
def findings(subject: Subject) -> Iterator[Issue]:
    for node in subject.nodes:
        for finding in node.node.findings() if node.node else ():
            yield _issue(node, finding)
    for use in subject.uses:
        if use.node.node and use.definition and use.needed_by is None:
            for finding in use.node.node.misfits(use.definition.content):
                yield _issue(use.node, finding)


def _issue(node: GraphNode, finding: Finding) -> Issue:
    severity: Severity = "warning" if finding.severity == "warning" else "error"
    kind = Kind(finding.code, severity, "Step {step}: {message}", "{hint}")
    return kind.at(node, message=finding.message, hint=finding.hint)

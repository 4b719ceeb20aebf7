"""What a node type says about its own settings; its codes are the node type's."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Severity, Subject, finds


@finds()
def findings(subject: Subject) -> Iterator[Issue]:
    for node in subject.nodes:
        for finding in node.node.findings() if node.node else ():
            severity: Severity = "warning" if finding.severity == "warning" else "error"
            kind = Kind(finding.code, severity, "Step {step}: {message}", "{hint}")
            yield kind.at(node, message=finding.message, hint=finding.hint)

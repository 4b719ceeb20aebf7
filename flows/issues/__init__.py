"""Problems of a flow that can be seen before it runs. One file per kind of problem; it counts by being here."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from flows.engine.graph import Graph
from flows.engine.protocols import Catalog
from flows.issues.base import FINDERS, KINDS, Issue, Kind, Subject, broken_from, sealed_flow

__all__ = ["KINDS", "Issue", "Kind", "broken_from", "check", "sealed_flow"]

for _module in iter_modules(__path__):
    if not _module.ispkg and not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")


def check(graph: Graph, *, slug: str, kind: str, catalog: Catalog) -> list[Issue]:
    """Every issue of a flow, those of the flow itself first, then by node; errors before warnings."""
    subject = Subject(graph, slug, kind, catalog)
    found = dict.fromkeys(issue for find in FINDERS for issue in find(subject))
    return sorted(found, key=lambda issue: (issue.node or 0, issue.severity, issue.code))

"""What runs meet that enter another flow at one of its steps: what its own check couldn't know, because nothing entered there yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.engine.graph import Graph, read_graph
from flows.engine.protocols import Catalog, Definition, Entry, OtherFlow
from flows.issues.base.issue import FINDERS, Issue
from flows.issues.base.subject import Subject
from flows.issues.base.ways import Ways

BY_ENTRY = ("placeholder", "other_missing", "unknown_reference", "no_way_to_end")
"""What depends on where runs enter, the most telling first. All else was judged when the version was submitted."""


def broken_from(other: OtherFlow, slug: str, kind: str, entry: Entry, catalog: Catalog) -> list[Issue]:
    """The errors at steps that a run can come to which enters there. Looks into no further flow."""
    reach = Ways(other.graph, slug, ()).reach(entry.step)
    part = Graph({number: node for number, node in other.graph.nodes.items() if number in reach})
    coming_back = (each for each in catalog.entries(slug) if slug in each.through)
    subject = Subject(part, slug, kind, _Within(other, (entry, *coming_back)))
    found = dict.fromkeys(issue for find in FINDERS for issue in find(subject))
    errors = [issue for issue in found if issue.severity == "error" and issue.code in BY_ENTRY]
    return sorted(errors, key=lambda issue: (issue.node or 0, BY_ENTRY.index(issue.code)))


def sealed_flow(content: Mapping[str, Any]) -> OtherFlow:
    """A flow as a version froze it. Raises GraphRefused where this release can't read it."""
    definitions = content["definitions"]

    def find(kind: str, name: str) -> Definition | None:
        sealed = definitions.get(kind, {}).get(name)
        return None if sealed is None else Definition(kind, name, sealed, "")

    return OtherFlow(read_graph(content["nodes"]), find)


@dataclass(frozen=True)
class _Within:
    """A Catalog that knows the flow alone, so that its jumps are taken as they are."""

    other: OtherFlow
    coming: tuple[Entry, ...]

    def find(self, kind: str, name: str) -> Definition | None:
        return self.other.find(kind, name)

    def names(self, kind: str) -> Iterable[str]:
        return ()

    def other_flow(self, slug: str) -> OtherFlow | None:
        return None

    def flow_exists(self, slug: str) -> bool:
        return True

    def entries(self, slug: str) -> Iterable[Entry]:
        return self.coming

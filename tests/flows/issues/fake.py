"""A Catalog made from JSON, as golden cases have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.engine.graph import Graph, read_graph
from flows.engine.protocols import Definition, Entry, OtherFlow


@dataclass(frozen=True)
class FakeCatalog:
    """`flows` maps a slug to the graph of what is deployed, or to None where nothing is."""

    definitions: Mapping[tuple[str, str], Definition] = field(default_factory=dict)
    flows: Mapping[str, Graph | None] = field(default_factory=dict)
    coming: tuple[Entry, ...] = ()

    def find(self, kind: str, name: str) -> Definition | None:
        return self.definitions.get((kind, name))

    def names(self, kind: str) -> Iterable[str]:
        return [name for its_kind, name in self.definitions if its_kind == kind]

    def other_flow(self, slug: str) -> OtherFlow | None:
        graph = self.flows.get(slug)
        return None if graph is None else OtherFlow(graph, self.find)

    def flow_exists(self, slug: str) -> bool:
        return slug in self.flows

    def entries(self, slug: str) -> Iterable[Entry]:
        return self.coming


def catalog_of(raw: Mapping[str, Any]) -> FakeCatalog:
    """The catalog that a golden case describes."""
    definitions = [
        Definition(
            kind=each["kind"],
            name=each["name"],
            content=each.get("content", {}),
            subject=f"{each['kind']}:1",
            needs=tuple((kind, name) for kind, name in each.get("needs", [])),
        )
        for each in raw.get("definitions", [])
    ]
    flows = {slug: None if nodes is None else _graph(nodes) for slug, nodes in raw.get("flows", {}).items()}
    sets = ("variables", "through")
    coming = [Entry(**each | {key: frozenset(each.get(key, [])) for key in sets}) for each in raw.get("entries", [])]
    return FakeCatalog({(each.kind, each.name): each for each in definitions}, flows, tuple(coming))


def _graph(nodes: list[Any]) -> Graph:
    """A node that is only a number is an end."""
    return read_graph([{"number": node, "type": "api_end"} if isinstance(node, int) else node for node in nodes])

"""What is checked: a graph and what there is around it, with the analyses that several kinds share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from flows.engine.graph import Graph, GraphNode
from flows.engine.protocols import Catalog, Definition, Entry
from flows.issues.base.texts import Written, texts_of_definition, texts_of_node
from flows.issues.base.ways import Ways

MAX_SUGGESTIONS = 40
"""Looking for a close name compares it with all others; a flow with more wrong names has another problem."""


@dataclass(frozen=True)
class Use:
    """A definition that a node uses: by itself, or because the definition `needed_by` needs it."""

    node: GraphNode
    setting: str
    kind: str
    name: str
    definition: Definition | None
    needed_by: Definition | None = None


@dataclass(frozen=True)
class Subject:
    """One flow under check. Every analysis is made once, when it is first asked for."""

    graph: Graph
    slug: str
    kind: str
    catalog: Catalog
    _found: dict[tuple[str, str], Definition | None] = field(default_factory=dict)
    _close: dict[tuple[str, frozenset[str]], str] = field(default_factory=dict)

    @property
    def nodes(self) -> Iterable[GraphNode]:
        return self.graph.nodes.values()

    @property
    def reachable(self) -> list[GraphNode]:
        """The nodes that a run can come to, in the order of the file."""
        return [node for node in self.nodes if node.number in self.ways.reachable]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self.catalog.entries(self.slug))

    @cached_property
    def ways(self) -> Ways:
        return Ways(self.graph, self.slug, self.entries)

    @cached_property
    def by_name(self) -> Mapping[str, GraphNode]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every definition that a node uses, and what those need in turn."""
        return tuple(use for node in self.nodes for use in self._uses_of(node))

    @cached_property
    def texts(self) -> Mapping[int, tuple[Written, ...]]:
        """Per node every text that may hold references. None for a node whose settings aren't valid yet."""
        found = {node.number: list(texts_of_node(node.node)) if node.node else [] for node in self.nodes}
        for use in self.uses:
            if use.definition is not None:
                found[use.node.number] += texts_of_definition(use.definition, use.setting)
        return {number: tuple(texts) for number, texts in found.items()}

    def did_you_mean(self, name: str, names: Iterable[str]) -> str:
        """A sentence that offers the name most like this one, with a blank after it; empty if none is like it."""
        among = frozenset(names)
        if (name, among) not in self._close:
            if len(self._close) >= MAX_SUGGESTIONS:
                return ""
            close = get_close_matches(name, sorted(among), n=1)
            self._close[name, among] = f"Did you mean “{close[0]}”? " if close else ""
        return self._close[name, among]

    def _uses_of(self, node: GraphNode) -> Iterator[Use]:
        if node.node is None:
            return
        settings = {value: setting for setting, value in node.settings.items() if isinstance(value, str)}
        waiting: list[tuple[str, str, Definition | None, str]] = [
            (kind, name, None, settings.get(name, "")) for kind, name in node.node.uses()
        ]
        seen: set[tuple[str, str]] = set()
        while waiting:
            kind, name, needed_by, setting = waiting.pop(0)
            if (kind, name) in seen:
                continue
            seen.add((kind, name))
            definition = self._find(kind, name)
            yield Use(node, setting, kind, name, definition, needed_by)
            if definition is not None:
                waiting += [(need, its, definition, setting) for need, its in definition.needs]

    def _find(self, kind: str, name: str) -> Definition | None:
        if (kind, name) not in self._found:
            self._found[kind, name] = self.catalog.find(kind, name)
        return self._found[kind, name]

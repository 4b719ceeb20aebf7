"""The ways through a graph: what can be reached, what leads to an end, and which names may be there at each node.

A name may be there if it is set on any way to the node. Sets of names are integers, one bit per name: five hundred
nodes are compared in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from flows.engine.graph import RESERVED, Graph, GraphNode, Jump
from flows.engine.protocols import Entry

WORDS = frozenset(("true", "false", "null", "and", "or", "not"))
"""Reserved because the language reads them otherwise; no names at all."""

PER_ITEM = frozenset(("item", "index"))
"""There only while a setting is filled in once per item."""

GIVEN = RESERVED - WORDS - PER_ITEM
"""There at every node, whatever way led to it."""


class Ways:
    """The ways through one graph, from its start and from every entry."""

    def __init__(self, graph: Graph, slug: str, entries: Iterable[Entry]) -> None:
        self._nodes = graph.nodes
        self._slug = slug
        self._starts = graph.starts
        self._entries = tuple(entry for entry in entries if entry.step in graph.nodes)

    @cached_property
    def begins(self) -> frozenset[int]:
        """The nodes that a run can begin at, or come to from another flow."""
        return frozenset(self._starts) | {entry.step for entry in self._entries}

    @cached_property
    def reachable(self) -> frozenset[int]:
        return _closure(self.begins, {number: self.after(node) for number, node in self._nodes.items()})

    @cached_property
    def ending(self) -> frozenset[int]:
        """The nodes from which an end, or another flow, can be reached."""
        before: dict[int, list[int]] = {number: [] for number in self._nodes}
        for number, node in self._nodes.items():
            for target in self.after(node):
                before[target].append(number)
        ends = (number for number, node in self._nodes.items() if is_end(node) or self._leaves(node))
        return _closure(ends, before)

    def reach(self, number: int) -> frozenset[int]:
        """The nodes that a run can come to from that one, it included."""
        return _closure((number,), {number: self.after(node) for number, node in self._nodes.items()})

    def after(self, node: GraphNode) -> list[int]:
        """The nodes that come next, by an exit or by a jump back into this flow."""
        return [*self._next(node), *self._jumps_back(node)]

    def names_at(self, number: int) -> frozenset[str]:
        """The names that may be there when that node runs."""
        bits = self._before[number]
        return GIVEN | {name for name, bit in self._bits.items() if bits & bit}

    def knows(self, number: int, name: str) -> bool:
        """Whether that name may be there when that node runs."""
        return name in GIVEN or bool(self._before[number] & self._bits.get(name, 0))

    @cached_property
    def variables(self) -> Mapping[str, tuple[int, ...]]:
        """The variables that nodes of this graph set, and which nodes do."""
        found: dict[str, tuple[int, ...]] = {}
        for number, node in self._nodes.items():
            for name in dict.fromkeys(node.node_type.sets(node.settings)):
                found[name] = (*found.get(name, ()), number)
        return found

    def leaving(self, number: int) -> frozenset[str]:
        """The variables that may come along when a run leaves that node for another flow.

        Those that other flows brought count wherever they entered: what leads there may lead round again.
        """
        bits = (self._before[number] | self._set_by(self._nodes[number])) & self._union(self.variables)
        return self.brought | {name for name, bit in self._bits.items() if bits & bit}

    @cached_property
    def brought(self) -> frozenset[str]:
        """The variables that jumps from other flows bring along."""
        return frozenset(name for entry in self._entries for name in entry.variables)

    @cached_property
    def _bits(self) -> Mapping[str, int]:
        outputs = (node.name for node in self._nodes.values() if node.node_type.OUTPUTS)
        names = dict.fromkeys((*self.variables, *sorted(self.brought), *outputs))
        return {name: 1 << at for at, name in enumerate(names)}

    @cached_property
    def _before(self) -> Mapping[int, int]:
        """Per node the names on any way to it: grows along the exits until nothing changes."""
        before = dict.fromkeys(self._nodes, 0)
        for entry in self._entries:
            before[entry.step] |= self._union(entry.variables)
        carried = self._union(self.brought) | self._union(self.variables)
        sets = {number: self._set_by(node) for number, node in self._nodes.items()}
        waiting = dict.fromkeys(sorted(self.reachable))
        while waiting:
            number = next(iter(waiting))
            del waiting[number]
            node, bits = self._nodes[number], before[number] | sets[number]
            steps = [(target, bits) for target in self._next(node)]
            steps += [(target, bits & carried) for target in (*self._jumps_back(node), *self._returns(node))]
            for target, brought in steps:
                if brought & ~before[target]:
                    before[target] |= brought
                    waiting[target] = None
        return before

    def _set_by(self, node: GraphNode) -> int:
        own = (node.name,) if node.node_type.OUTPUTS else ()
        return self._union((*own, *node.node_type.sets(node.settings)))

    def _union(self, names: Iterable[str]) -> int:
        bits = 0
        for name in names:
            bits |= self._bits[name]
        return bits

    def _next(self, node: GraphNode) -> Iterator[int]:
        return (target for target in node.exits.values() if isinstance(target, int))

    def _jumps_back(self, node: GraphNode) -> Iterator[int]:
        jumps = (target for target in node.exits.values() if isinstance(target, Jump))
        return (jump.step for jump in jumps if jump.flow == self._slug and jump.step in self._nodes)

    def _returns(self, node: GraphNode) -> Iterator[int]:
        """Where a run may come back into this flow after the node's jumps to others."""
        out = {target.flow for target in node.exits.values() if isinstance(target, Jump)} - {self._slug}
        return (entry.step for entry in self._entries if out & entry.through)

    def _leaves(self, node: GraphNode) -> bool:
        jumps = (target for target in node.exits.values() if isinstance(target, Jump))
        return any(jump.flow != self._slug or jump.step not in self._nodes for jump in jumps)


def is_end(node: GraphNode) -> bool:
    """Whether the run ends with that node: it has no exits."""
    return not node.node_type.exits(node.settings)


def _closure(begins: Iterable[int], after: Mapping[int, Iterable[int]]) -> frozenset[int]:
    """Everything that can be come to from `begins`, they included."""
    seen = set(begins)
    waiting = list(seen)
    while waiting:
        new = [number for number in after[waiting.pop()] if number not in seen]
        seen.update(new)
        waiting += new
    return frozenset(seen)

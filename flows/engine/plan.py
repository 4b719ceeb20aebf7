"""Compile a content into a Plan: immutable, ready to run, kept by the hash of its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.engine.filling import Filling, filling_of
from flows.engine.graph import GraphNode, Jump, read_graph
from flows.engine.strictjson import JSON
from flows.engine.templates import Value, compile_value

Definitions = dict[str, dict[str, Any]]
"""Sealed definitions: kind → name → definition."""


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A node ready to run. `failure_exit` is where it leaves when its work fails; None: the run fails."""

    number: int
    type: str
    name: str
    title: str
    exits: Mapping[str, int | Jump | None]
    failure_exit: str | None
    filling: Filling | None
    not_ready: str
    reads_clock: bool
    reads_uuid: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled content. `sha256` names it."""

    sha256: str
    slug: str
    name: str
    kind: str
    environment: str
    nodes: Mapping[int, PlannedNode]
    definitions: Definitions
    _compiled: dict[int, Value] = field(default_factory=dict)

    def compiled(self, source: JSON) -> Value:
        """A part of `definitions`, compiled once. Only for objects that live as long as the plan."""
        value = self._compiled.get(id(source))
        if value is None:
            value = self._compiled[id(source)] = compile_value(source)
        return value


def compile_content(content: Mapping[str, Any], sha256: str) -> Plan:
    """The plan of a content (docs/architecture.md). Raises GraphRefused where today's code can't read it."""
    graph = read_graph(content["nodes"])
    nodes = {number: _plan_node(node) for number, node in graph.nodes.items()}
    flow = content["flow"]
    return Plan(sha256, flow["slug"], flow["name"], flow["kind"], content["environment"], nodes, content["definitions"])


def _plan_node(graph_node: GraphNode) -> PlannedNode:
    filling = filling_of(graph_node.node) if graph_node.node else None
    known = graph_node.node_type.exits(graph_node.settings)
    roots = {path[0] for path in filling.references} if filling else set()
    renders_definitions = graph_node.node is not None and any(graph_node.node.uses())
    not_ready = "; ".join(f"{problem.setting} {problem.reason}" for problem in graph_node.problems)
    return PlannedNode(
        number=graph_node.number,
        type=graph_node.type,
        name=graph_node.name,
        title=graph_node.title,
        exits=graph_node.exits,
        failure_exit=next((name for name in reversed(known) if name in ("no", "other")), None),
        filling=filling,
        not_ready=not_ready,
        reads_clock="now" in roots or renders_definitions,
        reads_uuid="uuid" in roots or renders_definitions,
    )

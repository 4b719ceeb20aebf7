"""Read the nodes of a flow file into a Graph: strictly where the file would be broken, leniently where a draft may be unfinished.

A broken record, an unknown type, setting or exit name, an exit to a missing node, a number or name that is there
twice: GraphRefused. A missing or wrong setting: kept, as a problem of that node (docs/flow-file.md).
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from flows.engine import references
from flows.engine.cases import CaseRecord
from flows.engine.errors import GraphRefused
from flows.engine.limits import MAX_CONTENT_BYTES, MAX_FLOW_EXPRESSION_CHARS, MAX_NODE_NUMBER, MAX_NODES
from flows.engine.node import EXIT_PATTERN, NODE_TYPES, Node
from flows.engine.records import NAME_PATTERN, SLUG_PATTERN, Record, place_of, sentence
from flows.engine.strictjson import JSON, dumps_bytes, loads

RESERVED = frozenset(
    [
        "payload",
        "query",
        "query_all",
        "headers",
        "route",
        "run",
        "contact",
        "now",
        "uuid",
        "item",
        "index",
        "true",
        "false",
        "null",
        "and",
        "or",
        "not",
    ]
)
"""Names that mean something already; a node or variable called so is a clash."""

R = TypeVar("R", bound=BaseModel)


class Jump(Record):
    """A step of another flow."""

    flow: str = Field(pattern=SLUG_PATTERN, description="Slug of the other flow.")
    step: int = Field(ge=1, le=MAX_NODE_NUMBER, description="Number of the step to enter at.")


ExitName = Annotated[str, Field(pattern=EXIT_PATTERN)]


class NodeRecord(Record):
    """A node as the file has it."""

    number: int = Field(
        ge=1, le=MAX_NODE_NUMBER, description="Given in the order of adding, kept for ever, never reused."
    )
    type: str = Field(description="One of the node types (docs/nodes.md).")
    name: str | None = Field(None, pattern=NAME_PATTERN, description="Unique; default `<type>_<number>`.")
    label: str = Field("", max_length=200, description="For people.")
    settings: dict[str, Any] = Field(default_factory=dict, description="As the node type declares them.")
    exits: dict[ExitName, Annotated[int, Field(ge=1)] | Jump | None] = Field(
        default_factory=dict, description="Exit name to node number, step of another flow, or null (a placeholder)."
    )


def _is_one(value: int) -> int:
    if value != 1:
        raise ValueError("should be 1")
    return value


FormatOne = Annotated[int, AfterValidator(_is_one), Field(json_schema_extra={"const": 1})]
"""A Literal would take true for 1."""


class FlowFile(Record):
    """A flow as a file. `cases` travel with it and stay outside the sealed content."""

    format: FormatOne
    slug: str = Field(pattern=SLUG_PATTERN, max_length=64, description="Names the flow within its entity.")
    name: str = Field(min_length=1, max_length=200)
    kind: Literal["dynamic_api", "standard"] = "dynamic_api"
    last_number: int | None = Field(
        None, ge=1, le=MAX_NODE_NUMBER, description="The highest number ever given; default: the highest here."
    )
    nodes: list[NodeRecord] = Field(min_length=1, max_length=MAX_NODES)
    cases: list[CaseRecord] = Field(default_factory=list, max_length=500)


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that isn't right yet: where in the settings, and why."""

    setting: str
    reason: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node in a graph. `node` is None where its settings aren't valid yet; `problems` then says why."""

    number: int
    type: str
    name: str
    label: str
    settings: Mapping[str, Any]
    exits: Mapping[str, int | Jump | None]
    node: Node | None
    problems: tuple[Problem, ...]

    @property
    def node_type(self) -> builtins.type[Node]:
        return NODE_TYPES[self.type]

    @property
    def title(self) -> str:
        """How people see it: `3 Look up customer`."""
        return f"{self.number} {self.label or self.name}"


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by number, in the order of the file."""

    nodes: Mapping[int, GraphNode]

    @property
    def starts(self) -> tuple[int, ...]:
        return tuple(n.number for n in self.nodes.values() if n.type == "start")


def read_file(text: str | bytes) -> tuple[FlowFile, dict[str, Any], Graph]:
    """Read a flow file: the checked file, the JSON as written, and its graph. Raises GraphRefused or JSONRefused."""
    if len(text if isinstance(text, bytes) else text.encode(errors="surrogatepass")) > MAX_CONTENT_BYTES:
        raise GraphRefused("", f"the file is larger than {MAX_CONTENT_BYTES} bytes; keep data behind an API")
    raw = loads(text)
    if not isinstance(raw, dict):
        raise GraphRefused("", 'a flow file is a JSON object: {"format": 1, …}')
    file = _checked(FlowFile, raw, "")
    graph = _build(file.nodes, raw["nodes"])
    _check_numbers_kept(file, graph)
    _check_cases(file.cases, [node.name for node in graph.nodes.values()])
    return file, raw, graph


def read_graph(nodes: JSON) -> Graph:
    """Read the `nodes` list alone, as drafts and contents hold it. Raises GraphRefused."""
    if not isinstance(nodes, list) or not nodes:
        raise GraphRefused("nodes", "a flow has a list of nodes, with a start node at least")
    if len(nodes) > MAX_NODES:
        raise GraphRefused("nodes", f"{len(nodes)} nodes are more than the {MAX_NODES} a flow may have; split the flow")
    if len(dumps_bytes(nodes)) > MAX_CONTENT_BYTES:
        raise GraphRefused("nodes", f"the nodes are larger than {MAX_CONTENT_BYTES} bytes; keep data behind an API")
    records = [_checked(NodeRecord, raw, f"nodes[{index}]") for index, raw in enumerate(nodes)]
    return _build(records, nodes)


def _build(records: Sequence[NodeRecord], raws: Sequence[Any]) -> Graph:
    _check_expressions(raws)
    nodes: dict[int, GraphNode] = {}
    names: dict[str, int] = {}
    for index, (record, raw) in enumerate(zip(records, raws, strict=True)):
        place = f"nodes[{index}]"
        if record.type not in NODE_TYPES:
            raise GraphRefused(f"{place}.type", f"there is no node type {record.type!r}", hint=_known(NODE_TYPES))
        if record.number in nodes:
            raise GraphRefused(f"{place}.number", f"number {record.number} is there twice; numbers are never reused")
        name = record.name or f"{record.type}_{record.number}"
        if name in names:
            raise GraphRefused(f"{place}.name", f"the name {name!r} is node {names[name]}'s already; names are unique")
        names[name] = record.number
        node, problems = _read_settings(record.type, raw.get("settings", {}), f"{place}.settings")
        exits = {
            key: (Jump(**value) if isinstance(value, dict) else value) for key, value in raw.get("exits", {}).items()
        }
        _check_exit_names(record.type, raw.get("settings", {}), exits, place)
        nodes[record.number] = GraphNode(
            record.number, record.type, name, record.label, raw.get("settings", {}), exits, node, problems
        )
    _check_exit_targets(records, nodes)
    return Graph(nodes)


def _check_expressions(raws: Sequence[Any]) -> None:
    _, chars = references.measured(list(raws))
    if chars > MAX_FLOW_EXPRESSION_CHARS:
        limit = f"the {MAX_FLOW_EXPRESSION_CHARS} a flow may have"
        raise GraphRefused("nodes", f"{chars} characters between braces are more than {limit}; split the flow")


def _check_exit_names(type_name: str, settings: Mapping[str, Any], exits: Mapping[str, Any], place: str) -> None:
    known = NODE_TYPES[type_name].exits(settings)
    for exit_name in exits:
        if exit_name not in known:
            hint = f"Its exits are: {', '.join(known)}." if known else "It has no exits: the flow ends there."
            raise GraphRefused(f"{place}.exits.{exit_name}", f"{_a(type_name)} has no exit {exit_name!r}", hint=hint)


def _check_exit_targets(records: Sequence[NodeRecord], nodes: Mapping[int, GraphNode]) -> None:
    for index, record in enumerate(records):
        for exit_name, target in nodes[record.number].exits.items():
            if isinstance(target, int) and target not in nodes:
                raise GraphRefused(f"nodes[{index}].exits.{exit_name}", f"there is no node {target}")


def _check_numbers_kept(file: FlowFile, graph: Graph) -> None:
    highest = max(graph.nodes)
    if file.last_number is not None and file.last_number < highest:
        raise GraphRefused("last_number", f"{file.last_number} is below node {highest}; it is the highest ever given")


def _check_cases(cases: Sequence[CaseRecord], nodes: Sequence[str]) -> None:
    seen: set[str] = set()
    for index, case in enumerate(cases):
        if case.name in seen:
            raise GraphRefused(f"cases[{index}].name", f"the case {case.name!r} is there twice")
        seen.add(case.name)
        for name in case.stand_ins:
            if name not in nodes:
                hint = f"The nodes are: {', '.join(nodes[:20])}."
                raise GraphRefused(f"cases[{index}].stand_ins.{name}", f"there is no node {name!r}", hint=hint)


def _read_settings(type_name: str, settings: Mapping[str, Any], place: str) -> tuple[Node | None, tuple[Problem, ...]]:
    if too_much := references.problem_of(dict(settings)):
        return None, (Problem("", f"have too much to fill in: {too_much}; spread it over several steps"),)
    try:
        return NODE_TYPES[type_name].model_validate(settings), ()
    except ValidationError as error:
        details = error.errors(include_url=False)
        unknown = [detail for detail in details if detail["type"] == "extra_forbidden"]
        if unknown:
            loc = unknown[0]["loc"]
            known = _known(NODE_TYPES[type_name].model_fields) if len(loc) == 1 else ""
            reason = f"{_a(type_name)} has no such setting"
            raise GraphRefused(place_of(loc, place), reason, hint=known) from None
        return None, tuple(Problem(place_of(detail["loc"], ""), sentence(detail)) for detail in details)


def _checked(model: type[R], raw: Any, place: str) -> R:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        detail = _telling(error.errors(include_url=False))
        loc = [part for part in detail["loc"] if part not in _CHOICES]
        raise GraphRefused(place_of(loc, place), sentence(detail)) from None


_CHOICES = ("Jump", "constrained-int")
"""What pydantic calls the two forms of an exit's target."""


def _telling(details: Sequence[ErrorDetails]) -> ErrorDetails:
    """The first error; of the two forms that an exit may have, the one that its author came closer to."""
    first = details[0]["loc"]
    if first[-1] not in _CHOICES:
        return details[0]
    return max(
        (each for each in details if each["loc"][: len(first) - 1] == first[:-1]), key=lambda each: len(each["loc"])
    )


def _a(type_name: str) -> str:
    """`an api_end node`."""
    return f"{'an' if type_name[0] in 'aeiou' else 'a'} {type_name} node"


def _known(names: Mapping[str, Any]) -> str:
    return f"Known: {', '.join(names)}." if names else "It has none."

"""Drive the engine as its host does, without a database: plans from nodes, a door that goes nowhere, whole runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import flows.nodes  # noqa: F401
from flows.engine.errors import NodeError, RunError
from flows.engine.graph import Graph, read_graph
from flows.engine.limits import MAX_SYNC_STEPS
from flows.engine.loop import Failed, Finished, Jumped, Result, advance, enter
from flows.engine.node import End, Signal
from flows.engine.plan import Plan, compile_content
from flows.engine.protocols import Answer, Call
from flows.engine.state import State, Step, read_state
from flows.engine.strictjson import canonical, dumps, loads
from flows.pretend import PretendDoor

RUN_ID = "0192f0c1-2b3a-7c4d-8e5f-a1b2c3d4e5f6"
BEGAN_AT = "2026-01-31T09:30:00.000Z"


class TestDoor(PretendDoor):
    """A PretendDoor whose key definitions hold their material as text; `notes`, by node name, go with its answers."""

    __test__ = False

    def __init__(self, stand_ins: Mapping[str, Any] | None = None, notes: Mapping[str, str] | None = None) -> None:
        super().__init__(stand_ins)
        self.notes = notes or {}

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        return replace(super().call(call, definitions), note=self.notes.get(call.node, ""))

    def key(self, definition: dict[str, Any]) -> bytes:
        if "material" not in definition:
            raise NodeError("The key isn't there.", code="no_key")
        return str(definition["material"]).encode()


def content(nodes: list[Any], definitions: Mapping[str, Any] | None = None, *, slug: str = "tried") -> dict[str, Any]:
    """The content of a flow, as it is sealed."""
    about = {"slug": slug, "name": slug, "kind": "dynamic_api", "entity": "demo"}
    return {
        "format": 1,
        "flow": about,
        "environment": "sandbox",
        "nodes": nodes,
        "definitions": dict(definitions or {}),
    }


def plan_of(nodes: list[Any], definitions: Mapping[str, Any] | None = None, *, slug: str = "tried") -> Plan:
    """The compiled plan of such a content."""
    made = content(nodes, definitions, slug=slug)
    return compile_content(made, hashlib.sha256(canonical(made).encode()).hexdigest())


def graph_of(*nodes: dict[str, Any]) -> Graph:
    return read_graph(list(nodes))


def node(number: int, type_name: str, settings: dict[str, Any] | None = None, **exits: Any) -> dict[str, Any]:
    """A node of a file, in one line."""
    made: dict[str, Any] = {"number": number, "type": type_name, "settings": settings or {}, "exits": exits}
    return made


@dataclass
class Driven:
    """A run: what came of it, its steps, and the calls it made."""

    result: Result
    state: State
    trace: list[Step]
    door: PretendDoor

    @property
    def end(self) -> End:
        assert isinstance(self.result, Finished), self.result
        return self.result.end

    @property
    def error(self) -> RunError:
        assert isinstance(self.result, Failed), self.result
        return self.result.error

    @property
    def path(self) -> list[list[Any]]:
        return [[step.number, step.exit] for step in self.trace]


@dataclass
class Host:
    """What flows.runs does, in memory: goes from flow to flow, and keeps a run that stops as JSON alone."""

    plans: Mapping[str, Plan] = field(default_factory=dict)
    door: PretendDoor = field(default_factory=TestDoor)
    max_steps: int = MAX_SYNC_STEPS
    between: Callable[[], None] | None = None
    last: Driven = field(init=False)
    """The run that was worked on last, also where it was stopped."""

    def start(self, plan: Plan, names: Mapping[str, Any] | None = None, *, step: int = 1, step_at: str = "") -> Driven:
        given = {"run": {"id": RUN_ID, "started_at": BEGAN_AT}, **(names or {})}
        state = State(run_id=RUN_ID, given=given, plan=plan.sha256, cursor=step, step_at=step_at)
        return self.go(plan, Driven(Failed(RunError("")), state, [], self.door))

    def resume(self, plan: Plan, stopped: Driven, signal: Signal | None = None) -> Driven:
        """Go on with nothing but JSON of what was: as another process does."""
        saved = loads(dumps(stopped.state.as_json()))
        state = read_state(RUN_ID, loads(dumps(stopped.state.given)), saved)
        return self.go(plan, Driven(stopped.result, state, [], self.door), signal)

    def go(self, plan: Plan, run: Driven, signal: Signal | None = None) -> Driven:
        self.last = run
        while True:
            run.result = advance(
                plan, run.state, self.door, run.trace, max_steps=self.max_steps, between=self.between, signal=signal
            )
            if not isinstance(run.result, Jumped):
                return run
            plan, signal = self.plans[run.result.to.flow], None
            enter(plan, run.state, run.result.to.step)


def call_json(call: Call) -> dict[str, Any]:
    """What would go out, without what is empty or the same in every case."""
    told: dict[str, Any] = {"method": call.method, "path": call.path}
    if call.query:
        told["query"] = [list(pair) for pair in call.query]
    if call.headers:
        told["headers"] = [list(pair) for pair in call.headers]
    if call.body_type:
        told["body_type"], told["body"] = call.body_type, call.body
    return told


def cases_in(folder: Path) -> dict[str, Any]:
    """Golden files by name, without their ending."""
    return {path.stem: loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}

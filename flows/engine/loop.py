"""The loop: take a plan step by step until the run ends, waits, leaves for another flow, or fails.

Life of a run: front door → flows.runs → here → node → answer. Between two steps everything is in `state`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from flows.engine import clock
from flows.engine.budget import KEPT_PER_UNIT, MEASURED_PER_UNIT, Budget
from flows.engine.errors import FlowError, LimitReached, NodeError, RunError
from flows.engine.graph import RESERVED, Jump
from flows.engine.limits import MAX_VARIABLES_BYTES
from flows.engine.node import End, Outcome, Signal, Wait
from flows.engine.plan import Plan, PlannedNode
from flows.engine.protocols import Answer, Call, Door
from flows.engine.state import State, Step
from flows.engine.strictjson import JSON
from flows.engine.values import Size, measure


@dataclass(frozen=True, slots=True)
class Finished:
    """The run reached an end node."""

    end: End


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run waits; call `advance` with a Signal when one comes, at `until` (RFC 3339) at the latest."""

    until: str


@dataclass(frozen=True, slots=True)
class Jumped:
    """The run goes on in another flow: find its plan, then `enter` it."""

    to: Jump


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ended badly. `error` has the code, the HTTP status, the sentence and the hint."""

    error: RunError


Result = Finished | Waiting | Jumped | Failed


class Run:
    """The run as a node sees it, during one step."""

    __slots__ = ("_door", "_plan", "_state", "_step", "budget", "names", "node")

    def __init__(self, plan: Plan, state: State, door: Door) -> None:
        self._plan, self._state, self._door = plan, state, door
        self.budget = Budget(state.work_left)
        self.names: dict[str, JSON] = {**state.given, **state.variables, **state.outputs}
        self.node: PlannedNode
        self._step: Step

    @property
    def now(self) -> str:
        """When this step began, RFC 3339 in UTC. The same when the step is done again."""
        return self._state.step_at

    def is_connected(self, exit_name: str) -> bool:
        """Whether that exit of this node leads anywhere."""
        return self.node.exits.get(exit_name) is not None

    def definition(self, kind: str, name: str) -> dict[str, Any]:
        """A definition sealed into the content. Raises NodeError where it isn't there."""
        found = self._plan.definitions.get(kind, {}).get(name)
        if found is None:
            raise NodeError(f"There is no {kind} called {name!r}.", code=f"unknown_{kind}", hint=f"Choose a {kind}.")
        return dict(found)

    def render(self, source: JSON) -> JSON:
        """A part of a sealed definition with its references filled in. Raises LanguageError."""
        return self._plan.compiled(source).render(self.names, self.budget)

    def key(self, name: str) -> bytes:
        """The material of a Key, by its name."""
        return self._door.key(self.definition("key", name))

    def call(self, **wanted: Any) -> Answer:
        """Make an outside call (the fields of protocols.Call). Raises NodeError where no answer came."""
        key = f"{self._state.run_id}:{self._state.position}:{len(self._step.calls)}"
        call = Call(**wanted, key=key, node=self.node.name)
        record: dict[str, JSON] = {"key": key, "connection": call.connection, "method": call.method, "path": call.path}
        began = perf_counter_ns()
        self._step.calls.append(record)
        try:
            answer = self._door.call(call, self._plan.definitions)
        except NodeError as error:
            record["error"] = error.code
            raise
        finally:
            record["microseconds"] = (perf_counter_ns() - began) // 1000
        record["code"] = answer.code
        if answer.pretended:
            record["pretended"] = True
        if answer.note:
            record["note"] = answer.note
        return answer


def advance(
    plan: Plan,
    state: State,
    door: Door,
    trace: list[Step],
    *,
    max_steps: int,
    between: Callable[[], None] | None = None,
    signal: Signal | None = None,
) -> Result:
    """Run on from where `state` stands; `state` and `trace` are kept up to date at every step boundary.

    `between` is called before each step; what it raises, and what the door raises beyond NodeError, stops the run at
    that boundary and reaches the caller. `signal` ends a wait; without one a run that waits goes on waiting.
    """
    if state.waiting_until and signal is None:
        return Waiting(state.waiting_until)
    run = Run(plan, state, door)
    sizes = {name: _size(value).chars for name, value in {**state.variables, **state.outputs}.items()}
    try:
        while True:
            if between is not None:
                between()
            if state.position >= max_steps:
                raise LimitReached(
                    f"The run took {max_steps} steps without coming to an end.",
                    code="too_many_steps",
                    hint="Look for a loop whose condition is never met.",
                )
            result = _take_step(run, plan, state, trace, sizes, signal)
            if result is not None:
                return result
            signal = None
    except RunError as error:
        return Failed(error)


def enter(plan: Plan, state: State, step: int) -> None:
    """Go on in another flow's plan: variables come along, node outputs don't."""
    state.plan, state.cursor, state.outputs = plan.sha256, step, {}


def _take_step(
    run: Run, plan: Plan, state: State, trace: list[Step], sizes: dict[str, int], signal: Signal | None
) -> Result | None:
    """One visit to one node. Returns None where the run goes on at `state.cursor`."""
    node = plan.nodes.get(state.cursor)
    if node is None:
        raise RunError(
            f"Flow {plan.slug} has no step {state.cursor}.", code="CT04", hint="Enter at a step that is there."
        )
    if not state.step_at:
        state.step_at = clock.now()
    step = Step(state.position, node.number, node.name, node.type, plan.slug)
    run.node, run._step = node, step
    began = perf_counter_ns()
    try:
        outcome = _execute(run, state, node, step, signal)
        if isinstance(outcome, Outcome):
            _keep(run, state, node, outcome, sizes)
        elif isinstance(outcome, Wait):
            _keep(run, state, node, Outcome("", outcome.outputs), sizes)
    except RunError as error:
        step.error = _error_json(error)
        step.microseconds = (perf_counter_ns() - began) // 1000
        trace.append(step)
        raise
    step.microseconds = (perf_counter_ns() - began) // 1000
    state.work_left = run.budget.left
    trace.append(step)
    state.position += 1
    state.step_at = state.waiting_until = ""
    if isinstance(outcome, Wait):
        step.outputs = dict(outcome.outputs)
        state.waiting_until = clock.rfc3339(outcome.until)
        return Waiting(state.waiting_until)
    if isinstance(outcome, End):
        step.outputs = {"status": outcome.status, "body": outcome.body}
        return Finished(outcome)
    step.exit, step.outputs = outcome.exit, {**outcome.variables, **outcome.outputs}
    return _follow(state, node, outcome, step)


def _execute(run: Run, state: State, node: PlannedNode, step: Step, signal: Signal | None) -> Outcome | End | Wait:
    """Fill in and execute; a failure becomes an Outcome by the node's failure exit, if it has one."""
    if node.filling is None:
        raise RunError(f"Step {node.title} isn't set up: {node.not_ready}.", hint="Complete its settings.")
    try:
        if node.reads_clock:
            run.names["now"] = state.step_at
        if node.reads_uuid:
            run.names["uuid"] = clock.step_uuid(state.run_id, state.position)
        run.budget.begin_step()
        filled, step.inputs = node.filling.fill(run.names, run.budget)
        outcome = filled.execute(run) if signal is None else filled.resume(run, signal)
    except RunError:
        raise
    except FlowError as error:
        outcome = _failure(node, error)
    if isinstance(outcome, Outcome) and isinstance(outcome.error, FlowError):
        step.error = _error_json(outcome.error)
    return outcome


def _failure(node: PlannedNode, error: FlowError) -> Outcome:
    if node.failure_exit is not None:
        return Outcome(node.failure_exit, error=error)
    timed_out = error.code == "timed_out"
    raise RunError(
        f"Step {node.title} failed: {error.message}",
        code="CT12" if timed_out else "CT21",
        status=504 if timed_out else 500,
        hint=error.hint,
    ) from error


def _keep(run: Run, state: State, node: PlannedNode, outcome: Outcome, sizes: dict[str, int]) -> None:
    """Put what a node produced where later nodes read it, within the limit on the sum."""
    produced: dict[str, JSON] = dict(outcome.variables)
    taken = RESERVED.intersection(produced)
    if taken:
        raise RunError(f"Step {node.title} sets {min(taken)!r}, which is a reserved name.", hint="Choose another name.")
    state.variables.update(produced)
    if outcome.outputs:
        produced[node.name] = state.outputs[node.name] = dict(outcome.outputs)
    elif outcome.error is not None:
        _forget(run, state, node, sizes)
    if not produced:
        return
    run.names.update(produced)
    held = sum(size for name, size in sizes.items() if name not in produced)
    for name, value in produced.items():
        size = _size(value)
        sizes[name] = size.chars
        held += size.chars
        if held > MAX_VARIABLES_BYTES:
            raise LimitReached(
                f"The run holds more than {MAX_VARIABLES_BYTES} bytes of variables and outputs after step {node.title}.",
                code="too_much_data",
                hint="Keep only what the flow needs: a base element on the endpoint, fewer fields.",
            )
        run.budget.spend(size.chars // KEPT_PER_UNIT + size.nodes // MEASURED_PER_UNIT)


def _size(value: JSON) -> Size:
    """About, and counted no further than a run may hold."""
    return measure(value, MAX_VARIABLES_BYTES)


def _forget(run: Run, state: State, node: PlannedNode, sizes: dict[str, int]) -> None:
    """A step that failed leaves nothing behind of an earlier visit that didn't."""
    if state.outputs.pop(node.name, None) is not None:
        del run.names[node.name], sizes[node.name]


def _follow(state: State, node: PlannedNode, outcome: Outcome, step: Step) -> Result | None:
    """Set the cursor to where the exit leads."""
    target = node.exits.get(outcome.exit)
    if isinstance(target, int):
        state.cursor = target
        return None
    if isinstance(target, Jump):
        return Jumped(target)
    because = f" It left that way because: {step.error['message']}" if step.error else ""
    raise RunError(
        f"Step {node.title} left by {outcome.exit!r}, which leads nowhere.{because}",
        code="CT04",
        hint=f"Connect the exit {outcome.exit!r} of step {node.title}.",
    )


def _error_json(error: FlowError) -> dict[str, JSON]:
    kept: Mapping[str, str] = {"code": error.code, "message": error.message, "hint": error.hint}
    return {key: value for key, value in kept.items() if value}

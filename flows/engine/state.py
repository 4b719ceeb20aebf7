"""Where a run stands: JSON at every step boundary, so that it can stop anywhere and go on in another process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flows.engine.limits import MAX_WORK
from flows.engine.strictjson import JSON


@dataclass(slots=True)
class State:
    """`given` is what the request brought; it is kept with the run, not here. `position` counts the steps taken.

    `step_at` is when the step at `position` began (RFC 3339, UTC): doing that step again reads the same clock.
    `waiting_until` is set while a wait is on. A visit that waits is two steps: up to the wait, and from its end on.
    """

    run_id: str
    given: dict[str, JSON]
    plan: str
    cursor: int
    position: int = 0
    variables: dict[str, JSON] = field(default_factory=dict)
    outputs: dict[str, JSON] = field(default_factory=dict)
    work_left: int = MAX_WORK
    step_at: str = ""
    waiting_until: str = ""

    def as_json(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "plan": self.plan,
            "cursor": self.cursor,
            "position": self.position,
            "variables": self.variables,
            "outputs": self.outputs,
            "work_left": self.work_left,
            "step_at": self.step_at,
            "waiting_until": self.waiting_until,
        }


def read_state(run_id: str, given: dict[str, JSON], saved: dict[str, Any]) -> State:
    """The state that `as_json` wrote."""
    return State(run_id=run_id, given=given, **saved)


@dataclass(slots=True)
class Step:
    """One visit to a node, as the trace keeps it."""

    position: int
    number: int
    name: str
    type: str
    flow: str
    exit: str = ""
    microseconds: int = 0
    inputs: dict[str, JSON] = field(default_factory=dict)
    outputs: dict[str, JSON] = field(default_factory=dict)
    calls: list[dict[str, JSON]] = field(default_factory=list)
    error: dict[str, JSON] | None = None

    def as_json(self) -> dict[str, JSON]:
        """Everything that isn't empty, in reading order."""
        kept: dict[str, JSON] = {
            "position": self.position,
            "number": self.number,
            "name": self.name,
            "type": self.type,
            "flow": self.flow,
            "exit": self.exit,
            "microseconds": self.microseconds,
        }
        more: dict[str, Any] = {"in": self.inputs, "out": self.outputs, "calls": self.calls, "error": self.error}
        kept.update((key, value) for key, value in more.items() if value)
        return kept

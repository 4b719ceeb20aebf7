"""A node may wait: the run stops as JSON and goes on in another process, with what ended the wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from pydantic import Field

from flows.engine.errors import NodeError
from flows.engine.loop import Run, Waiting
from flows.engine.node import NODE_TYPES, End, Node, Outcome, Signal, Text, Wait
from flows.engine.plan import Plan
from flows.engine.strictjson import dumps, loads
from tests.flows.driving import BEGAN_AT, RUN_ID, Driven, Host, TestDoor, node, plan_of

pytestmark = pytest.mark.pure


class Doorbell(Node):
    """Wait for somebody to ring; only for these tests."""

    TYPE = "doorbell"
    LABEL = "Doorbell"
    WORDS: ClassVar[tuple[str, ...]] = ("bell",)

    seconds: int = Field(60, description="How long.")
    says: Text = Field("", description="A text that is filled in before and after the wait.")
    twice: bool = Field(False, description="Wait once more.")

    def execute(self, run: Run) -> Wait:
        run.call(connection="bell", method="POST", path="/ready")
        until = datetime.fromisoformat(run.now) + timedelta(seconds=self.seconds)
        return Wait(until, {"url": f"/callbacks/{run.node.number}", "said": self.says})

    def resume(self, run: Run, signal: Signal) -> Outcome | Wait | End:
        if not signal.came:
            raise NodeError("Nobody rang.", code="too_late")
        if self.twice and signal.body == "again":
            return Wait(datetime.fromisoformat(run.now) + timedelta(seconds=self.seconds))
        run.call(connection="bell", method="POST", path="/thanks")
        return Outcome("yes", {"body": signal.body, "said": self.says})


@pytest.fixture(autouse=True)
def _doorbell() -> Iterator[None]:
    NODE_TYPES["doorbell"] = Doorbell
    yield
    del NODE_TYPES["doorbell"]


def waiting_plan(**settings: object) -> Plan:
    said = "{{ n }} for {{ payload.who }}"
    return plan_of(
        [
            node(1, "set_variable", {"assignments": [{"name": "n", "value": 3}]}, yes=2),
            node(2, "doorbell", {"says": said, **settings}, yes=3, no=4),
            node(3, "api_end", {"body": ["{{ doorbell_2.body }}", "{{ doorbell_2.said }}"]}),
            node(4, "api_end", {"status": 408, "body": "{{ doorbell_2.said }}"}),
        ]
    )


def stopped(plan: Plan) -> Driven:
    run = Host().start(plan, {"payload": {"who": "Ann"}})
    assert isinstance(run.result, Waiting)
    return run


def test_a_run_waits_with_what_it_has_put_out_so_far() -> None:
    run = stopped(waiting_plan())
    assert run.state.waiting_until == run.result.until  # type: ignore[union-attr]
    assert run.state.outputs["doorbell_2"] == {"url": "/callbacks/2", "said": "3 for Ann"}
    assert run.path == [[1, "yes"], [2, ""]]
    assert run.trace[1].outputs["url"] == "/callbacks/2"
    assert run.trace[1].calls[0]["path"] == "/ready"


def test_the_wait_ends_by_the_clock_of_its_step() -> None:
    plan = plan_of([node(2, "doorbell", {"seconds": 90}, yes=2)])
    run = Host().start(plan, step=2, step_at=BEGAN_AT)
    assert isinstance(run.result, Waiting)
    assert run.result.until == "2026-01-31T09:31:30.000Z"


def test_a_run_goes_on_in_another_process_when_the_signal_comes() -> None:
    plan = waiting_plan()
    before = stopped(plan)
    after = Host().resume(waiting_plan(), before, Signal(came=True, body={"ok": True}))
    assert after.end.body == [{"ok": True}, "3 for Ann"]
    assert after.path == [[2, "yes"], [3, ""]]
    assert after.state.waiting_until == ""


def test_a_run_that_nobody_calls_back_leaves_by_no() -> None:
    after = Host().resume(waiting_plan(), stopped(waiting_plan()), Signal(came=False))
    assert after.end.status == 408
    assert after.trace[0].error == {"code": "too_late", "message": "Nobody rang."}


def test_calls_before_and_after_a_wait_have_keys_of_their_own() -> None:
    before = stopped(waiting_plan())
    after = Host().resume(waiting_plan(), before, Signal(came=True))
    keys = [call.key for call in (*before.door.calls, *after.door.calls)]
    assert keys == [f"{RUN_ID}:1:0", f"{RUN_ID}:2:0"]
    assert [step.position for step in (*before.trace, *after.trace)] == [0, 1, 2, 3]


def test_without_a_signal_a_run_that_waits_goes_on_waiting() -> None:
    before = stopped(waiting_plan())
    again = Host().resume(waiting_plan(), before)
    assert again.result == before.result
    assert again.trace == []
    assert again.state == before.state


def test_a_node_may_wait_again() -> None:
    plan = waiting_plan(twice=True)
    before = stopped(plan)
    between = Host().resume(plan, before, Signal(came=True, body="again"))
    assert isinstance(between.result, Waiting)
    assert between.state.outputs["doorbell_2"]["url"] == "/callbacks/2"  # type: ignore[index,call-overload]
    after = Host().resume(plan, between, Signal(came=True, body="now"))
    assert after.end.body == ["now", "3 for Ann"]
    assert [step.position for step in (*before.trace, *between.trace, *after.trace)] == [0, 1, 2, 3, 4]


def test_going_on_that_was_cut_short_can_be_done_again() -> None:
    """A process that dies while it goes on leaves the state as it was: waiting."""
    before = stopped(waiting_plan())
    saved = dumps(before.state.as_json())

    class Dying(TestDoor):
        def call(self, *_: object) -> None:  # type: ignore[override]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Host(door=Dying()).resume(waiting_plan(), before, Signal(came=True, body=1))
    assert loads(saved) == loads(dumps(before.state.as_json()))
    assert Host().resume(waiting_plan(), before, Signal(came=True, body=1)).end.body == [1, "3 for Ann"]

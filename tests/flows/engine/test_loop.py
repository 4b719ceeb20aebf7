"""The loop takes a plan step by step to its end, within its limits, and tells the story of every step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from flows.engine import clock
from flows.engine.errors import RunError
from flows.engine.limits import MAX_WORK
from flows.engine.loop import Failed, Jumped, advance, enter
from flows.engine.state import State
from tests.flows.driving import BEGAN_AT, RUN_ID, Driven, Host, TestDoor, node, plan_of

pytestmark = pytest.mark.pure


def assign(name: str, value: Any) -> dict[str, Any]:
    return {"assignments": [{"name": name, "value": value}]}


def counting(to: int, body: Any = "{{ n }}") -> list[Any]:
    """A loop that counts."""
    return [
        node(1, "set_variable", assign("n", "{{ n + 1 }}"), yes=2),
        node(2, "calculate", {"expression": f"n >= {to}"}, yes=3, no=1),
        node(3, "api_end", {"body": body}),
    ]


def count(to: int, **more: Any) -> Driven:
    host = Host(**more)
    plan = plan_of([node(4, "start", next=5), node(5, "set_variable", assign("n", 0), yes=1), *counting(to)])
    return host.start(plan, step=4)


def test_a_run_goes_from_step_to_step_to_its_end() -> None:
    run = count(2)
    assert run.end.body == 2
    assert run.path == [[4, "next"], [5, "yes"], [1, "yes"], [2, "no"], [1, "yes"], [2, "yes"], [3, ""]]
    assert [step.position for step in run.trace] == list(range(7))
    assert run.state.position == 7


def test_a_run_may_enter_at_any_step() -> None:
    plan = plan_of([node(1, "start", next=2), node(2, "api_end", {"body": "{{ payload.a }}"})])
    run = Host().start(plan, {"payload": {"a": 1}}, step=2)
    assert run.path == [[2, ""]]
    assert run.end.body == 1


def test_the_trace_shows_what_went_in_and_what_came_out() -> None:
    plan = plan_of(
        [
            node(1, "calculate", {"expression": "payload.a + 1"}, yes=2),
            node(2, "api_end", {"body": ["{{ calculate_1.result }}"]}),
        ]
    )
    steps = [step.as_json() for step in Host().start(plan, {"payload": {"a": 1}}).trace]
    assert all(isinstance(step.pop("microseconds"), int) for step in steps)
    about = {"flow": "tried", "position": 0, "number": 1, "name": "calculate_1", "type": "calculate"}
    assert steps[0] == {**about, "exit": "yes", "in": {"expression": 2}, "out": {"result": 2}}
    assert steps[1]["in"] == {"body": [2]}
    assert steps[1]["out"] == {"status": 200, "body": [2]}


def test_a_step_that_fails_leaves_by_no_with_the_error_on_the_step() -> None:
    plan = plan_of([node(1, "calculate", {"expression": "1 / 0"}, no=2), node(2, "api_end")])
    run = Host().start(plan)
    assert run.path == [[1, "no"], [2, ""]]
    assert run.trace[0].error is not None
    assert run.trace[0].error["code"] == "arithmetic"
    assert run.trace[0].error["hint"]


def test_a_step_that_fails_leaves_nothing_behind_of_an_earlier_visit() -> None:
    nodes = [
        node(1, "calculate", {"expression": "10 / payload.list[n]"}, yes=2, no=3),
        node(2, "set_variable", assign("n", "{{ n + 1 }}"), yes=1),
        node(3, "api_end", {"body": "{{ calculate_1.result }}"}),
        node(4, "set_variable", assign("n", 0), yes=1),
    ]
    run = Host().start(plan_of(nodes), {"payload": {"list": [5, 2, 0]}}, step=4)
    assert run.path[-2:] == [[1, "no"], [3, ""]]
    assert run.end.body is None


def test_a_placeholder_that_is_reached_fails_the_run() -> None:
    run = Host().start(plan_of([node(1, "calculate", {"expression": "1 / 0"}, yes=1, no=None)]))
    assert (run.error.code, run.error.status) == ("CT04", 500)
    assert "because" in run.error.message
    assert "'no'" in run.error.hint
    assert run.path == [[1, "no"]]


def test_a_step_that_is_not_there_fails_the_run() -> None:
    run = Host().start(plan_of([node(1, "start", next=1)]), step=9)
    assert (run.error.code, run.error.status) == ("CT04", 500)


def test_a_step_that_is_not_set_up_fails_the_run_and_says_what_is_missing() -> None:
    run = Host().start(plan_of([node(1, "start", next=2), node(2, "calculate", {}, yes=1)]))
    assert run.error.code == "CT21"
    assert "expression is missing" in run.error.message
    assert [step.number for step in run.trace] == [1, 2]


def test_an_end_that_cannot_be_written_fails_the_run() -> None:
    run = Host().start(plan_of([node(1, "api_end", {"body": "{{ 1 / 0 }}"})]))
    assert (run.error.code, run.error.status) == ("CT21", 500)
    assert run.error.hint
    assert run.trace[0].error is not None


def test_a_loop_that_never_ends_is_stopped() -> None:
    run = count(10**6, max_steps=200)
    assert run.error.code == "too_many_steps"
    assert run.error.status == 500
    assert len(run.trace) == 200


def test_the_last_step_that_is_allowed_may_be_the_end() -> None:
    assert count(2, max_steps=7).end.body == 2
    assert count(2, max_steps=6).error.code == "too_many_steps"


def test_a_run_may_not_hold_more_data_than_the_limit() -> None:
    nodes = [
        node(1, "set_variable", assign("all", ["{{ all }}", "{{ all }}", "{{ payload.text }}"]), yes=1, no=None),
    ]
    run = Host().start(plan_of(nodes), {"payload": {"text": "x" * 10_000}})
    assert run.error.code == "too_much_data"
    assert run.trace[-1].error is not None


def test_a_run_may_not_do_more_work_than_the_limit() -> None:
    line = {"items": "{{ payload.items }}", "line": "{{ item | upper }} {{ index * index }}"}
    nodes = [node(1, "display_list", line, yes=1, no=None)]
    run = Host().start(plan_of(nodes), {"payload": {"items": ["x"] * 5_000}})
    assert run.error.code == "too_much_work"
    assert 0 < len(run.trace) < 200


@pytest.mark.parametrize(
    ("type_name", "settings"),
    [
        ("set_variable", assign("a", "{{ payload.items }}")),
        ("condition", {"left": "{{ payload.items }}", "operator": "contains", "right": 2, "data_type": "number"}),
        ("switch_case", {"value": "{{ payload.items }}", "cases": [{"exit": "same", "value": "{{ payload.items }}"}]}),
    ],
)
def test_going_through_large_lists_is_work(type_name: str, settings: dict[str, Any]) -> None:
    exits = {"same": 1} if type_name == "switch_case" else {"yes": 1, "no": 1}
    run = Host().start(plan_of([node(1, type_name, settings, **exits)]), {"payload": {"items": [1] * 20_000}})
    assert run.error.code == "too_much_work"
    assert 1 < len(run.trace) < 200


def test_work_is_counted_over_the_whole_run() -> None:
    plan = plan_of([*counting(50), node(4, "set_variable", assign("n", 0), yes=1)])
    run = Host().start(plan, step=4)
    assert 0 < run.state.work_left < MAX_WORK
    again = Host().start(plan, step=4)
    assert again.state.work_left == run.state.work_left


def test_a_run_can_stop_between_any_two_steps_and_go_on_elsewhere() -> None:
    body = {"n": "{{ n }}", "r": "{{ calculate_2.result }}"}
    plan = plan_of([*counting(3, body), node(4, "set_variable", assign("n", 0), yes=1)])
    whole = Host().start(plan, step=4)
    run = Driven(
        whole.result, State(run_id=RUN_ID, given=whole.state.given, plan=plan.sha256, cursor=4), [], TestDoor()
    )
    path: list[Any] = []
    for _ in whole.path:
        host = Host(between=_stop_before_the_second_step())
        with contextlib.suppress(Stopped):
            run = host.resume(plan, run)
        run.state, run.trace = host.last.state, host.last.trace
        path += run.path
    assert path == whole.path
    assert run.result == whole.result


class Stopped(Exception):
    pass


def _stop_before_the_second_step() -> Callable[[], None]:
    steps = iter([True])

    def between() -> None:
        if not next(steps, False):
            raise Stopped

    return between


def test_what_between_raises_reaches_the_caller_and_the_step_is_not_taken() -> None:
    class OutOfTime(Exception):
        pass

    def between() -> None:
        raise OutOfTime

    plan = plan_of([node(1, "api_end")])
    state = State(run_id=RUN_ID, given={}, plan=plan.sha256, cursor=1)
    with pytest.raises(OutOfTime):
        advance(plan, state, TestDoor(), [], max_steps=10, between=between)
    assert (state.position, state.cursor) == (0, 1)


def test_what_the_door_raises_beyond_node_errors_stops_the_run_before_the_step() -> None:
    class HandOver(Exception):
        pass

    class Closing(TestDoor):
        def call(self, call: Any, definitions: Any) -> Any:
            raise HandOver

    endpoint = {"connection": "c", "method": "GET", "path": "/", "query": [], "headers": [], "body": None}
    endpoint |= {"body_type": "none", "decides": "code", "base_element": "", "timeout_seconds": 5, "repeat": "safe"}
    plan = plan_of(
        [node(1, "api_integration", {"endpoint": "e"}, yes=2), node(2, "api_end")], {"endpoint": {"e": endpoint}}
    )
    state = State(run_id=RUN_ID, given={}, plan=plan.sha256, cursor=1)
    trace: list[Any] = []
    with pytest.raises(HandOver):
        advance(plan, state, Closing(), trace, max_steps=10)
    assert (state.position, state.cursor, trace) == (0, 1, [])
    first_at = state.step_at
    door = TestDoor({"api_integration_1": {"code": 200}})
    advance(plan, state, door, trace, max_steps=10)
    assert [call.key for call in door.calls] == [f"{RUN_ID}:0:0"]
    assert door.calls[0].node == "api_integration_1"
    assert trace[0].calls[0]["code"] == 200
    assert first_at


def test_the_trace_tells_why_an_answer_could_not_be_read() -> None:
    endpoint = {"connection": "c", "method": "GET", "path": "/", "query": [], "headers": [], "body": None}
    endpoint |= {"body_type": "none", "decides": "code", "base_element": "r.x", "timeout_seconds": 5, "repeat": "safe"}
    nodes = [node(1, "api_integration", {"endpoint": "e"}, yes=2), node(2, "api_end")]
    plan = plan_of(nodes, {"endpoint": {"e": endpoint}})
    step = Host(door=TestDoor(notes={"api_integration_1": "It isn't JSON."})).start(plan).trace[0]
    assert (step.calls[0]["note"], step.error) == (
        "It isn't JSON.",
        {"code": "bad_answer", "message": "It isn't JSON."},
    )
    step = Host(door=TestDoor()).start(plan).trace[0]
    assert "note" not in step.calls[0]
    assert step.error is not None
    assert "r.x" in str(step.error["message"])


def test_a_bug_reaches_the_caller() -> None:
    class Broken(TestDoor):
        def call(self, call: Any, definitions: Any) -> Any:
            raise ZeroDivisionError

    plan = plan_of([node(1, "api_integration", {"endpoint": "e"}, yes=1)], {"endpoint": {"e": {"path": "/"}}})
    state = State(run_id=RUN_ID, given={}, plan=plan.sha256, cursor=1)
    with pytest.raises(KeyError):
        advance(plan, state, Broken(), [], max_steps=10)


def test_doing_a_step_again_reads_the_same_clock_and_the_same_uuid() -> None:
    plan = plan_of(
        [
            node(1, "set_variable", assign("a", ["{{ now }}", "{{ uuid }}"]), yes=2),
            node(2, "api_end", {"body": "{{ uuid }}"}),
        ]
    )
    first = Host().start(plan, step_at=BEGAN_AT)
    second = Host().start(plan, step_at=BEGAN_AT)
    assert first.state.variables["a"] == [BEGAN_AT, clock.step_uuid(RUN_ID, 0)] == second.state.variables["a"]
    assert first.end.body == clock.step_uuid(RUN_ID, 1)


# --- From flow to flow --------------------------------------------------------------------------------------------------


def two_flows() -> tuple[Any, Any]:
    here = [
        node(1, "set_variable", assign("kept", "{{ payload.a }}"), yes=2),
        node(2, "calculate", {"expression": "1 + 1"}, yes={"flow": "there", "step": 3}),
    ]
    there = [
        node(1, "start", next=3),
        node(3, "api_end", {"body": ["{{ kept }}", "{{ calculate_2.result }}", "{{ payload.a }}"]}),
    ]
    return plan_of(here, slug="here"), plan_of(there, slug="there")


def test_variables_come_along_to_another_flow_and_outputs_do_not() -> None:
    here, there = two_flows()
    run = Host({"there": there}).start(here, {"payload": {"a": 7}})
    assert run.end.body == [7, None, 7]
    assert [(step.flow, step.number, step.position) for step in run.trace] == [
        ("here", 1, 0),
        ("here", 2, 1),
        ("there", 3, 2),
    ]
    assert run.state.plan == there.sha256


def test_the_jump_itself_is_a_result_that_the_host_follows() -> None:
    here, there = two_flows()
    state = State(run_id=RUN_ID, given={"payload": {"a": 1}}, plan=here.sha256, cursor=1)
    result = advance(here, state, TestDoor(), [], max_steps=10)
    assert isinstance(result, Jumped)
    assert (result.to.flow, result.to.step) == ("there", 3)
    assert "calculate_2" in state.outputs
    enter(there, state, result.to.step)
    assert (state.cursor, state.outputs, state.variables) == (3, {}, {"kept": 1})


def test_steps_count_over_all_flows_of_a_run() -> None:
    ping = plan_of([node(1, "set_variable", assign("a", 1), yes={"flow": "pong", "step": 1})], slug="ping")
    pong = plan_of([node(1, "set_variable", assign("a", 2), yes={"flow": "ping", "step": 1})], slug="pong")
    run = Host({"ping": ping, "pong": pong}, max_steps=20).start(ping)
    assert run.error.code == "too_many_steps"
    assert len(run.trace) == 20


def test_a_jump_to_a_step_that_is_gone_fails_the_run() -> None:
    here, _ = two_flows()
    run = Host({"there": plan_of([node(1, "start", next=1)], slug="there")}).start(here, {"payload": {}})
    assert run.error.code == "CT04"
    assert "there" in run.error.message


# --- Errors with the product's codes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stand_in", "outcomes", "code", "status"),
    [
        ({"fails": "timed_out"}, True, "CT12", 504),
        ({"fails": "could_not_connect"}, True, "CT51", 502),
        ({"code": 500}, True, "CT51", 502),
        ({"code": 500}, False, "CT04", 500),
        ({"fails": "timed_out"}, False, "CT04", 500),
    ],
)
def test_a_call_whose_answer_has_no_way_out_fails_the_run(
    stand_in: Any, outcomes: bool, code: str, status: int
) -> None:
    endpoint = {"connection": "c", "method": "GET", "path": "/", "query": [], "headers": [], "body": None}
    endpoint |= {"body_type": "none", "decides": "code", "base_element": "", "timeout_seconds": 5, "repeat": "safe"}
    settings: dict[str, Any] = {"endpoint": "e"}
    if outcomes:
        settings["outcomes"] = [{"exit": "found", "value": 200}]
    exits = {"found": 2} if outcomes else {"yes": 2}
    plan = plan_of([node(1, "api_integration", settings, **exits), node(2, "api_end")], {"endpoint": {"e": endpoint}})
    run = Host(door=TestDoor({"api_integration_1": stand_in})).start(plan)
    assert isinstance(run.result, Failed)
    assert (run.error.code, run.error.status) == (code, status)
    assert isinstance(run.error, RunError)
    assert run.trace[0].calls[0]["path"] == ""
    assert run.trace[0].error or stand_in.get("code")

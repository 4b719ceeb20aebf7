"""What one author wrote in one place holds up nobody else: a step has its own allowance, and what is large isn't begun."""

from __future__ import annotations

import pytest

from flows.engine import regex
from flows.engine.budget import Budget
from flows.engine.errors import FlowError, GraphRefused, LimitReached, NodeError
from flows.engine.graph import read_graph
from flows.engine.limits import (
    MAX_FLOW_EXPRESSION_CHARS,
    MAX_REFERENCES,
    MAX_RENDERED_CHARS,
    MAX_SHOWN_CHARS,
    MAX_STEP_EXPRESSION_CHARS,
    MAX_STEP_WORK,
    MAX_WORK,
)
from flows.engine.strictjson import dumps
from flows.engine.templates import compile_value
from flows.engine.values import measure
from tests.flows.driving import Host, node, plan_of

pytestmark = pytest.mark.pure


def run_step(type_name, payload, settings):
    nodes = [node(1, type_name, settings, yes=2, no=2), node(2, "api_end")]
    if type_name == "api_end":
        nodes = [node(1, type_name, settings)]
    return Host().start(plan_of(nodes), {"payload": payload})


def test_a_step_may_do_part_of_the_work_of_a_run():
    budget = Budget(MAX_WORK)
    budget.spend(MAX_STEP_WORK)
    with pytest.raises(LimitReached, match="The step"):
        budget.spend(1)
    budget.begin_step()
    budget.spend(MAX_STEP_WORK)


def test_the_last_step_may_do_what_the_run_has_left():
    budget = Budget(10)
    with pytest.raises(LimitReached, match="The run"):
        budget.spend(11)


def test_a_large_value_is_looked_at_no_further_than_can_be_paid_for():
    assert measure([[0] * 1_000] * 1_000, 10**9, 5_000).nodes < 8_000
    with pytest.raises(LimitReached):
        Budget(100).spend_looking([0] * 10**6)


@pytest.mark.parametrize(
    ("type_name", "settings"),
    [
        ("display_list", {"items": "{{ payload.l }}", "line": "x", "separator": "{{ payload.t }}"}),
        ("display_list", {"items": "{{ payload.l }}", "line": "{{ payload.t }}"}),
        ("display_list", {"items": "{{ payload.l }}", "line": "{{ item | json }}{{ payload.l | sum }}"}),
        ("set_variable", {"assignments": [{"name": f"v{n}", "value": "{{ payload.l }}"} for n in range(100)]}),
        ("set_variable", {"assignments": [{"name": f"v{n}", "value": "{{ payload.t }}!"} for n in range(100)]}),
        ("api_end", {"headers": [{"name": f"X-{n}", "value": "{{ payload.l }}"} for n in range(50)]}),
    ],
)
def test_a_step_that_would_swell_ends_before_it_does(type_name, settings):
    payload = {"l": list(range(20_000)), "t": "t" * (MAX_RENDERED_CHARS - 1)}
    run = run_step(type_name, payload, settings)
    errors = [step.error["code"] for step in run.trace if step.error]
    assert errors
    assert errors[0] in ("too_long", "too_much_work", "too_much_data", "text_too_long")


@pytest.mark.parametrize("pattern", [".{1000}x", "(a?b?){500}c", "(a|b)*a(a|b){200}"])
def test_a_pattern_that_would_take_long_on_a_text_is_not_tried(pattern):
    settings = {"value": "{{ payload.t }}", "pattern": pattern}
    assert run_step("regular_expression", {"t": "ab" * 100}, settings).trace[0].error is None
    assert run_step("regular_expression", {"t": "ab" * 30_000}, settings).trace[0].error["code"] == "too_long"


def test_a_class_of_letters_is_one_place_of_a_pattern():
    assert regex.work(r"[\pL '-]{1,100}", "Zoë O'Neill") < regex.MAX_MATCH_WORK / 100
    with pytest.raises(NodeError, match="too large"):
        regex.compiled(r"(\pL{1,100}){1,9}")


def test_too_many_references_in_a_step_are_an_issue_and_are_not_compiled():
    settings = {"assignments": [{"name": "v", "value": ["{{ a }}"] * (MAX_REFERENCES + 1)}]}
    read = read_graph([node(1, "set_variable", settings)]).nodes[1]
    assert read.node is None
    assert "references are more than the 1000" in read.problems[0].reason


@pytest.mark.parametrize("source", ["{{ a }}" * (MAX_REFERENCES + 1), "{{ " + "a + " * 4_096 + "a }}"])
def test_too_much_to_compile_in_a_text_is_a_problem_of_it(source):
    (problem,) = compile_value({"a": source}).problems
    assert problem.code == "bad_syntax"
    assert compile_value(source).problems
    with pytest.raises(FlowError):
        compile_value({"a": source}).render({}, Budget(MAX_WORK))


def test_a_flow_has_a_bound_for_all_its_expressions():
    much = "{{ " + "a" * (MAX_STEP_EXPRESSION_CHARS - 2) + " }}"
    count = MAX_FLOW_EXPRESSION_CHARS // len(much) + 3
    nodes = [node(n, "is_null", {"value": much}) for n in range(1, count)]
    with pytest.raises(GraphRefused, match="between braces"):
        read_graph(nodes)


def test_a_trace_shows_of_a_large_value_only_that_there_was_one():
    looks = node(1, "is_null", {"value": "{{ payload }}"}, yes=1, no=1)
    run = Host().start(plan_of([looks]), {"payload": {"text": "x" * MAX_SHOWN_CHARS}})
    assert run.error.code == "too_many_steps"
    assert run.trace[0].inputs == {"value": "… (more than 65,536 characters)"}
    assert len(dumps([step.as_json() for step in run.trace])) < 100_000
    run = Host().start(plan_of([looks]), {"payload": {"text": "x" * (MAX_SHOWN_CHARS - 10)}})
    assert len(run.trace[0].inputs["value"]["text"]) == MAX_SHOWN_CHARS - 10

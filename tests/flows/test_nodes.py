"""Every node type does what its golden cases say (nodes/<type>.json), and every node type has some.

A case has `settings`, `names` (what the run knows), `definitions`, `stand_ins` for calls by node name (`it` is the node),
`notes` on their answers, `unconnected` exits; and what comes of it: `exit`, or `end`, or `fails`; `error` (the code on the step), `outputs`,
`variables`, `calls`, `findings` (codes), `inputs` (what the trace shows). Left out: not there, but `inputs` and `exits`,
which are compared where they stand. An output that begins with `re:` is a pattern.

The cases of a released type are never edited: an approved flow relies on them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flows.engine.graph import read_graph
from flows.engine.loop import Failed, Finished
from flows.engine.node import NODE_TYPES, Filled, Node
from flows.engine.plan import Plan
from flows.engine.strictjson import canonical
from tests.flows.driving import BEGAN_AT, Driven, Host, TestDoor, call_json, cases_in, plan_of

pytestmark = pytest.mark.pure

GOLDEN = cases_in(Path(__file__).with_name("nodes"))
BUILT_IN = {
    name: node_type for name, node_type in NODE_TYPES.items() if node_type.__module__.startswith("flows.nodes.")
}
CASES = [pytest.param(name, case, id=f"{name}: {case['description']}") for name in GOLDEN for case in GOLDEN[name]]
AT_LEAST = 3


def test_every_node_type_has_golden_cases() -> None:
    few = [name for name in BUILT_IN if len(GOLDEN.get(name, [])) < AT_LEAST]
    assert not few, f"Write cases to tests/flows/nodes/<type>.json for: {', '.join(few)}."


def test_golden_cases_are_of_node_types_that_are_there() -> None:
    assert not set(GOLDEN) - set(BUILT_IN)


def test_golden_cases_have_descriptions_of_their_own() -> None:
    for name, cases in GOLDEN.items():
        told = [case["description"] for case in cases]
        assert len(told) == len(set(told)), name


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_node_does_what_its_cases_say(name: str, case: dict[str, Any]) -> None:
    plan, findings = _plan(name, case)
    run = Host(door=TestDoor(case.get("stand_ins"), case.get("notes"))).start(
        plan, case.get("names", {}), step_at=BEGAN_AT
    )
    expected = {key: value for key, value in case.items() if key not in _GIVEN}
    told = _told(run) | ({"findings": findings} if findings else {})
    if "inputs" in expected:
        told["inputs"] = run.trace[0].inputs
    _patterns_where_they_match(expected, told)
    assert canonical(told) == canonical(expected)


_GIVEN = ("description", "settings", "names", "definitions", "stand_ins", "notes", "unconnected", "exits")


def _plan(name: str, case: dict[str, Any]) -> tuple[Plan, list[str]]:
    """A flow of the node and an end to which all its exits lead."""
    settings = case.get("settings", {})
    exits = NODE_TYPES[name].exits(settings)
    if "exits" in case:
        assert list(exits) == case["exits"]
    connected = {exit_name: 2 for exit_name in exits if exit_name not in case.get("unconnected", ())}
    nodes: list[Any] = [
        {"number": 1, "type": name, "name": "it", "settings": settings, "exits": connected},
        {"number": 2, "type": "api_end", "name": "end"},
    ]
    node = read_graph(nodes).nodes[1].node
    assert node is not None, read_graph(nodes).nodes[1].problems
    return plan_of(nodes, case.get("definitions")), [finding.code for finding in node.findings()]


def _told(run: Driven) -> dict[str, Any]:
    """What came of it, in the words of a case."""
    step = run.trace[0]
    told: dict[str, Any] = {}
    if len(run.trace) == 1 and isinstance(run.result, Finished):
        end = run.result.end
        told["end"] = {"status": end.status, "headers": [list(pair) for pair in end.headers], "body": end.body}
    elif len(run.trace) == 1 and isinstance(run.result, Failed):
        told["fails"] = {"code": run.result.error.code, "status": run.result.error.status}
    else:
        told["exit"] = step.exit
    more = {
        "error": (step.error or {}).get("code"),
        "outputs": run.state.outputs.get("it"),
        "variables": run.state.variables,
        "calls": [call_json(call) for call in run.door.calls],
    }
    return told | {key: value for key, value in more.items() if value}


def _patterns_where_they_match(expected: dict[str, Any], told: dict[str, Any]) -> None:
    outputs, got = expected.get("outputs", {}), told.get("outputs", {})
    for key, value in outputs.items():
        if isinstance(value, str) and value.startswith("re:") and re.fullmatch(value[3:], str(got.get(key))):
            got[key] = value


@pytest.mark.parametrize("node_type", BUILT_IN.values(), ids=BUILT_IN.keys())
def test_a_node_type_tells_people_what_it_is(node_type: type[Node]) -> None:
    assert node_type.LABEL
    assert node_type.GROUP in ("Start", "Action", "Integration", "End")
    assert node_type.__doc__
    assert node_type.WORDS
    for name, field in node_type.model_fields.items():
        assert field.description, f"The setting {name} needs a description."


@pytest.mark.parametrize("node_type", BUILT_IN.values(), ids=BUILT_IN.keys())
def test_a_node_type_has_no_floating_point_setting(node_type: type[Node]) -> None:
    assert '"type": "number"' not in str(node_type.model_json_schema()).replace("'", '"')


@pytest.mark.parametrize("node_type", BUILT_IN.values(), ids=BUILT_IN.keys())
def test_exits_are_told_whatever_the_settings_are(node_type: type[Node]) -> None:
    for settings in ({}, *({name: bad} for name in node_type.model_fields for bad in (None, 1, "x", [1, {"exit": 2}]))):
        assert all(isinstance(name, str) for name in node_type.exits(settings))
        assert all(isinstance(name, str) for name in node_type.sets(settings))


@pytest.mark.parametrize("node_type", BUILT_IN.values(), ids=BUILT_IN.keys())
def test_settings_that_are_filled_in_stand_at_the_top_or_in_a_group(node_type: type[Node]) -> None:
    """A mark inside of a union or a list would be lost, and the reference sent out as it stands."""
    for name, field in node_type.model_fields.items():
        assert "Filled(" not in str(field.annotation), name
        assert sum(isinstance(mark, Filled) for mark in field.metadata) <= 1, name

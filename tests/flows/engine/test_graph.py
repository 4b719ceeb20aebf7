"""A flow file is read strictly where it would be broken, and leniently where a draft may be unfinished."""

from __future__ import annotations

from typing import Any, get_args

import pytest

import flows.nodes  # noqa: F401
from flows.engine.cases import Failure
from flows.engine.errors import FlowError, GraphRefused
from flows.engine.graph import Jump, read_file, read_graph
from flows.engine.limits import MAX_CONTENT_BYTES, MAX_NODES
from flows.engine.strictjson import dumps
from integrations.outbound import FailureCode
from tests.flows.driving import node

pytestmark = pytest.mark.pure

START = node(1, "start", next=2)
END = node(2, "api_end")


def a_file(*nodes: Any, **more: Any) -> dict[str, Any]:
    return {"format": 1, "slug": "order-update", "name": "Order update", "nodes": list(nodes) or [START, END], **more}


def refusal(file: Any) -> str:
    with pytest.raises(GraphRefused) as caught:
        read_file(dumps(file))
    return f"{caught.value.place}: {caught.value.reason}"


def test_a_file_is_read() -> None:
    file, raw, graph = read_file(dumps(a_file(last_number=7)))
    assert (file.slug, file.kind, file.last_number) == ("order-update", "dynamic_api", 7)
    assert raw["nodes"][0]["exits"] == {"next": 2}
    assert graph.nodes[2].name == "api_end_2"
    assert graph.nodes[2].title == "2 api_end_2"
    assert graph.starts == (1,)


def test_exits_lead_to_a_node_to_another_flow_or_to_nothing() -> None:
    jump = {"flow": "other-flow", "step": 3}
    _, _, graph = read_file(dumps(a_file(START, node(2, "calculate", {"expression": "1"}, yes=jump, no=None))))
    assert graph.nodes[1].exits == {"next": 2}
    assert graph.nodes[2].exits == {"yes": Jump(flow="other-flow", step=3), "no": None}


REFUSED = {
    "another format": (a_file(format=2), "format: should be 1"),
    "a format that is true": (a_file(format=True), "format: should be a whole number"),
    "no slug": ({"format": 1, "name": "x", "nodes": [START, END]}, "slug: is missing"),
    "a slug with blanks": (
        a_file(slug="a b"),
        "slug: should be small letters and digits, with single hyphens between them",
    ),
    "an unknown key": (a_file(version=1), "version: is not a key we know"),
    "no nodes": ({**a_file(), "nodes": []}, "nodes: should not be empty"),
    "nodes that are no list": ({**a_file(), "nodes": {}}, "nodes: should be a list"),
    "a node that is no object": (a_file(START, 2), "nodes[1]: should be an object"),
    "an unknown key of a node": (a_file({**START, "x": 1}, END), "nodes[0].x: is not a key we know"),
    "an unknown type": (a_file(START, node(2, "teleport")), "nodes[1].type: there is no node type 'teleport'"),
    "a number that is there twice": (
        a_file(START, node(1, "api_end")),
        "nodes[1].number: number 1 is there twice; numbers are never reused",
    ),
    "number zero": (a_file(node(0, "start")), "nodes[0].number: should be 1 or more"),
    "a number beyond any": (a_file(node(10**9, "start")), "nodes[0].number: should be 1000000 or less"),
    "a number that is text": (a_file({**START, "number": "1"}, END), "nodes[0].number: should be a whole number"),
    "a name that is there twice": (
        a_file({**START, "name": "a"}, {**END, "name": "a"}),
        "nodes[1].name: the name 'a' is node 1's already; names are unique",
    ),
    "a default name that is taken": (
        a_file({**START, "name": "api_end_2"}, END),
        "nodes[1].name: the name 'api_end_2' is node 1's already; names are unique",
    ),
    "a name that is no identifier": (
        a_file({**START, "name": "a-b"}, END),
        "nodes[0].name: should be letters, digits and _, at most 64, not beginning with a digit",
    ),
    "an unknown exit": (a_file(node(1, "start", yes=2), END), "nodes[0].exits.yes: a start node has no exit 'yes'"),
    "an exit of an end": (
        a_file(START, node(2, "api_end", next=1)),
        "nodes[1].exits.next: an api_end node has no exit 'next'",
    ),
    "an exit to a missing node": (a_file(node(1, "start", next=9), END), "nodes[0].exits.next: there is no node 9"),
    "an exit to itself by name": (
        a_file(node(1, "start", next="start"), END),
        "nodes[0].exits.next: should be a whole number",
    ),
    "a jump without a step": (
        a_file(node(1, "start", next={"flow": "a"}), END),
        "nodes[0].exits.next.step: is missing",
    ),
    "an unknown setting": (
        a_file(START, node(2, "api_end", {"stat": 1})),
        "nodes[1].settings.stat: an api_end node has no such setting",
    ),
    "an unknown setting in a group": (
        a_file(START, node(2, "api_end", {"headers": [{"name": "a", "value": "b", "x": 1}]})),
        "nodes[1].settings.headers[0].x: an api_end node has no such setting",
    ),
    "a last number below a node's": (
        a_file(last_number=1),
        "last_number: 1 is below node 2; it is the highest ever given",
    ),
    "two cases of one name": (
        a_file(cases=[{"name": "a"}, {"name": "a"}]),
        "cases[1].name: the case 'a' is there twice",
    ),
    **{
        f"a case with {about}": (a_file(cases=[{"name": "a", **case}]), f"cases[0].{said}")
        for about, case, said in (
            ("an unknown part of the request", {"request": {"foo": 1}}, "request.foo: is not a key we know"),
            ("a header that is no text", {"request": {"headers": {"a": 5}}}, "request.headers.a: should be text"),
            ("a misspelt stand-in", {"stand_ins": {"c": {"cod": 1}}}, "stand_ins.c.cod: is not a key we know"),
            ("a code that is text", {"stand_ins": {"c": {"code": "x"}}}, "stand_ins.c.code: should be a whole number"),
            ("a code beyond any", {"stand_ins": {"c": {"code": 600}}}, "stand_ins.c.code: should be 599 or less"),
            ("a stand-in that is a number", {"stand_ins": {"c": 5}}, "stand_ins.c: should be an object"),
            ("a stand-in that is null", {"stand_ins": {"c": None}}, "stand_ins.c: should be an object"),
            (
                "headers that are a number",
                {"stand_ins": {"c": {"code": 200, "headers": 5}}},
                "stand_ins.c.headers: should be an object",
            ),
            (
                "a failure with an answer",
                {"stand_ins": {"c": {"fails": "timed_out", "code": 200}}},
                "stand_ins.c: a call that fails has no code, data or headers",
            ),
            ("a stand-in for nobody", {"stand_ins": {"c": {}}}, "stand_ins.c: there is no node 'c'"),
            ("a status that is text", {"expected": {"status": "x"}}, "expected.status: should be a whole number"),
            ("a status below any", {"expected": {"status": 99}}, "expected.status: should be 200 or more"),
        )
    },
    "a list": ([], ': a flow file is a JSON object: {"format": 1, …}'),
    "too many nodes": (
        a_file(*(node(n, "api_end") for n in range(1, MAX_NODES + 2))),
        f"nodes: has {MAX_NODES + 1} items, and {MAX_NODES} are the most",
    ),
}


@pytest.mark.parametrize(("file", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_broken_file_is_refused_with_the_place_and_the_reason(file: Any, said: str) -> None:
    assert refusal(file).removeprefix(": ") == said.removeprefix(": ")


def test_a_call_may_fail_only_as_the_door_says() -> None:
    said = refusal(a_file(cases=[{"name": "a", "stand_ins": {"c": {"fails": "zzz"}}}]))
    assert said.startswith("cases[0].stand_ins.c.fails: should be 'call_not_built', 'bad_path'")
    assert set(get_args(FailureCode)) < set(get_args(Failure))


def test_a_case_is_read() -> None:
    answer = {"code": 404, "data": None, "headers": {"x-a": "b"}}
    request = {"payload": [1], "query": {"page": "2"}, "headers": {"x-b": "c"}}
    expected = {"status": 404, "headers": {}, "body": None}
    case = {"name": "a", "request": request, "stand_ins": {"api_end_2": answer}, "expected": expected}
    assert read_file(dumps(a_file(cases=[case])))[0].cases[0].model_dump(exclude_unset=True) == case


def test_between_a_reason_and_what_to_do_stands_a_full_stop() -> None:
    with pytest.raises(GraphRefused) as caught:
        read_file(dumps(a_file(START, node(2, "api_end", next=1))))
    said = "nodes[1].exits.next: an api_end node has no exit 'next'. It has no exits: the flow ends there."
    assert f"{caught.value.message} {caught.value.hint}" == said


def test_a_file_is_refused_by_its_bytes_not_by_its_characters() -> None:
    with pytest.raises(GraphRefused, match="larger than"):
        read_file(dumps(a_file()) + " " * MAX_CONTENT_BYTES)
    with pytest.raises(GraphRefused, match="larger than"):
        read_file(dumps(a_file(START, node(2, "api_end", {"body": "é" * (MAX_CONTENT_BYTES // 2)}))))


def test_text_that_is_no_json_is_refused() -> None:
    for text in ("", "{", "[1,]", '{"a": 1, "a": 2}', "nope", '{"format": 1e999}'):
        with pytest.raises(FlowError):
            read_file(text)


def test_settings_that_are_missing_or_wrong_are_problems_of_the_node() -> None:
    graph = read_graph([START, node(2, "calculate"), node(3, "api_end", {"status": "200", "headers": [{"name": ""}]})])
    assert [(p.setting, p.reason) for p in graph.nodes[2].problems] == [("expression", "is missing")]
    assert graph.nodes[2].node is None
    assert [(p.setting, p.reason) for p in graph.nodes[3].problems] == [
        ("status", "should be a whole number"),
        ("headers[0].name", "should not be empty"),
        ("headers[0].value", "is missing"),
    ]


def test_exits_of_branches_are_known_though_the_settings_are_not_complete() -> None:
    graph = read_graph([START, node(2, "switch_case", {"cases": [{"exit": "gold"}]}, gold=1, other=None)])
    assert graph.nodes[2].node is None
    assert graph.nodes[2].exits == {"gold": 1, "other": None}


def test_an_api_integration_without_outcomes_has_yes_and_no_with_outcomes_has_those_and_other() -> None:
    read_graph([node(1, "api_integration", {"endpoint": "a"}, yes=1, no=1)])
    read_graph([node(1, "api_integration", {"endpoint": "a", "outcomes": [{"exit": "x", "value": 1}]}, x=1, other=1)])
    with pytest.raises(GraphRefused, match=r"exits\.yes"):
        read_graph([node(1, "api_integration", {"endpoint": "a", "outcomes": [{"exit": "x", "value": 1}]}, yes=1)])


def test_the_nodes_of_a_draft_are_read_on_their_own() -> None:
    assert set(read_graph([START, END]).nodes) == {1, 2}
    for nodes, said in (([], "at least"), ({}, "at least"), ([node(n, "api_end") for n in range(1, 502)], "more than")):
        with pytest.raises(GraphRefused, match=said):
            read_graph(nodes)
    with pytest.raises(GraphRefused, match="larger than"):
        read_graph([node(1, "api_end", {"body": "x" * MAX_CONTENT_BYTES})])


def test_settings_never_change_after_they_were_read() -> None:
    node_read = read_graph([START, END]).nodes[2].node
    assert node_read is not None
    with pytest.raises(ValueError, match="frozen"):
        node_read.status = 500  # type: ignore[attr-defined]

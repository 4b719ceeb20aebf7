"""What goldens can't show: order, independence of Django, speed of growth, and that nothing of the real fields is missed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import flows.nodes  # noqa: F401
from flows.engine.filling import filling_of
from flows.engine.graph import read_graph
from flows.engine.limits import MAX_NODES
from flows.engine.node import NODE_TYPES
from flows.issues import KINDS, check
from flows.issues.base.texts import texts_of_node
from tests.flows.issues.fake import FakeCatalog

pytestmark = pytest.mark.pure


def checked(nodes: list[dict[str, Any]], catalog: FakeCatalog | None = None) -> list[Any]:
    return check(read_graph(nodes), slug="order-update", kind="dynamic_api", catalog=catalog or FakeCatalog())


def calculate(number: int, expression: str, to: int) -> dict[str, Any]:
    return {
        "number": number,
        "type": "calculate",
        "name": f"sum_{number}",
        "settings": {"expression": expression},
        "exits": {"yes": to, "no": to},
    }


def test_issues_come_by_node_with_the_flow_first_and_errors_before_warnings() -> None:
    nodes = [
        {"number": 4, "type": "api_end", "settings": {"body": ["{{ nope }}", "payload.a"]}},
        {"number": 2, "type": "api_end", "settings": {"status": 1}},
        {"number": 3, "type": "start", "exits": {"next": 4}},
        {"number": 1, "type": "start", "exits": {}},
    ]
    found = [(issue.node, issue.severity, issue.code) for issue in checked(nodes)]
    assert found == sorted(found, key=lambda each: (each[0] or 0, each[1], each[2]))
    assert {code for _, _, code in found} >= {"start_twice", "setting_invalid", "unbraced_reference", "placeholder"}


def test_a_name_travels_through_many_nested_loops() -> None:
    """Every step leads back to the first one: the names of the last must come round."""
    nodes: list[dict[str, Any]] = [{"number": 1, "type": "start", "exits": {"next": 2}}]
    last = 60
    for number in range(2, last):
        nodes.append({**calculate(number, f"sum_{last - 1}.result", number + 1), "exits": {"yes": number + 1, "no": 2}})
    nodes.append({"number": last, "type": "api_end"})
    assert [issue for issue in checked(nodes) if issue.code == "unknown_reference"] == []


def test_as_many_names_as_a_flow_may_have_are_checked_at_every_node() -> None:
    nodes: list[dict[str, Any]] = [{"number": 1, "type": "start", "exits": {"next": 2}}]
    nodes += [calculate(number, f"sum_{number - 1}.result + {number}", number + 1) for number in range(2, MAX_NODES)]
    nodes.append(
        {"number": MAX_NODES, "type": "api_end", "settings": {"body": f"{{{{ sum_{MAX_NODES - 1}.result }}}}"}}
    )
    assert [(issue.node, issue.code) for issue in checked(nodes)] == [(2, "unknown_reference")]


def test_a_wrong_name_is_told_once_per_setting() -> None:
    nodes = [
        {"number": 1, "type": "start", "exits": {"next": 2}},
        {"number": 2, "type": "api_end", "settings": {"body": "{{ nope }} {{ nope }} {{ nope.x }}"}},
    ]
    assert [issue.code for issue in checked(nodes)] == ["unknown_reference"]


def test_many_wrong_names_are_told_with_few_suggestions() -> None:
    body = [f"{{{{ paylod_{number} }}}}" for number in range(300)]
    nodes = [
        {"number": 1, "type": "start", "exits": {"next": 2}},
        {"number": 2, "type": "api_end", "settings": {"body": body}},
    ]
    found = checked(nodes)
    assert len(found) == 300
    assert sum("Did you mean" in issue.hint for issue in found) <= 40


def test_titles_with_braces_stay_as_they_are() -> None:
    nodes = [{"number": 1, "type": "start", "label": "{step} {0} {{ x }}", "exits": {}}]
    assert all("1 {step} {0} {{ x }}" in issue.message for issue in checked(nodes))


@pytest.mark.parametrize("type_name", sorted(NODE_TYPES))
def test_no_text_that_a_run_would_fill_in_is_overlooked(type_name: str) -> None:
    """The places that are checked read what the engine reads."""
    for settings in _EXAMPLES.get(type_name, []):
        node = NODE_TYPES[type_name].model_validate(settings)
        seen = {path for written in texts_of_node(node) for path in written.compiled.references}
        assert seen == set(filling_of(node).references)


_EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "start": [{"recipient": "{{ payload.phone }}", "sample": "{{ not.read }}"}],
    "api_end": [
        {"headers": [{"name": "X-A", "value": "{{ a.b }}"}], "body": {"a": [{"b": "{{ c }}-{{ d }}"}], "{{ e }}": 1}}
    ],
    "calculate": [{"expression": "a + b.c"}],
    "set_variable": [{"assignments": [{"name": "x", "value": {"a": "{{ b }}"}}, {"name": "y", "value": "{{ c }}"}]}],
    "display_list": [
        {"items": "{{ a }}", "line": "{{ item.b }} {{ c }}", "keep": "item.d > e"},
        {"items": [], "line": "x"},
    ],
    "api_integration": [
        {
            "endpoint": "orders",
            "query": [{"name": "q", "value": "{{ a }}"}],
            "headers": [{"name": "X-A", "value": "{{ b }}"}],
            "body": {"c": "{{ c }}"},
        }
    ],
}


@given(text=st.text(alphabet="{}[]|.:'\"$ \npaylod_1Ä-+", max_size=80))
@example(text="[[lower:[[upper:payload]]]] {payload}} {{ '{{' }} payload[0].x")
def test_whatever_an_author_writes_is_answered_with_issues(text: str) -> None:
    nodes = [
        {"number": 1, "type": "start", "exits": {"next": 2}},
        {"number": 2, "type": "calculate", "settings": {"expression": text}, "exits": {"yes": 3, "no": 3}},
        {"number": 3, "type": "api_end", "settings": {"body": {"a": [text]}}},
    ]
    known = {"bad_expression", "unknown_filter", "unknown_reference", "unbraced_reference"}
    assert {issue.code for issue in checked(nodes)} <= known


def test_the_checks_work_without_django() -> None:
    program = "import sys, flows.issues; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_codes_are_snake_case_and_sentences_are_sentences() -> None:
    for kind in KINDS.values():
        assert kind.code == kind.code.lower().replace(" ", "_")
        assert kind.sentence[-1] in ".}", kind
        assert kind.sentence[0].isupper()

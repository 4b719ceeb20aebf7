"""The pages made from declarations are up to date, and what the flow file's page shows is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flows.engine import limits
from flows.engine.graph import read_file
from flows.engine.node import NODE_TYPES
from flows.engine.strictjson import dumps, loads
from flows.file_schema import file_schema
from flows.reference import DOCS, pages
from tests.flows.driving import cases_in, node

pytestmark = pytest.mark.pure

PAGE = (DOCS / "flow-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
FLOWS = [told["flow"] for told in cases_in(Path(__file__).with_name("runs")).values()]


@pytest.mark.parametrize("name", pages())
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], "Run: python -m flows.reference"


def test_every_node_type_is_on_the_page() -> None:
    page = pages()["nodes.md"]
    for name, node_type in NODE_TYPES.items():
        assert f'<a id="{name}"></a>\n## {node_type.LABEL}\n' in page
        for output in node_type.OUTPUTS:
            assert f"| `{output}` |" in page


def schema_problems(file: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(file_schema()).iter_errors(file)]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(file_schema())


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_page_are_read_and_meet_the_schema(text: str) -> None:
    _, raw, graph = read_file(text)
    assert not [problem for each in graph.nodes.values() for problem in each.problems]
    assert schema_problems(raw) == []


@pytest.mark.parametrize("file", FLOWS, ids=lambda file: file["slug"])
def test_flows_that_run_meet_the_schema(file: Any) -> None:
    assert schema_problems(file) == []


@pytest.mark.parametrize(
    "broken",
    [
        node(2, "teleport"),
        node(2, "calculate", {"expression": 1}),
        node(2, "calculate"),
        node(2, "calculate", {"expression": "1"}, maybe=2),
        node(2, "calculate", {"expression": "1"}, yes="3"),
        node(2, "api_end", {"status": 99}),
        node(2, "remap", {"value": "a", "mapping": [{"found": "a", "to": "b"}]}),
        {**node(2, "api_end"), "position": [1, 2]},
    ],
    ids=dumps,
)
def test_the_schema_refuses_what_is_wrong(broken: Any) -> None:
    file = {"format": 1, "slug": "a", "name": "a", "nodes": [node(1, "start", next=2), broken]}
    assert schema_problems(loads(dumps(file)))


def test_the_limits_on_the_page_are_the_limits() -> None:
    for told in (
        f"| nodes | {limits.MAX_NODES} |",
        f"| the file | {limits.MAX_CONTENT_BYTES // 2**20} MiB |",
        f"| numbers | 1 to {limits.MAX_NODE_NUMBER:,} |",
        f"{limits.MAX_TEMPLATE_CHARS // 1024} Ki characters",
        f"{limits.MAX_EXPRESSION_CHARS:,} characters, {limits.MAX_EXPRESSION_DEPTH} levels",
        f"{limits.MAX_SYNC_STEPS} while the caller waits, {limits.MAX_ASYNC_STEPS:,} otherwise",
        f"| variables and outputs of a run | {limits.MAX_VARIABLES_BYTES // 2**20} MiB |",
        f"more than {limits.MAX_JSON_DEPTH} levels",
    ):
        assert told in PAGE, told

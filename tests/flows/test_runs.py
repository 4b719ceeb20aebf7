"""Whole flows, from a request to the answer, as runs/*.json tell them.

A file has `flow` (a flow file), `others` that it jumps to, `definitions`, and `cases`: the `request` (what the flow
reads), `stand_ins` for calls by node name; and what comes of it: the `answer` or the `error`, the `path` of
[number, exit], and the `calls` made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.engine.graph import read_file
from flows.engine.loop import Failed
from flows.engine.plan import Plan
from flows.engine.strictjson import canonical, dumps
from tests.flows.driving import BEGAN_AT, Driven, Host, TestDoor, call_json, cases_in, plan_of

pytestmark = pytest.mark.pure

FLOWS = cases_in(Path(__file__).with_name("runs"))
CASES = [
    pytest.param(told, case, id=f"{name}: {case['description']}")
    for name, told in FLOWS.items()
    for case in told["cases"]
]


@pytest.mark.parametrize(("told", "case"), CASES)
def test_a_flow_answers_as_its_cases_say(told: dict[str, Any], case: dict[str, Any]) -> None:
    plans = {file["slug"]: _plan(file, told) for file in (told["flow"], *told.get("others", ()))}
    host = Host(plans, TestDoor(case.get("stand_ins")))
    run = host.start(plans[told["flow"]["slug"]], case["request"], step=case.get("step", 1), step_at=BEGAN_AT)
    expected = {key: value for key, value in case.items() if key not in ("description", "request", "stand_ins", "step")}
    assert canonical(_told(run, with_path="path" in case)) == canonical(expected)


def _plan(file: dict[str, Any], told: dict[str, Any]) -> Plan:
    """The plan of a file that is read as an import reads it, and whose nodes have no problems."""
    _, raw, graph = read_file(dumps(file))
    for node in graph.nodes.values():
        assert not node.problems, (node.title, node.problems)
        assert node.node is not None
        assert not [finding for finding in node.node.findings() if finding.severity == "error"], node.title
    return plan_of(raw["nodes"], told.get("definitions"), slug=file["slug"])


def _told(run: Driven, *, with_path: bool) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if isinstance(run.result, Failed):
        told["error"] = {"code": run.error.code, "status": run.error.status}
    else:
        told["answer"] = {"status": run.end.status, "body": run.end.body}
        if run.end.headers:
            told["answer"]["headers"] = [list(pair) for pair in run.end.headers]
    if with_path:
        told["path"] = run.path
    if run.door.calls:
        told["calls"] = [call_json(call) for call in run.door.calls]
    return told

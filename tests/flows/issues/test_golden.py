"""Every kind of problem has a file of cases: flows that have it, and flows that must not be said to.

What a case leaves out of an expected issue isn't compared; which issues there are always is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flows.nodes  # noqa: F401
from flows.engine.graph import read_graph
from flows.engine.strictjson import loads
from flows.issues import KINDS, check
from tests.flows.issues.fake import catalog_of

pytestmark = pytest.mark.pure

HERE = Path(__file__).parent
ALL = {path.stem: loads(path.read_text(encoding="utf-8")) for path in sorted(HERE.glob("*.json"))}
CASES = [pytest.param(case, id=f"{code}: {case['description']}") for code, cases in ALL.items() for case in cases]


@pytest.mark.parametrize("case", CASES)
def test_a_flow_has_exactly_the_issues_that_its_case_says(case: dict[str, Any]) -> None:
    found = check(
        read_graph(case["flow"]),
        slug="order-update",
        kind=case.get("kind", "dynamic_api"),
        catalog=catalog_of(case.get("catalog", {})),
    )
    expected = case["issues"]
    shown = [
        {key: getattr(issue, key) for key in wanted} if wanted["code"] == issue.code else issue
        for issue, wanted in zip(found, expected, strict=False)
    ]
    assert shown + found[len(expected) :] == expected


@pytest.mark.parametrize("code", sorted(KINDS))
def test_every_kind_has_cases_with_it_and_without_it(code: str) -> None:
    assert code in ALL, f"add tests/flows/issues/{code}.json"
    has_it = [code in [issue["code"] for issue in case["issues"]] for case in ALL[code]]
    assert any(has_it), "no case has it"
    assert not all(has_it), "no case shows when it must not be raised"

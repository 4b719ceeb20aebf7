"""Marks in a payload schema: what they hide of a payload (golden cases)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows import sensitive_fields as module
from flows.engine.payload_schema import problems_of_schema
from flows.engine.strictjson import loads
from flows.masking import MASK
from flows.sensitive_fields import SensitiveFields, sensitive_fields

pytestmark = pytest.mark.pure

CASES: list[dict[str, Any]] = loads(Path(__file__).with_suffix(".json").with_stem("sensitive_fields").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["description"])
def test_marks_hide(case: dict[str, Any]) -> None:
    assert problems_of_schema(case["schema"]) == []
    split = SensitiveFields(case["schema"]).split(case["payload"])
    if case["hidden"] is None:
        assert split is None
        return
    assert split is not None
    assert (split.shown, sorted(split.hidden)) == (case["shown"], sorted(case["hidden"]))


@pytest.mark.parametrize("schema", [None, {}, {"properties": {"a": {"type": "string"}}}, {"x-sensitive": False}])
def test_a_schema_without_marks_costs_nothing(schema: Any) -> None:
    assert sensitive_fields(schema) is None


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_a_mark_is_true_or_false(wrong: Any) -> None:
    schema = {"properties": {"card": {"x-sensitive": wrong}}}
    assert problems_of_schema(schema) == [
        {"pointer": "/properties/card/x-sensitive", "message": "must be true or false"}
    ]


def test_a_payload_that_takes_too_long_is_hidden_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOOKS", 100)
    schema = {"properties": {"list": {"items": {"properties": {"a": {"x-sensitive": True}}}}}}
    split = SensitiveFields(schema).split({"list": [{"b": "x"}] * 200})
    assert split is not None
    assert split.shown == MASK

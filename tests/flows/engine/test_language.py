"""Expressions: what they give, what they read, what their errors say. The cases are in expressions.json."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.engine.budget import Budget
from flows.engine.errors import LanguageError, LimitReached, SyntaxRefused
from flows.engine.language import compile_expression, rename
from flows.engine.strictjson import dumps, loads

GOLDEN = loads((Path(__file__).parent / "expressions.json").read_bytes())
GIVING = [(case["expression"], case["result"]) for case in GOLDEN["cases"] if "result" in case]
FAILING = [case for case in GOLDEN["cases"] if "error" in case]


def value_of(source, names=GOLDEN["names"], units=100_000):
    return compile_expression(source).evaluate(names, Budget(units))


@pytest.mark.parametrize(("expression", "result"), GIVING, ids=[expression for expression, _ in GIVING])
def test_an_expression_gives_its_value_to_the_digit(expression, result):
    found = value_of(expression)
    assert (dumps(found), type(found)) == (dumps(result), type(result))


@pytest.mark.parametrize("case", FAILING, ids=[case["expression"] or "nothing" for case in FAILING])
def test_an_error_says_what_is_wrong_where_and_what_to_do(case):
    with pytest.raises(LanguageError) as failure:
        value_of(case["expression"])
    error = failure.value
    assert error.code == case["error"]
    assert case.get("says", "") in error.message
    assert case.get("hints", "") in error.hint
    assert error.hint.endswith((".", "?"))
    assert error.message.startswith("In “")
    assert error.message.endswith(".")
    if isinstance(error, SyntaxRefused):
        assert error.column == case.get("column", error.column) >= 1
    elif "column" in case:
        assert f"(column {case['column']})" in error.message


@pytest.mark.parametrize("case", FAILING, ids=[case["expression"] or "nothing" for case in FAILING])
def test_the_words_of_the_parser_never_reach_an_author(case):
    with pytest.raises(LanguageError) as failure:
        value_of(case["expression"])
    told = failure.value.message.split("”: ", 1)[1] + failure.value.hint
    assert not re.search(r"Token|Expected|Unexpected|terminal|[A-Z]{4,}|Traceback|lark", told)


@pytest.mark.parametrize(
    ("source", "references"),
    [
        ("1 + 2", ()),
        ("payload.order.items[0].name", (("payload", "order", "items", 0, "name"),)),
        (
            "payload['order-id'] = a and (b | default: c.d) != 'e.f'",
            (("payload", "order-id"), ("a",), ("b",), ("c", "d")),
        ),
        ("(payload.raw | parse_json).id", (("payload", "raw"),)),
        ("not -a < b * a", (("a",), ("b",))),
        ("true or null", ()),
    ],
)
def test_references_are_the_paths_that_are_read_each_once(source, references):
    assert compile_expression(source).references == references


@pytest.mark.parametrize(
    ("source", "renamed"),
    [
        ("total", "sum"),
        ("total.total", "sum.total"),
        (" total .result*total[0]", " sum .result*sum[0]"),
        ("payload.total + totals - _total", "payload.total + totals - _total"),
        ("payload . total", "payload . total"),
        ("'total' + \"total\" + payload['total']", "'total' + \"total\" + payload['total']"),
        ("'it\\'s total' + total", "'it\\'s total' + sum"),
        ("x | total: total, 'total'", "x | total: sum, 'total'"),
        ("x |\ntotal", "x |\ntotal"),
        ("(total).total", "(sum).total"),
        ("total = total.", "sum = sum."),
        ("total + 'total", "sum + 'total"),
        ("2total", "2total"),
        ("", ""),
    ],
)
def test_renaming_changes_references_and_nothing_else(source, renamed):
    assert rename(source, "total", "sum") == renamed


def test_an_expression_is_compiled_once():
    assert compile_expression("payload.once") is compile_expression("payload.once")


def test_each_evaluation_spends_its_cost():
    expression = compile_expression("payload.n * 2 + 1 > 3 and payload.name = 'Ann'")
    budget = Budget(1_000)
    expression.evaluate(GOLDEN["names"], budget)
    assert budget.left == 1_000 - expression.cost
    assert expression.cost > compile_expression("payload.n").cost == 1


def test_work_stops_where_the_budget_ends():
    with pytest.raises(LimitReached) as failure:
        value_of("1 + 2", units=2)
    assert failure.value.code == "too_much_work"


def test_long_texts_and_lists_cost_more_than_short_ones():
    def cost(names):
        budget = Budget(1_000_000)
        compile_expression("x | json").evaluate(names, budget)
        return 1_000_000 - budget.left

    assert cost({"x": "a" * 64_000}) - cost({"x": "a"}) >= 1_000
    assert cost({"x": [[1]] * 1_000}) - cost({"x": []}) >= 2_000


def test_comparing_large_values_costs_what_they_hold():
    large = {"a": [[1]] * 5_000}
    with pytest.raises(LimitReached):
        value_of(" and ".join(["x = y"] * 20), {"x": large, "y": {"a": [[1]] * 5_000}})


def test_many_terms_are_no_nesting():
    assert value_of(" + ".join(["1"] * 500)) == 500
    assert value_of(" or ".join(["false"] * 300) + " or true") is True
    assert value_of("'a'" + " | upper | lower" * 100) == "a"
    assert value_of("(" * 500 + "1" + ")" * 500) == 1


@pytest.mark.parametrize("source", ["-" * 40 + "1", "not " * 40 + "true", "1+(" * 40 + "1" + ")" * 40])
def test_deep_nesting_is_refused(source):
    with pytest.raises(SyntaxRefused, match="nested deeper than 32 levels"):
        value_of(source)


def test_nothing_but_dicts_and_lists_is_looked_into():
    class Sly(dict):
        def get(self, *_):
            raise AssertionError("an object was asked")

    names = {"sly": Sly(a=1), "number": 1, "text": "abc", "fn": test_deep_nesting_is_refused}
    for source in ("sly.a", "number.real", "text.upper", "text[0]", "fn.__globals__", "fn.__code__.co_consts[0]"):
        assert value_of(source, names) is None

"""Filters: what each makes, what null does to it, and that none can make much out of little."""

from __future__ import annotations

import base64
from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.engine.budget import Budget
from flows.engine.errors import FlowError, LimitReached, WrongType
from flows.engine.filters import FILTERS
from flows.engine.language import compile_expression
from flows.engine.limits import MAX_RENDERED_CHARS, MAX_WORK
from flows.engine.strictjson import dumps, loads

NAMES = {
    "ann": "Ann",
    "items": [{"n": 2, "id": "b"}, {"n": 10, "id": "a"}, {"n": 2.0 and 2, "id": "c"}],
    "list": [3, 1, Decimal("2.50"), 1],
    "mixed": [1, True, "1", None, Decimal("1.0"), [1], [Decimal("1.0")], {"a": 1}, {"a": 1}],
    "object": {"a": 1, "b": None},
    "empty": [],
    "long": "a" * MAX_RENDERED_CHARS,
    "phone": 49301234,
    "ones": [1] * 200_000,
}

CASES = [
    ("ann | left: 0", ""),
    ("ann | left: 99", "Ann"),
    ("ann | right: 0", ""),
    ("ann | right: 99", "Ann"),
    ("ann | right: 2", "nn"),
    ("ann | left: 4 / 2", "An"),
    ("phone | left: 2", "49"),
    ("phone | length", 8),
    ("'abcdef' | substr: 2", "cdef"),
    ("'abcdef' | substr: 4, 2", ""),
    ("'abcdef' | substr: 9, 12", ""),
    ("'  a\\n ' | trim", "a"),
    ("'aaa' | replace: 'a', 'aa'", "aaaaaa"),
    ("'a.c' | replace: '.', ''", "ac"),
    ("null | append: 'x' | append: null | append: true | append: 1.50", "xtrue1.50"),
    ("'a' | append: object", 'a{"a":1,"b":null}'),
    ("'' | split: ','", [""]),
    ("',a,' | split: ','", ["", "a", ""]),
    ("'straße' | upper", "STRASSE"),
    ("'Ünï' | length", 3),
    ("null | length", 0),
    ("null | count", 0),
    ("null | text", ""),
    ("null | json", "null"),
    ("object | count", 2),
    ("mixed | contains: '1'", True),
    ("mixed | contains: 2", False),
    ("list | contains: 2.5", True),
    ("ann | contains: ''", True),
    ("ann | starts_with: 'a'", False),
    ("empty | first", None),
    ("empty | last", None),
    ("list | last", 1),
    ("list | at: 9", None),
    ("object | at: 'b' | default: 5", 5),
    ("list | slice: 1", [1, Decimal("2.50"), 1]),
    ("list | slice: 3, 1", []),
    ("list | join", "3, 1, 2.50, 1"),
    ("mixed | join: ';'", '1;true;1;;1.0;[1];[1.0];{"a":1};{"a":1}'),
    ("empty | join", ""),
    ("list | sort | join", "1, 1, 2.50, 3"),
    ("items | sort: 'n' | map: 'id' | join", "b, c, a"),
    ("items | sort: 'id' | map: 'n'", [10, 2, 2]),
    ("empty | sort", []),
    ("mixed | unique | json", '[1,true,"1",null,[1],{"a":1}]'),
    ("items | map: 'no'", [None, None, None]),
    ("mixed | map: 'a' | last", 1),
    ("list | sum", Decimal("7.5")),
    ("empty | sum", 0),
    ("' 12.50 ' | number", Decimal("12.5")),
    ("'-0.0' | number", 0),
    ("'+7' | number", 7),
    ("2.5 | round", 3),
    ("-2.5 | round", -3),
    ("1.005 | round: 2", Decimal("1.01")),
    ("1.5 | round: 5", Decimal("1.5")),
    ("2.5 | fixed: 0", "3"),
    ("0.001 - 0.002 | fixed: 2", "0.00"),
    ("1000000 * 1000000 | fixed: 2", "1000000000000.00"),
    ("2.9 | floor", 2),
    ("-2.9 | ceil", -2),
    ("-0.4 | ceil", 0),
    ("-1.50 | abs", Decimal("1.5")),
    ("'2026-01-31' | date: 'd/M/yy'", "31/1/26"),
    ("'2026-01-31T23:30:00-02:00' | date: 'yyyy-MM-dd HH:mm'", "2026-02-01 01:30"),
    ("'2026-01-31' | date: 'EEEE, d. MMMM', 'UTC', 'de'", "Samstag, 31. Januar"),
    ("'2026-01-31t09:30:00z' | date: 'HH'", "09"),
    ("'2024-02-29' | add_time: 12, 'months'", "2025-02-28"),
    ("'2026-01-31' | add_time: -1, 'months'", "2025-12-31"),
    ("'2026-01-01' | add_time: -1, 'days'", "2025-12-31"),
    ("'2026-01-01' | add_time: 90, 'minutes'", "2026-01-01T01:30:00.000Z"),
    ("'2026-01-01T10:00:00+02:00' | add_time: 1, 'weeks'", "2026-01-08T08:00:00.000Z"),
    ("list | json", "[3,1,2.50,1]"),
    ("'[1, 2.50]' | parse_json", [1, Decimal("2.50")]),
    ("'ä/?' | url_encode", "%C3%A4%2F%3F"),
    ("'ä' | base64", "w6Q="),
    ("false | default: 1", False),
    ("0 | if_empty: 1", 0),
    ("empty | if_empty: 1", 1),
]


def value_of(source, names=NAMES):
    return compile_expression(source).evaluate(names, Budget(MAX_WORK))


@pytest.mark.parametrize(("source", "expected"), CASES, ids=[source for source, _ in CASES])
def test_a_filter_makes(source, expected):
    assert dumps(value_of(source)) == dumps(expected)


@pytest.mark.parametrize(("name", "row"), FILTERS.items(), ids=FILTERS)
def test_each_filter_has_a_line_and_an_example_that_holds(name, row):
    assert row.doc.endswith(".")
    assert f"| {name}" in row.example
    assert dumps(value_of(row.example)) == dumps(row.result)
    assert row.cost >= 1


@pytest.mark.parametrize(("name", "row"), FILTERS.items(), ids=FILTERS)
def test_null_passes_or_is_something_but_never_fails(name, row):
    arguments = ": " + ", ".join(["'x'"] * row.least) if row.least else ""
    made = value_of(f"null | {name}{arguments}")
    assert row.takes_null or made is None


@pytest.mark.parametrize(
    "source",
    [
        "list | upper",
        "true | upper",
        "object | append: list | left: true",
        "ann | left: -1",
        "ann | left: 1.5",
        "ann | left: 10000000000",
        "ann | left: null",
        "ann | replace: '', 'x'",
        "ann | replace: null, 'x'",
        "ann | split: ''",
        "ann | count",
        "ann | first",
        "object | sum",
        "mixed | sum",
        "mixed | sort",
        "items | sort",
        "items | sort: 'none'",
        "list | at: 'a'",
        "'' | number",
        "'1,234.50' | number",
        "'1_000' | number",
        "'١' | number",
        "'1e5' | number",
        "'NaN' | number",
        "true | number",
        "ann | round",
        "1.5 | round: 21",
        "1.5 | round: -1",
        "ann | date: 'yyyy'",
        "5 | date: 'yyyy'",
        "'2026-01-01' | date: ''",
        "'2026-01-01' | date: 'yyyyyyyyyyyyyyyyyyyy'",
        "'2026-01-01' | date: 'bogus'",
        "'2026-01-01' | date: 'yyyy', '../../etc/passwd'",
        "'2026-01-01' | date: 'yyyy', 'Europe'",
        "'2026-01-01' | date: 'yyyy', 'UTC', '../en'",
        "'0001-01-01' | date: 'yyyy', 'America/New_York'",
        "'2026-01-01' | add_time: 1, 'eons'",
        "'9999-12-31' | add_time: 1, 'days'",
        "'0001-01-01' | add_time: -1, 'months'",
        "'0001-01-01T00:00:00+05:00' | add_time: 1, 'days'",
        "'{' | parse_json",
        "'[1,1]x' | parse_json",
        "5 | parse_json | upper: 1",
    ],
)
def test_what_a_filter_cant_work_on_is_a_wrong_type_with_a_hint(source):
    with pytest.raises(FlowError) as failure:
        value_of(source)
    assert failure.value.code in ("wrong_type", "bad_syntax")
    assert failure.value.hint


@pytest.mark.parametrize(
    "source",
    [
        "long | replace: 'a', 'bb'",
        "long | replace: 'a', long",
        "long | append: 'b'",
        "long | append: 'b' | append: long | append: long",
        "long | replace: 'a', 'ß' | upper | append: ''",
        "long | url_encode | append: long",
        "long | base64",
        "ones | join: long",
        "ones | join",
        "ones | json",
        "ones | text",
        "ann | append: ones",
        "long | split: 'a'",
        "'\\n' | append: long | json",
    ],
)
def test_no_filter_makes_much_out_of_little(source):
    with pytest.raises(LimitReached) as failure:
        value_of(source)
    assert failure.value.code in ("text_too_long", "list_too_long", "too_much_work")


def test_a_long_text_may_be_cut_though_it_could_not_be_made():
    assert value_of("x | right: 3", {"x": "a" * 1_000_000 + "b"}) == "aab"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40))
def test_texts_come_back_from_what_encodes_them(text):
    names = {"x": text}
    assert unquote(value_of("x | url_encode", names)) == text
    assert base64.b64decode(value_of("x | base64", names)).decode() == text
    assert loads(value_of("x | json", names)) == text
    assert value_of("x | json | parse_json", names) == text
    assert value_of("x | split: 'a' | join: 'a'", names) == text
    assert value_of("(x | left: 3) | append: (x | substr: 3)", names) == text


words = st.sampled_from(
    ["", "a", "Ann", "12.50", "2026-01-31", "2026-01-31T09:30:00Z", "days", "months", "yyyy", "UTC", "{}", "-1", "é😀"]
)
scalars = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | words
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3))


@given(st.data())
def test_any_filter_on_anything_gives_a_value_or_a_typed_error(data):
    name = data.draw(st.sampled_from(sorted(FILTERS)))
    count = data.draw(st.integers(FILTERS[name].least, FILTERS[name].most))
    names = {"x": data.draw(anything), **{f"a{index}": data.draw(anything) for index in range(count)}}
    arguments = ", ".join(f"a{index}" for index in range(count))
    try:
        made = value_of(f"x | {name}" + (f": {arguments}" if arguments else ""), names)
    except FlowError:
        return
    loads(dumps(made), max_depth=100)


def test_the_wrong_type_names_the_filter_and_the_place():
    with pytest.raises(WrongType, match=r"^In “list \| upper”: upper: it needs text, and got a list \(column 8\)\.$"):
        value_of("list | upper")

"""Templates: where an expression ends, what becomes of its value, and that nothing filled in is read again."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.engine.budget import Budget
from flows.engine.errors import LimitReached, SyntaxRefused, UnknownFilter, WrongType
from flows.engine.limits import (
    MAX_JSON_DEPTH,
    MAX_RENDERED_CHARS,
    MAX_TEMPLATE_CHARS,
    MAX_WORK,
)
from flows.engine.strictjson import dumps, loads
from flows.engine.templates import compile_text, compile_value, pieces_of, rename_in

NAMES = {
    "name": "Ann",
    "none": None,
    "yes": True,
    "n": Decimal("2.50"),
    "small": Decimal("1E-7"),
    "large": Decimal("1.5E+3"),
    "list": [1, {"a": "ü"}],
    "object": {"a": [], "b": None},
    "sly": "{{ name }}",
    "quotes": '"}], "admin": true, {"',
}


def rendered(source, names=NAMES, compiled=compile_value):
    return compiled(source).render(names, Budget(MAX_WORK))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a { b } } c }}", "a { b } } c }}"),
        ("{{name}}", "Ann"),
        ("{{ n }}", Decimal("2.50")),
        ("{{ none }}", None),
        ("{{ list }}", [1, {"a": "ü"}]),
        ("{{ n > 2 }}", True),
        (" {{ n }}", " 2.50"),
        ("{{ name }}{{ n }}", "Ann2.50"),
        ("[{{ none }}|{{ yes }}|{{ list }}|{{ object }}]", '[|true|[1,{"a":"ü"}]|{"a":[],"b":null}]'),
        ("{{ small }} {{ large }}", "0.0000001 1500"),
        ("{{ '}}' }}", "}}"),
        ('{{ "}}" }}{{ name }}', "}}Ann"),
        ("{{ '{{' }} name {{ '}}' }}", "{{ name }}"),
        ("{{ 'it\\'s }}' }}", "it's }}"),
        ("{{ sly }}", "{{ name }}"),
        ("{{ sly }}!", "{{ name }}!"),
        ('{"a":{"b":{{ n }}}}', '{"a":{"b":2.50}}'),
        ("{{\n  name\n}}", "Ann"),
        ({"a": ["{{ n }}", "x{{ n }}", 1, None]}, {"a": [Decimal("2.50"), "x2.50", 1, None]}),
        ({"{{ name }}": "{{ name }}"}, {"{{ name }}": "Ann"}),
        ({"a": "{{ quotes }}"}, {"a": '"}], "admin": true, {"'}),
        (Decimal("1.50"), Decimal("1.50")),
    ],
)
def test_a_value_is_filled_in(source, expected):
    found = rendered(source)
    assert dumps(found) == dumps(expected)


@pytest.mark.parametrize("source", ["{{ n }}", "{{ none }}", "{{ list }}", "{{ yes }}", "x{{ n }}", "plain"])
def test_a_text_always_becomes_text(source):
    assert type(rendered(source, compiled=compile_text)) is str


def test_what_has_no_references_is_itself_and_constant():
    tree = {"a": [1, "x", {"b": None}]}
    assert compile_value(tree).constant
    assert rendered(tree) is tree
    assert not compile_value({"a": ["{{ n }}"]}).constant
    assert not compile_text("{{ 1 }}").constant


def test_rendering_leaves_the_template_as_it_was():
    tree = {"a": ["{{ n }}", {"b": "{{ name }}"}], "c": [1]}
    value, before = compile_value(tree), dumps(tree)
    first = value.render(NAMES, Budget(1_000))
    second = value.render({"n": 1, "name": "Bob"}, Budget(1_000))
    assert dumps(tree) == before
    assert first == {"a": [Decimal("2.50"), {"b": "Ann"}], "c": [1]}
    assert second == {"a": [1, {"b": "Bob"}], "c": [1]}


def test_references_are_those_of_every_expression_each_once():
    value = compile_value({"a": "{{ x.y }} and {{ z[0] }}", "b": ["{{ x.y | upper }}"]})
    assert value.references == (("x", "y"), ("z", 0))


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("{{ name", SyntaxRefused, "never closed"),
        ("{{ name }", SyntaxRefused, "never closed"),
        ("{{ 'name }}", SyntaxRefused, "no closing quote"),
        ("{{ 'name' }", SyntaxRefused, "never closed"),
        ("Ann's {{ name's }}", SyntaxRefused, "no closing quote"),
        ("{{}}", SyntaxRefused, "empty"),
        ("{{ }}", SyntaxRefused, "empty"),
        ("{{{ name }}}", SyntaxRefused, "{ isn't expected here"),
        ("{{ name | uper }}", UnknownFilter, "uper"),
        (["ok", {"a": "x {{ 1 + }}"}], SyntaxRefused, "missing at the end"),
        ("{{ n }}" + "x" * MAX_TEMPLATE_CHARS, SyntaxRefused, "longer than"),
        ("{{ " + "n + " * 2_000 + "n }}", SyntaxRefused, "longer than 4096"),
    ],
)
def test_a_bad_expression_is_a_problem_that_rendering_raises(source, kind, says):
    value = compile_value(source)
    assert [type(problem) for problem in value.problems] == [kind]
    assert says in value.problems[0].message
    assert not value.constant
    with pytest.raises(kind) as failure:
        value.render(NAMES, Budget(1_000))
    assert failure.value.message == value.problems[0].message
    assert failure.value.hint == value.problems[0].hint != ""
    assert failure.value is not value.problems[0]


def test_all_problems_are_told_and_the_good_references_are_known():
    value = compile_value({"a": "{{ 1 + }} {{ x }} {{ y | uper }}", "b": "{{ z"})
    assert [type(problem) for problem in value.problems] == [SyntaxRefused, UnknownFilter, SyntaxRefused]
    assert value.references == (("x",),)


def test_the_column_of_braces_that_dont_close_is_that_in_the_text():
    (problem,) = compile_text("Hello {{ name").problems
    assert isinstance(problem, SyntaxRefused)
    assert problem.column == 7


def test_a_wrong_type_comes_when_it_is_rendered():
    value = compile_value("{{ name * 2 }}")
    assert value.problems == ()
    with pytest.raises(WrongType):
        value.render(NAMES, Budget(1_000))


@pytest.mark.parametrize(
    ("source", "renamed"),
    [
        ("{{ total }} total {{total.total}}", "{{ sum }} total {{sum.total}}"),
        (
            {"total": ["{{ 'total }}' | append: total }}", 1, None]},
            {"total": ["{{ 'total }}' | append: sum }}", 1, None]},
        ),
        ("{{ total + }}", "{{ sum + }}"),
        ("{{ total", "{{ total"),
        ("total", "total"),
        ("{{ 'x }} {{ total }}", "{{ 'x }} {{ sum }}"),
    ],
)
def test_renaming_changes_references_in_a_tree_and_nothing_else(source, renamed):
    assert rename_in(source, "total", "sum") == renamed


def test_a_rendered_text_has_a_bound():
    half = "a" * (MAX_RENDERED_CHARS // 2)
    assert len(rendered("{{ x }}{{ x }}", {"x": half})) == MAX_RENDERED_CHARS
    for source, x in (("{{ x }}{{ x }}!", half), ("{{ x }}!", [1] * 200_000), ("{{ x }}" * 900, {"a": half})):
        with pytest.raises(LimitReached) as failure:
            rendered(source, {"x": x})
        assert failure.value.code in ("text_too_long", "too_much_work")


def test_a_whole_value_may_be_longer_than_a_text():
    long = "a" * (MAX_RENDERED_CHARS + 1)
    assert rendered("{{ x }}", {"x": long}) is long
    assert rendered({"a": "{{ x }}"}, {"x": long}) == {"a": long}


def test_references_cant_make_a_tree_swell():
    with pytest.raises(LimitReached) as failure:
        rendered(["{{ x }}"] * 1_000, {"x": "a" * 1_000_000})
    assert failure.value.code == "value_too_large"
    with pytest.raises(LimitReached):
        rendered(["{{ x }}"] * 1_000, {"x": [[1]] * 100_000})


def test_a_tree_is_never_deeper_than_json_may_be():
    deepest = loads("[" * (MAX_JSON_DEPTH - 1) + "]" * (MAX_JSON_DEPTH - 1))
    assert loads(dumps(rendered(["{{ x }}"], {"x": deepest}))) == [deepest]
    with pytest.raises(LimitReached) as failure:
        rendered([["{{ x }}"]], {"x": deepest})
    assert failure.value.code == "value_too_deep"


def test_text_costs_by_its_length():
    budget = Budget(10_000)
    compile_text("{{ x }}").render({"x": "a" * 64_000}, budget)
    assert 1_000 <= 10_000 - budget.left <= 1_010


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
hostile = texts | st.sampled_from(
    [
        "{{ name }}",
        "}}",
        '"',
        '\\"',
        "\\",
        "\\u0022",
        '"}]}',
        "'",
        "\n",
        "</script>",
        "{%x%}",
        "${x}",
        "%s",
        "{0}",
        "\u2028",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(hostile, values, texts)
def test_no_value_breaks_out_of_its_place_in_a_body(text, value, key):
    body = {"plain": "{{ text }}", "within": "a {{ text }} b", key: [{"deep": ["{{ value }}"]}], "fixed": 1}
    wanted = {"plain": text, "within": f"a {text} b", key: [{"deep": [value]}], "fixed": 1}
    body, wanted = ({**tree, "fixed": 1} for tree in (body, wanted))
    if "{{" in key:
        return
    assert loads(dumps(rendered(body, {"text": text, "value": value}))) == wanted


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), texts), max_size=6))
def test_a_template_is_cut_where_it_was_put_together(parts):
    plain = [(is_expression, text.replace("{", "(").replace("}", ")")) for is_expression, text in parts]
    source = "".join("{{" + dumps(text) + "}}" if is_expression else text for is_expression, text in plain)
    cut = [(piece.is_expression, piece.text) for piece in pieces_of(source)]
    assert [text for is_expression, text in cut if is_expression] == [
        dumps(text) for is_expression, text in plain if is_expression
    ]
    assert "".join(f"{{{{{text}}}}}" if is_expression else text for is_expression, text in cut) == source


@settings(max_examples=300)
@given(st.text(st.sampled_from("{}'\"\\ abn.|:+1"), max_size=40))
def test_any_text_is_a_template_or_has_a_problem(text):
    value = compile_text(text)
    assert value.constant == ("{{" not in text)
    if not value.problems and not value.constant:
        with suppress(WrongType):
            assert type(value.render(NAMES, Budget(1_000))) is str
    assert dumps(rename_in(text, "nobody", "anybody")) == dumps(text)

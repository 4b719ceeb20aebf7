"""What holds for every expression there is: a result or a typed error, exact arithmetic, renaming that can be undone."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flows.engine.budget import Budget
from flows.engine.errors import ArithmeticRefused, FlowError, LanguageError
from flows.engine.filters import FILTERS
from flows.engine.language import compile_expression, rename
from flows.engine.strictjson import dumps, loads, number_text
from flows.engine.values import equal, identity

NAMES = loads('{"a": 1, "b": "text", "c": {"d": [1, 2.5, "x"], "e": null}, "f": true, "_": [], "not_": false}')

TOKENS = [
    *("a", "b", "c", "f", "_", ".d", ".e", "[0]", "[9]", "['d']", "not_", "1", "2.5", "0", "'x'", "true", "null"),
    *("(", ")", "+", "-", "*", "/", "%", "=", "==", "!=", "<", "<=", ">", ">=", "|", ":", ","),
    *("and", "or", "not", "'it\\'s'", '"q"', "|upper", "|default:", "|round:1", "{{", "}}", "'", "\\", "é", "#"),
    *(f"|{name}" for name in FILTERS),
]


def value_of(source):
    return compile_expression(source).evaluate(NAMES, Budget(100_000))


def check_total(source):
    try:
        found = value_of(source)
    except FlowError:
        return
    loads(dumps(found))


@settings(max_examples=300)
@given(st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join))
def test_any_row_of_tokens_gives_a_value_or_a_typed_error(source):
    check_total(source)


@settings(max_examples=300)
@given(st.text(max_size=40) | st.text(st.sampled_from("ab.[]()'\"\\|:,+-*/%=<>!0159 \n{}"), max_size=40))
def test_any_text_gives_a_value_or_a_typed_error(source):
    check_total(source)


paths = st.sampled_from(["a", "b", "c", "a.b", "c.a[0]", "b['a b']", 'c["c"].c', "a.and", "(b).a"])
literals = st.sampled_from(["1", "2.50", "'a'", "'a + b'", '"c"', "'it\\'s a'", "true", "null"])
operators = st.sampled_from(["+", "-", "*", "/", "%", "=", "!=", "<", ">=", "and", "or", " ", ",", ":"])
expressions = st.recursive(
    paths | literals,
    lambda inner: (
        st.builds("({} {} {})".format, inner, operators, inner)
        | st.builds("not {}".format, inner)
        | st.builds("({} | default: {})".format, inner, inner)
        | st.builds("({}|\n a)".format, inner)
    ),
    max_leaves=6,
)


def references_of(source):
    try:
        return compile_expression(source).references
    except LanguageError:
        return None


@settings(max_examples=150)
@given(expressions)
def test_renaming_changes_the_references_alone_and_can_be_undone(source):
    renamed = rename(source, "a", "zz")
    assert rename(renamed, "zz", "a") == source
    references = references_of(source)
    found = references_of(renamed)
    assert (references is None) == (found is None)
    if references is not None:
        assert set(found) == {("zz" if path[0] == "a" else path[0], *path[1:]) for path in references}


# --- Arithmetic, against fractions -----------------------------------------------------------------------------------


def rounded(value: Fraction) -> Fraction:
    """To 28 digits, a half to the even digit, by integers alone."""
    if not value:
        return value
    exponent = 0
    while abs(value) * Fraction(10) ** -exponent >= 10**28:
        exponent += 1
    while abs(value) * Fraction(10) ** -exponent < 10**27:
        exponent -= 1
    return round(value * Fraction(10) ** -exponent) * Fraction(10) ** exponent


def remainder(left: Fraction, right: Fraction) -> Fraction:
    whole = abs(left) // abs(right)
    return left - right * whole * (1 if (left < 0) == (right < 0) else -1)


EXACTLY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": remainder,
}

decimals = (
    st.integers(-(10**6), 10**6)
    | st.integers(-(10**20), 10**20)
    | st.decimals(-(10**6), 10**6, places=2)
    | st.decimals(-(10**15), 10**15, places=8)
    | st.decimals(0, 1, places=20)
)
chains = st.lists(st.tuples(st.sampled_from("+-*/%"), decimals), min_size=1, max_size=4)


def oracle(first, chain):
    """What the language must give for a chain of operations without precedence; None for a division by zero."""
    total = Fraction(first)
    for sign, number in chain:
        if sign in "/%" and number == 0:
            return None
        total = rounded(EXACTLY[sign](total, Fraction(number)))
    return total


@settings(max_examples=250)
@given(decimals, chains)
def test_arithmetic_agrees_with_fractions_rounded_to_28_digits(first, chain):
    expected = oracle(first, chain)
    assume(expected is None or not expected or 10**-50 < abs(expected) < 10**50)
    source = "n0"
    for index, (sign, _) in enumerate(chain, 1):
        source = f"({source} {sign} n{index})"
    names = {f"n{index}": number for index, number in enumerate([first, *(number for _, number in chain)])}
    try:
        found = compile_expression(source).evaluate(names, Budget(1_000))
    except ArithmeticRefused:
        assert expected is None
        return
    assert Fraction(found) == expected
    assert type(found) is (int if expected.denominator == 1 else Decimal)
    text = number_text(found)
    assert "E" not in text or abs(Decimal(text).adjusted()) > 6
    assert not ("." in text and text.endswith("0"))


@given(decimals, decimals)
def test_the_order_of_numbers_is_that_of_fractions(a, b):
    names = {"a": a, "b": b}
    for source, holds in (
        ("a < b", Fraction(a) < Fraction(b)),
        ("a <= b", Fraction(a) <= Fraction(b)),
        ("a > b", Fraction(a) > Fraction(b)),
        ("a >= b", Fraction(a) >= Fraction(b)),
        ("a = b", Fraction(a) == Fraction(b)),
        ("a != b", Fraction(a) != Fraction(b)),
    ):
        assert compile_expression(source).evaluate(names, Budget(10)) is holds


values = st.recursive(
    st.sampled_from([None, True, False, 0, 1, Decimal("1.0"), Decimal("0.00"), "", "1", "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300)
@given(values, values)
def test_equality_is_that_of_json_and_never_of_python(a, b):
    def told(value):
        return dumps(loads(dumps(value).replace("1.0", "1").replace("0.00", "0")))

    assert equal(a, b) == equal(b, a) == (identity(a) == identity(b))
    assert equal(a, a)
    if not isinstance(a, dict | list):
        assert equal(a, b) == (told(a) == told(b))

"""The Idempotency-Key: what is a key, and which requests are the same."""

import pytest

from routing import idempotency
from routing.body import Query
from routing.problem import Problem

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ('"8e03978e-40d5"', "8e03978e-40d5"),
        ("8e03978e-40d5", "8e03978e-40d5"),
        (' "a"\t', "a"),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ('"a,b"', "a,b"),
        ("x" * 255, "x" * 255),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
)
def test_a_key_is_read_with_and_without_quotes(header, key):
    assert idempotency.key(header) == key


@pytest.mark.parametrize(
    "header",
    [
        "",
        '""',
        "  ",
        "a b",
        '"a b"',
        "a,b",
        '"a", "b"',
        "a, a",
        '"a',
        'a"',
        '"a";x=1',
        "ä",
        '"\x7f"',
        "x" * 256,
        '"\\a"',
    ],
)
def test_anything_else_is_refused(header):
    with pytest.raises(Problem) as refused:
        idempotency.key(header)
    assert refused.value.code == "bad_idempotency_key"


def fingerprint(method="POST", pairs=(("a", "1"), ("b", "2")), content_type="application/json", body=b"{}"):
    return idempotency.fingerprint(method, Query(tuple(pairs)), content_type, body)


def test_the_same_request_has_the_same_fingerprint_however_its_query_is_ordered():
    assert fingerprint() == fingerprint(pairs=[("b", "2"), ("a", "1")])
    assert fingerprint(content_type="application/json;charset=utf-8") == fingerprint(
        content_type="Application/JSON; charset=UTF-8"
    )


@pytest.mark.parametrize(
    "other",
    [
        {"method": "PUT"},
        {"pairs": [("a", "1")]},
        {"pairs": [("a", "1b2")]},
        {"pairs": [("a", "2"), ("b", "1")]},
        {"content_type": "application/x-www-form-urlencoded"},
        {"body": b"{ }"},
        {"body": b""},
    ],
)
def test_another_request_has_another_fingerprint(other):
    assert fingerprint(**other) != fingerprint()


def test_values_of_one_name_keep_their_order():
    assert fingerprint(pairs=[("a", "1"), ("a", "2")]) != fingerprint(pairs=[("a", "2"), ("a", "1")])

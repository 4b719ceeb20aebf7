"""JSON goes in strict and comes out as it was, to the digit."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.engine.errors import FlowError, JSONRefused
from flows.engine.limits import MAX_JSON_DEPTH
from flows.engine.strictjson import MAX_DIGITS, STORED_DEPTH, canonical, dumps, dumps_bytes, loads, pretty

quick = settings(max_examples=80)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
numbers = st.integers(-(10**70), 10**70) | st.decimals(-(10**30), 10**30, allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

REFUSED = {
    "an empty text": "",
    "blanks": "  \n",
    "NaN": "[NaN]",
    "Infinity": "-Infinity",
    "a key that is there twice": '{"a": 1, "a": 2}',
    "a key that is there twice, escaped": '{"a": 1, "\\u0061": 2}',
    "an escaped NUL": '"\\u0000"',
    "an escaped NUL in a key": '{"\\u0000": 1}',
    "a raw NUL": '"\x00"',
    "half a surrogate pair": '["\\ud800"]',
    "half a surrogate pair in a key": '{"\\udc00": 1}',
    "half a surrogate pair, raw": '"\ud800"',
    "data after the end": "1 2",
    "a byte order mark": "\ufeff1",
    "a byte order mark in UTF-8": b"\xef\xbb\xbf1",
    "UTF-16": '"é"'.encode("utf-16"),
    "UTF-16 without a mark": '"é"'.encode("utf-16-le"),
    "Latin-1": '"é"'.encode("latin-1"),
    "an overlong encoding": b'"\xc0\x80"',
    "a raw line break in a text": '"a\nb"',
    "single quotes": "{'a': 1}",
    "a comma too many": "[1,]",
    "a comment": "[1] // one",
    "a leading zero": "01",
    "a leading plus": "+1",
    "a huge exponent": "1e401",
    "a huge negative exponent": "1e-401",
    "an exponent beyond any type": "1e99999999999999999999999999",
    "too many digits": "9" * (MAX_DIGITS + 1),
    "too many digits after the point": "0." + "9" * MAX_DIGITS,
    "deep lists": "[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1),
    "very deep lists": "[" * 100_000,
    "very deep objects": '{"a":' * 100_000,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_another_reader_might_read_otherwise_is_refused_with_a_sentence(text):
    with pytest.raises(JSONRefused) as refusal:
        loads(text)
    assert refusal.value.code == "json_refused"
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("129.90", Decimal("129.90")),
        ("-0.0", Decimal("-0.0")),
        ("12345678901234567890123", 12345678901234567890123),
        ('"\\\\u0000"', "\\u0000"),
        ('"\\ud83d\\ude00"', "😀"),
        ("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH, ...),
        ('"' + "[" * 1000 + '"', "[" * 1000),
        (b' {"a" : [ ] } ', {"a": []}),
    ],
)
def test_what_is_plain_is_read(text, value):
    read = loads(text)
    assert value is ... or read == value
    assert not isinstance(read, float)


def test_a_place_is_named():
    with pytest.raises(JSONRefused, match=r"^Line 3, column 8: a value is expected here\.$"):
        loads('{"a": 1,\n\n  "b": }')


@quick
@given(values)
def test_what_is_written_is_read_again_in_every_form(value):
    assert loads(dumps(value)) == value
    assert loads(dumps_bytes(value)) == value
    assert loads(pretty(value)) == value
    assert dumps(loads(dumps(value))) == dumps(value)


@quick
@given(values)
def test_the_canonical_text_is_the_same_however_it_was_written(value):
    try:
        once = canonical(value)
    except JSONRefused:  # two keys that are one in NFC
        return
    assert canonical(loads(once)) == once
    assert canonical(loads(pretty(value))) == once


@settings(max_examples=300)
@given(st.text(st.sampled_from('{}[]",:0123456789.eE+-\\u aNnul\x00é\ud800'), max_size=30) | st.text(max_size=30))
def test_any_text_gives_a_value_or_a_typed_error(text):
    try:
        value = loads(text)
    except FlowError:
        return
    assert loads(dumps(value)) == value
    json.loads(text)


def test_numbers_are_written_as_they_were():
    text = '{"price":129.90,"big":123456789012345678901234567890,"small":0.0000001,"list":[1.0,-5]}'
    assert dumps(loads(text)) == text


def test_the_canonical_form_is_sorted_composed_and_without_blanks():
    assert canonical(loads('{ "b" : 1.50, "e\u0301": 2, "a": [true, null] }')) == '{"a":[true,null],"b":1.50,"é":2}'


def test_two_keys_that_become_one_in_nfc_are_refused():
    with pytest.raises(JSONRefused):
        canonical({"é": 1, "e\u0301": 2})


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), object()])
def test_what_is_not_json_is_never_written(value):
    with pytest.raises(TypeError):
        dumps([value])


def test_what_we_stored_ourselves_may_have_our_objects_around_it():
    deepest = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH
    stored = dumps({"variables": {"x": loads(deepest)}})
    with pytest.raises(JSONRefused):
        loads(stored)
    assert dumps(loads(stored, max_depth=STORED_DEPTH)) == stored

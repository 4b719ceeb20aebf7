"""Payload schemas: what is wrong with a payload, what is wrong with a schema, and that nothing makes them hang."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flows.engine.payload_schema import LOST, MAX_ERRORS, TOO_LARGE, problems_of_payload, problems_of_schema
from flows.engine.schema_fit import fits
from flows.engine.schema_shape import alone, is_well_formed

pytestmark = pytest.mark.pure

ORDER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["number", "lines"],
    "properties": {
        "number": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"},
        "total": {"type": "number", "minimum": Decimal("0.5"), "multipleOf": Decimal("0.01")},
        "lines": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"$ref": "#/$defs/line"}},
        "channel": {"enum": ["web", "shop"]},
        "a/b~c": {"type": "null"},
    },
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "required": ["sku"], "properties": {"count": {"type": "integer"}}}},
}
GOOD = {"number": "AB12", "lines": [{"sku": "x", "count": Decimal("2.0")}], "total": Decimal("129.90")}


def test_a_payload_that_fits_has_no_problems():
    assert problems_of_schema(ORDER) == []
    assert problems_of_payload(ORDER, GOOD) == []


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"number": 12}, "/number", "must be of type string"),
        ({"number": "ab"}, "/number", "must match the pattern “^[A-Z]{2}[0-9]+$”"),
        ({"total": Decimal("0.4")}, "/total", "must be at least 0.5"),
        ({"total": Decimal("129.905")}, "/total", "must be a multiple of 0.01"),
        ({"total": True}, "/total", "must be of type number"),
        ({"lines": []}, "/lines", "must have at least 1 items"),
        ({"lines": [{"count": 1}]}, "/lines/0/sku", "is missing"),
        ({"lines": [{"sku": "x", "count": Decimal("1.5")}]}, "/lines/0/count", "must be of type integer"),
        ({"lines": [{"sku": Decimal("1.0")}, {"sku": 1}]}, "/lines", "must not have the same item twice"),
        ({"channel": "fax"}, "/channel", "must be one of “web”, “shop”"),
        ({"a/b~c": 1}, "/a~1b~0c", "must be of type null"),
        ({"note": 1}, "/note", "isn't expected here"),
    ],
)
def test_each_problem_has_a_pointer_and_a_sentence(change, pointer, message):
    assert problems_of_payload(ORDER, GOOD | change) == [{"pointer": pointer, "message": message}]


def test_a_payload_of_the_wrong_type_is_told_at_the_root():
    assert problems_of_payload(ORDER, [1]) == [{"pointer": "", "message": "must be of type object"}]


def test_true_is_not_one():
    assert problems_of_payload({"uniqueItems": True}, [True, 1, [0], [False], Decimal("2")]) == []
    assert problems_of_payload({"enum": [1]}, True) != []


def test_only_the_first_problems_are_told():
    assert len(problems_of_payload({"items": {"type": "string"}}, list(range(1000)))) == MAX_ERRORS


def test_no_number_is_too_large_to_be_a_multiple():
    assert problems_of_payload({"multipleOf": Decimal("0.1")}, Decimal("1e400")) == []
    assert problems_of_payload({"multipleOf": 3}, 10**900) != []
    assert problems_of_payload({"multipleOf": 3}, Decimal("1e999999")) != []


@pytest.mark.parametrize(
    ("schema", "pointer", "told"),
    [
        ([], "", "must be an object"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "must be left out"),
        ({"type": "objekt"}, "/type", "must be one of “array”"),
        ({"properties": {"a": {"minLength": -1}}}, "/properties/a/minLength", "must be at least 0"),
        ({"minLength": Decimal("1.5")}, "/minLength", "must be of type integer"),
        ({"required": "a"}, "/required", "must be of type array"),
        ({"properties": {"a": 1}}, "/properties/a", "must be of type object or boolean"),
        ({"$ref": "https://example.org/other.json"}, "/$ref", "must stay within this schema"),
        ({"$ref": "other.json"}, "/$ref", "must stay within this schema"),
        ({"items": {"$ref": "#/$defs/a"}}, "/items/$ref", "leads nowhere"),
        ({"items": {"$ref": "#a"}}, "/items/$ref", "leads nowhere"),
        ({"allOf": [{"$ref": "#/allOf/x"}]}, "/allOf/0/$ref", "leads nowhere"),
        ({"$ref": "#/x", "x": {"type": 5}}, "/$ref", "isn't a schema"),
        ({"$ref": "#/x", "x": {"pattern": "(?=a)"}}, "/x/pattern", "isn't a regular expression of RE2"),
        ({"not": {"pattern": r"(a)\1"}}, "/not/pattern", "isn't a regular expression of RE2"),
        ({"patternProperties": {"(": {}}}, "/patternProperties/(", "isn't a regular expression of RE2"),
        ({"pattern": "a" * 1001}, "/pattern", "longer than 1,000"),
        ({"items": {"$id": "https://example.org/a"}}, "/items", "Use $defs."),
        ({"anyOf": [{"unevaluatedProperties": False}]}, "/anyOf/0/unevaluatedProperties", "Write additionalProp"),
        ({"$dynamicRef": "#meta"}, "/$dynamicRef", "Write $ref."),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_the_place(schema, pointer, told):
    found = problems_of_schema(schema)
    assert [each["pointer"] for each in found] == [pointer]
    assert told in found[0]["message"]


def test_words_of_the_language_are_only_data_in_examples_and_enums():
    assert (
        problems_of_schema({"enum": [{"$ref": "x", "pattern": "("}], "default": {"type": 1}, "examples": [{"$id": 1}]})
        == []
    )


def test_patterns_are_those_of_ecma_that_re2_knows():
    assert problems_of_schema({"pattern": r"^\p{L}+$"}) == []
    assert problems_of_payload({"pattern": r"^\p{L}+$"}, "Ünal") == []


HANGS_RE = "^(a+)+$"


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"pattern": HANGS_RE}, "a" * 100_000 + "b"),
        ({"patternProperties": {HANGS_RE: False}}, {"a" * 100_000 + "b": 1}),
        ({"patternProperties": {HANGS_RE: False}, "additionalProperties": True}, {"a" * 100_000 + "b": 1}),
        ({"$schema": ORDER["$schema"], "items": {"$ref": "#"}, "pattern": HANGS_RE}, ["a" * 100_000 + "b"]),
        ({"uniqueItems": True}, [{"a": n} for n in range(20_000)]),
        ({"$ref": "#"}, 1),
        ({"items": {"type": "integer"}}, [1] * 300_000),
        (
            {
                "$ref": "#/$defs/a0",
                "$defs": {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 4} for n in range(12)} | {"a12": False},
            },
            1,
        ),
    ],
)
def test_no_payload_and_no_schema_makes_a_check_hang(schema, payload):
    assert problems_of_schema(schema) == []
    problems_of_payload(schema, payload)


numbers = st.integers(-3, 3) | st.decimals(-3, 3, places=1)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "aa"]), inner, max_size=3),
    max_leaves=8,
)
keywords = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "number", "boolean", "null", ["string", "null"]]),
        "minimum": numbers,
        "maximum": numbers,
        "exclusiveMinimum": numbers,
        "exclusiveMaximum": numbers,
        "multipleOf": st.integers(1, 3),
        "const": values,
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "minItems": st.integers(0, 3),
        "maxItems": st.integers(0, 3),
        "minProperties": st.integers(0, 3),
        "maxProperties": st.integers(0, 3),
        "dependentRequired": st.dictionaries(st.sampled_from(["a", "b"]), st.just(["aa"]), max_size=2),
        "$ref": st.sampled_from(["#/$defs/text", "#/$defs/a~1b"]),
        "pattern": st.sampled_from(["^a", "b$", "^(a|b)+$"]),
        "enum": st.lists(values, min_size=1, max_size=3),
        "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
        "uniqueItems": st.booleans(),
    },
)
schemas = st.recursive(
    keywords,
    lambda inner: st.builds(
        lambda base, more: base | more,
        keywords,
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
                "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=2),
                "additionalProperties": inner | st.booleans(),
                "items": inner,
                "anyOf": st.lists(inner, min_size=1, max_size=2),
                "oneOf": st.lists(inner, min_size=1, max_size=2),
                "allOf": st.lists(inner, min_size=1, max_size=2),
                "not": inner,
                "if": inner,
                "then": inner,
                "else": inner,
                "contains": inner,
                "minContains": st.integers(0, 2),
                "maxContains": st.integers(0, 2),
                "prefixItems": st.lists(inner, min_size=1, max_size=2),
                "propertyNames": inner,
                "dependentSchemas": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            },
        ),
    ),
    max_leaves=5,
)


DEFINED = {"text": {"type": "string"}, "a/b": {"items": {"$ref": "#/$defs/text"}}}


@settings(max_examples=400)
@given(schemas.map(lambda schema: schema | {"$defs": DEFINED}), values)
def test_the_verdict_is_that_of_the_library(schema, payload):
    assert problems_of_schema(schema) == []
    assert fits(schema, payload) is Draft202012Validator(schema).is_valid(payload)
    assert (not problems_of_payload(schema, payload)) is Draft202012Validator(schema).is_valid(payload)


KINDS_OF_WRONG = [None, 1, Decimal("1.5"), -1, "text", [], ["a", "a"], [1], {}, {"a": 1}, {"a": ["x", "x"]}, True]
KNOWN = sorted(
    {*Draft202012Validator.VALIDATORS, "$comment", "title", "default", "examples", "readOnly", "contentMediaType"}
)


@pytest.mark.parametrize("keyword", [word for word in KNOWN if word not in ("$ref", "$dynamicRef")])
@pytest.mark.parametrize("wrong", KINDS_OF_WRONG, ids=repr)
def test_a_keyword_is_well_formed_where_the_library_says_so(keyword, wrong):
    schema = {keyword: wrong}
    library = Draft202012Validator(Draft202012Validator.META_SCHEMA).is_valid(schema)
    assert alone(schema) == schema or library
    if is_well_formed(schema):
        assert library
    if keyword not in ("unevaluatedItems", "unevaluatedProperties"):
        inner = {"properties": {"x": schema}}
        assert (problems_of_schema(inner) == []) is library


def test_large_payloads_and_schemas_that_people_write_are_checked():
    fields = {f"field_{n}": {"type": "string", "maxLength": 100, "description": "A field."} for n in range(12)}
    schema = {"items": {"type": "object", "required": [*fields], "properties": fields, "additionalProperties": False}}
    assert problems_of_schema({"properties": {f"part_{n}": schema for n in range(100)}}) == []
    rows = [dict.fromkeys(fields, f"value {n}") for n in range(2_500)]
    assert problems_of_payload(schema, rows) == []
    assert problems_of_payload(schema, [*rows[:50], {}])[0]["pointer"] == "/50/field_0"
    assert problems_of_payload(schema, [*rows, {}]) == [{"pointer": "", "message": LOST}]
    assert problems_of_payload(schema, rows * 20) == [{"pointer": "", "message": TOO_LARGE}]

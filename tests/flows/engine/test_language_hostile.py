"""What people try on languages like this one. Each ends in a value that is harmless, or in a typed error."""

from __future__ import annotations

import sys
from decimal import Decimal

import pytest

from flows.engine.budget import Budget
from flows.engine.errors import FlowError
from flows.engine.limits import MAX_RENDERED_CHARS, MAX_WORK
from flows.engine.strictjson import dumps, loads
from flows.engine.templates import compile_text, compile_value

NAMES = {
    "payload": {
        "text": "abc",
        "n": 5,
        "list": [1, 2],
        "big": Decimal("1E+400"),
        "huge": 10**999,
        "tiny": Decimal("1E-400"),
    },
    "long": "ab" * (MAX_RENDERED_CHARS // 2),
    "item": None,
}

ATTRIBUTES = [
    "payload.__class__",
    "payload.text.__class__.__mro__[1].__subclasses__",
    "payload.text['__class__']",
    "payload['__class__']['__init__']['__globals__']",
    "payload.list.append",
    "payload.text.format",
    "payload.text.encode",
    "payload.n.numerator",
    "payload.get",
    "self.__init__.__globals__",
    "cycler.__init__.__globals__.os",
    "config.SECRET_KEY",
    "settings.DATABASES",
    "request.environ",
    "constructor.constructor",
    "__import__",
    "globals",
    "env.PATH",
    "process.env",
    "secrets.token",
    "run.__dict__",
    "item.__class__.__base__",
    "payload.none | default: payload | at: '__class__'",
    "exec",
]

REFUSED = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "''.__class__",
    "''.join(['a'])",
    "'%s' % payload.text",
    "'%0999999999d' % 1",
    "'{0.__class__}'.format(payload)",
    "'a' * 1000000000",
    "[0] * 1000000000",
    "9 ** 9 ** 9",
    "4000000 ** 4000000",
    "1 << 1000000000",
    "range(999999999)",
    "[x for x in range(99999)]",
    "lambda x: x",
    "x if y else z",
    "payload.text()",
    "payload.text | attr: '__class__'",
    "payload.text | map: '__class__'",
    "payload.text | format: 1",
    "payload | eval",
    "eval('1')",
    "f'{payload}'",
    "{% for x in payload %}{% endfor %}",
    "${jndi:ldap://localhost/a}",
    "#{7*7}",
    "<%= 7*7 %>",
    "$json.body",
    "(function(){return this})()",
    "new Date()",
    "payload=>payload",
    "`id`",
    "'a\\x41'",
    "'a\\u0041'",
    "'a\\0'",
    "\x00",
    "a\x00b",
    "'\x1b[31m'",
    "payload.big * 2",
    "payload.huge + 1",
    "payload.tiny * payload.tiny",
    "payload.big * payload.tiny",
    "1 % payload.tiny",
    "payload.big | round",
    "payload.huge | floor",
    "payload.huge | fixed: 2",
    "long | replace: 'a', long",
    "long | replace: 'ab', 'abc'",
    "long | append: long",
    "long | split: 'a'",
    "long | split: 'a' | join: long",
    "long | url_encode | url_encode | append: long",
    "long | base64 | base64",
    "long | json | json | append: long",
    "long | json | append: long",
    "'[' | replace: '[', long | parse_json",
    "-" * 2_000 + "1",
    "not " * 900 + "true",
    "1+(" * 800 + "1" + ")" * 800,
    "(" * 5_000 + "1" + ")" * 5_000,
    "(" * 2_000,
    "[" * 4_000,
    "'" * 4_001,
    "\\'" * 2_000,
    "a." * 2_040,
    "a|" * 2_040,
    "9" * 4_000,
    "0." + "9" * 4_000,
    "1" * 65,
    "1 < " * 900 + "1",
    "\u202e",
    "payload\u200b.text",
    "ｐａｙｌｏａｄ",
]

VALUES = [
    ("(" * 2_000 + "1" + ")" * 2_000, 1),
    (" + ".join(["1"] * 1_000), 1_000),
    (" * ".join(["1"] * 1_000), 1),
    (" and ".join(["true"] * 400), True),
    ("a" * 4_000, None),
    ("a" + ".a" * 2_000, None),
    ("a" + "[0]" * 1_300, None),
    ("a[" + "9" * 1_000 + "]", None),
    ("'" + "x" * 4_000 + "'", "x" * 4_000),
    ("'" + "\\'" * 2_000 + "'", "'" * 2_000),
    ("'x'" + "|upper|lower" * 300, "x"),
    ("payload.text\u00a0= 'abc'", True),
    ("payload.big = payload.big", True),
    ("payload.big > payload.huge", False),
    ("payload.huge = payload.huge", True),
    ("'{{ payload.text }}'", "{{ payload.text }}"),
    ("'{% raw %}${7*7}'", "{% raw %}${7*7}"),
    ("long | left: 2", "ab"),
    ("payload.text | replace: 'b', '%s{0}\\\\'", "a%s{0}\\c"),
]


def rendered(source, names=NAMES):
    return compile_value(source).render(names, Budget(MAX_WORK))


@pytest.mark.parametrize("source", ATTRIBUTES)
def test_attributes_are_missing_keys(source):
    assert rendered("{{ " + source + " }}") is None
    assert rendered("[{{ " + source + " }}]") == "[]"


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: ascii(source[:30]))
def test_what_is_no_business_of_authors_is_a_typed_error(source):
    with pytest.raises(FlowError) as failure:
        rendered("{{ " + source + " }}")
    assert failure.value.hint
    assert len(failure.value.message) < 400


@pytest.mark.parametrize(("source", "expected"), VALUES, ids=lambda value: ascii(str(value)[:30]))
def test_what_looks_dangerous_and_is_not_has_its_value(source, expected):
    assert rendered("{{ " + source + " }}") == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{" * 30_000,
        "{{ '" * 10_000,
        "{{ '" + "\\'" * 30_000,
        "{{" + "}" * 1_000,
        "{{ a }}" * 9_000,
        "{{ 1 + }}" * 7_000,
        '{{ "\'" }}' * 5_000,
        "}}{{" * 15_000,
    ],
    ids=lambda source: source[:12],
)
def test_any_heap_of_braces_is_read_once(source):
    value = compile_text(source)
    assert all(problem.hint for problem in value.problems)
    if value.problems:
        with pytest.raises(type(value.problems[0])):
            value.render(NAMES, Budget(MAX_WORK))
    else:
        assert type(value.render(NAMES, Budget(MAX_WORK))) is str


def test_numbers_cant_swell_a_text():
    assert rendered("{{ payload.big }}!") == "1E+400!"
    assert len(rendered("{{ payload.huge }}!")) == 1_001
    assert rendered("{{ payload.tiny }}!") == "1E-400!"


def test_what_was_filled_in_is_never_read_again():
    first = rendered("{{ payload.text }}", {"payload": {"text": "{{ run.id }} {{ secrets.x"}})
    second = rendered({"a": "{{ x }}", "b": "<{{ x }}>"}, {"x": first, "run": {"id": "leaked"}})
    third = rendered("{{ x.b }}", {"x": second, "run": {"id": "leaked"}})
    assert third == "<{{ run.id }} {{ secrets.x>"


def test_deep_values_are_read_compared_and_written_without_recursion_running_out():
    deep = loads("[" * 64 + "]" * 64)
    names = {"x": deep, "y": loads(dumps(deep))}
    assert sys.getrecursionlimit() <= 1_000
    assert rendered("{{ x = y }}", names) is True
    assert rendered("{{ x | unique | count }}", names) == 1
    assert rendered("{{ x }}!", names) == dumps(deep) + "!"


def test_a_run_that_does_too_much_stops():
    budget = Budget(MAX_WORK)
    value = compile_text("{{ items | map: 'a' | sort | unique | join }}")
    names = {"items": [{"a": index} for index in range(5_000)]}
    value.render(names, budget)
    assert budget.left < MAX_WORK - 10_000
    budget.left = 10_000
    with pytest.raises(FlowError) as failure:
        value.render(names, budget)
    assert failure.value.code == "too_much_work"

"""Flows and payloads that try to make a step hang or swell, by name: `(nodes, payload)`.

The author wrote the nodes, a partner sent the payload, of a MiB at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bomb = tuple[list[dict[str, Any]], Any]

START = {"number": 900_000, "type": "start", "name": "begin", "exits": {"next": 1}}
"""What leads to step 1, so that it is looked at with all the rest."""

TEXT = {
    "s": "ab" * 500_000,
    "emoji": "\N{BOMB}" * 250_000,
    "digits": "9" * 1_000_000,
    "blanks": " " * 1_000_000,
    "one": "a",
}
LONG = {"s": "ab" * 130_000, "t": "a" * 260_000, "emoji": "\N{BOMB}" * 250_000, "commas": "a," * 9_999}
NUMBERS = {"l": list(range(150_000)), "m": list(range(150_000, 0, -1))}
ZEROS = {"l": [0] * 500_000}
TEXTS = {"l": ["ab"] * 200_000}
OBJECTS = {"l": [{"a": n} for n in range(90_000)]}
EMPTIES = {"l": [{}] * 340_000}
LISTS = {"l": [[]] * 340_000}
KEYS = {"o": {f"k{n}": n for n in range(70_000)}}
HUGE = {"n": 10**999, "l": [10**999] * 1_000}


def step(type_name: str, **settings: Any) -> list[dict[str, Any]]:
    """A flow of one step and its end."""
    exits = {"yes": 2, "no": 2, "other": 2, "next": 2}
    known = {"start": ("next",), "switch_case": ("other",), "api_end": ()}.get(type_name, ("yes", "no"))
    first = {
        "number": 1,
        "type": type_name,
        "name": "it",
        "settings": settings,
        "exits": {name: exits[name] for name in known},
    }
    return [first, {"number": 2, "type": "api_end", "name": "end", "settings": {}}]


def sets(*values: Any) -> list[dict[str, Any]]:
    return step("set_variable", assignments=[{"name": f"v{n}", "value": value} for n, value in enumerate(values)])


def text(expression: str, times: int = 1) -> list[dict[str, Any]]:
    return sets(f"{{{{ {expression} }}}}" * times)


def calculates(expression: str) -> list[dict[str, Any]]:
    return step("calculate", expression=expression)


def nested(depth: int, inner: Any = 1) -> Any:
    made = inner
    for _ in range(depth):
        made = {"a": made}
    return made


EXPRESSIONS: dict[str, tuple[str, Any]] = {
    "replace makes a text of texts": ("payload.s | replace: 'a', payload.s", LONG),
    "replace by emoji": ("payload.t | replace: 'a', '\N{BOMB}'", LONG),
    "append again and again": ("payload.s" + " | append: payload.s" * 100, LONG),
    "upper again and again": ("payload.s" + " | upper | lower" * 250, LONG),
    "upper of sharp s": ("payload.t | replace: 'a', 'ß' | upper", LONG),
    "trim a mebibyte": ("payload.blanks" + " | trim" * 500, TEXT),
    "slices of a mebibyte": ("payload.s" + " | substr: 1" * 300, TEXT),
    "emoji sliced": ("payload.emoji" + " | substr: 1" * 300, TEXT),
    "split into many": ("payload.commas | split: ',' | join: payload.s", LONG),
    "split and join": ("payload.commas" + " | split: ',' | join: ','" * 120, LONG),
    "contains, quadratic": (" or ".join(["payload.s | contains: 'bb'"] * 100), TEXT),
    "sort numbers": ("payload.m" + " | sort" * 100, NUMBERS),
    "sort texts": ("payload.l" + " | sort" * 100, TEXTS),
    "sort objects by key": ("payload.l" + " | sort: 'a'" * 100, OBJECTS),
    "unique numbers": ("payload.l" + " | unique" * 100, NUMBERS),
    "unique objects": ("payload.l | unique", OBJECTS),
    "unique empties": ("payload.l | unique", EMPTIES),
    "sum": (" + ".join(["(payload.l | sum)"] * 100), NUMBERS),
    "sum of huge numbers": ("payload.l | sum", HUGE),
    "map": ("payload.l" + " | map: 'a'" * 100, OBJECTS),
    "join": (" + ".join(["(payload.l | join | length)"] * 100), ZEROS),
    "json": ("payload.l | json | length", ZEROS),
    "json of json": ("payload.s" + " | json" * 60, {"s": '"' * 1000}),
    "json of escapes": ("payload.s" + " | json" * 20, {"s": "\\" * 100_000}),
    "parse json of lists": ("payload.s | parse_json", {"s": "[" + "[]," * 80_000 + "[]]"}),
    "parse json of objects": ("payload.s | parse_json", {"s": "[" + '{"":0},' * 35_000 + "0]"}),
    "parse json again and again": (
        " and ".join(["(payload.s | parse_json) = null"] * 60),
        {"s": "[" + "0," * 120_000 + "0]"},
    ),
    "parse json of digits": ("payload.s | parse_json", {"s": "[" + "9" * 999 + ("," + "9" * 999) * 250 + "]"}),
    "parse json of numbers": ("payload.s | parse_json", {"s": "[" + "1e300," * 40_000 + "0]"}),
    "url_encode": ("payload.emoji | url_encode", {"emoji": "\N{BOMB}" * 80_000}),
    "url_encode again and again": ("payload.s" + " | url_encode" * 200, {"s": "%" * 80_000}),
    "base64 again and again": ("payload.s" + " | base64" * 100, {"s": "a" * 90_000}),
    "sha256": (" and ".join(["(payload.s | sha256) = ''"] * 100), TEXT),
    "equal lists": (" and ".join(["payload.l = payload.l"] * 150), NUMBERS),
    "equal objects": (" and ".join(["payload.o = payload.o"] * 150), KEYS),
    "equal empties": (" and ".join(["payload.l = payload.l"] * 100), EMPTIES),
    "contains in a list": (" or ".join(["payload.l | contains: -1"] * 100), NUMBERS),
    "contains deep": ("payload.l | contains: payload.l", OBJECTS),
    "slice a list": ("payload.l" + " | slice: 0" * 300, ZEROS),
    "count": (" + ".join(["(payload.l | count)"] * 200), ZEROS),
    "number of many digits": ("payload.digits | number", TEXT),
    "number of blanks": (" + ".join(["(payload.blanks | number)"] * 100), TEXT),
    "a huge number as text": ("payload.n | text | append: payload.n" + " | append: payload.n" * 200, HUGE),
    "arithmetic on huge numbers": ("payload.n * payload.n", HUGE),
    "compare huge numbers": (" and ".join(["payload.n = payload.n"] * 200), HUGE),
    "a list in a text": ("payload.l | text | length", ZEROS),
    "date again and again": (" and ".join(["('2026-01-31' | date: 'yyyy') = '2026'"] * 100), {}),
    "dates in odd locales": (
        " and ".join(
            f"('2026-01-31' | date: 'EEEE', 'UTC', '{code}') != ''"
            for code in ("zh", "ar", "ru", "hi", "ja", "ko", "th", "fa", "he", "el")
        ),
        {},
    ),
    "add time": ("'2026-01-31'" + " | add_time: 1, 'months'" * 150, {}),
    "number powers": ("9" * 60 + " * " + "9" * 60, {}),
    "many operations": (" + ".join(["1"] * 1_000), {}),
    "many divisions": (" / ".join(["7"] * 900), {}),
    "deep parentheses": ("(" * 2_000 + "1" + ")" * 2_000, {}),
    "deep not": ("not " * 900 + "true", {}),
    "many filters": ("'x'" + " | upper" * 450, {}),
    "unknown filters": ("'x'" + " | uper" * 400, {}),
    "long path": ("a" + ".a" * 2_000, {}),
}

FLOWS: dict[str, Callable[[], Bomb]] = {
    "a hundred texts of emoji": lambda: (sets(*["{{ payload.emoji }}x"] * 100), LONG),
    "a hundred texts": lambda: (sets(*["{{ payload.t }}x"] * 100), LONG),
    "a hundred copies of a list as text": lambda: (sets(*["{{ payload.l }}x"] * 100), {"l": [0] * 120_000}),
    "a tree of references": lambda: (sets({f"k{n}": "{{ payload }}" for n in range(3_000)}), {"s": "x" * 1_000}),
    "a tree of lists": lambda: (sets([["{{ payload.l }}"] * 100] * 10), {"l": [0] * 2_000}),
    "a tree of texts": lambda: (sets(["{{ payload.t }}x"] * 500), LONG),
    "a wide tree": lambda: (sets(["{{ payload.a }}"] * 50_000), {"a": 1}),
    "a deep tree": lambda: (sets(nested(50, "{{ payload }}")), nested(50)),
    "many sums in one text": lambda: (text("payload.l|sum", 3_000), {"l": list(range(2_000))}),
    "many paths in one text": lambda: (text("a", 8_000), {}),
    "many long texts in one": lambda: (text("payload.s", 3_000), {"s": "x" * 80}),
    "many bad expressions": lambda: (text("1 +", 6_000), {}),
    "many different expressions": lambda: (sets("".join(f"{{{{ a{n} + {n} }}}}" for n in range(3_000))), {}),
    "many calculations": lambda: (sets("".join(f"{{{{ {n}.5 * {n}.25 }}}}" for n in range(2_500))), {}),
    "open braces": lambda: (sets("{{" * 30_000), {}),
    "open quotes": lambda: (sets("{{ '" * 16_000), {}),
    "escapes": lambda: (sets("{{ '" + "\\'" * 30_000 + "' }}"), {}),
    **{
        f"a plain text of {told}": (lambda text=text: (sets(text), {}))
        for told, text in {
            "single braces": "{" * 500_000,
            "braces and blanks": "{ " * 250_000,
            "a brace and blanks": "{" + " " * 500_000,
            "a brace and a name": "{payload" + ".a" * 250_000,
            "names in braces": "{payload.a " * 40_000,
            "old references": "[[payload:" * 50_000,
            "old references that close": "[[payload:a.1.b]]" * 25_000,
            "open brackets": "[[" * 250_000,
            "brackets and blanks": "[[ " + " " * 500_000,
            "paths": "payload.a.b.c " * 35_000,
            "a long path": "payload" + ".a" * 250_000 + "(",
            "indexes": "payload" + "[0]" * 150_000 + "(",
            "quotes in brackets": 'payload["' * 50_000,
            "dollars": "${payload.a" * 45_000,
            "dots": "." * 500_000,
            "words": "a.b " * 120_000,
        }.items()
    },
    "a list displayed": lambda: (step("display_list", items="{{ payload.l }}", line="{{ item }}"), NUMBERS),
    "a list displayed with its whole": lambda: (
        step("display_list", items="{{ payload.l }}", line="{{ payload.l | count }}{{ item }}"),
        {"l": [0] * 50_000},
    ),
    "a list kept by sums": lambda: (
        step("display_list", items="{{ payload.l }}", line="x", keep="(payload.l | sum) > 0"),
        {"l": list(range(3_000))},
    ),
    "a list never kept": lambda: (step("display_list", items="{{ payload.l }}", line="x", keep="false"), ZEROS),
    "a list of emoji displayed": lambda: (
        step("display_list", items="{{ payload.l }}", line="{{ payload.e }}"),
        {"l": [0] * 1_000, "e": "\N{BOMB}" * 100_000},
    ),
    "a separator as long as may be": lambda: (
        step("display_list", items="{{ payload.l }}", line="", separator="{{ payload.t }}"),
        {"l": [0] * 1_000, **LONG},
    ),
    "objects displayed": lambda: (step("display_list", items="{{ payload.l }}", line="{{ item | json }}"), OBJECTS),
    "a remap of five hundred": lambda: (
        step("remap", value="{{ payload.t }}", mapping=[{"from": "{{ payload.t }}y", "to": "{{ payload.t }}z"}] * 500),
        LONG,
    ),
    "a remap of lists": lambda: (
        step("remap", value="{{ payload.l }}", mapping=[{"from": "{{ payload.l }}", "to": 1}] * 500),
        {"l": [*range(20_000), []]},
    ),
    "a remap of lists that differ at the end": lambda: (
        step("remap", value="{{ payload.l }}", mapping=[{"from": "{{ payload.m }}", "to": 1}] * 500),
        {"l": [*range(40_000), 1], "m": [*range(40_000), 2]},
    ),
    "a switch of fifty lists": lambda: (
        step("switch_case", value="{{ payload.l }}", cases=[{"exit": "other", "value": "{{ payload.m }}"}] * 50),
        {"l": [*range(60_000), 1], "m": [*range(60_000), 2]},
    ),
    "a condition over a list": lambda: (
        step("condition", left="{{ payload.l }}", operator="contains", right="x", data_type="string"),
        {"l": [[0] * 20] * 10_000},
    ),
    "a condition over dates": lambda: (
        step("condition", left="{{ payload.l }}", operator="contains", right="2026-01-31", data_type="date"),
        {"l": ["2026-01-30"] * 70_000},
    ),
    "a condition over numbers": lambda: (
        step("condition", left="{{ payload.l }}", operator="contains", right="1", data_type="number"),
        {"l": ["12345678901234567890.5"] * 40_000},
    ),
    "a condition within long texts": lambda: (
        step("condition", left="{{ payload.s }}", operator="contains", right="{{ payload.t }}b", data_type="string"),
        {"s": "a" * 400_000, "t": "a" * 200_000},
    ),
    "a regex of many repeats": lambda: (
        step("regular_expression", value="{{ payload.t }}", pattern="(a{1,30}){1,30}b"),
        {"t": "a" * 60_000},
    ),
    "a regex of repeats in repeats": lambda: (
        step("regular_expression", value="{{ payload.t }}", pattern="((a{0,100}){0,100}){0,100}"),
        {"t": "a" * 60_000},
    ),
    "a regex of alternatives": lambda: (
        step("regular_expression", value="{{ payload.t }}", pattern="(" + "|".join(["a*"] * 300) + ")*b"),
        {"t": "a" * 60_000},
    ),
    "a regex of groups": lambda: (
        step("regular_expression", value="{{ payload.t }}", pattern="(.*)" * 20 + "x"),
        {"t": "a" * 60_000},
    ),
    "a regex of captured texts": lambda: (
        step("regular_expression", value="{{ payload.t }}", pattern="((((((((((((((((((((.*))))))))))))))))))))"),
        {"t": "\N{BOMB}" * 60_000},
    ),
    "a regex of letters": lambda: (
        step("regular_expression", value="{{ payload.t }}", pattern=r"(\pL{1,100}){1,9}x"),
        {"t": "ä" * 60_000},
    ),
    "a regex that backtracks elsewhere": lambda: (
        step("regular_expression", value="{{ payload.t }}", pattern="(x+x+)+y"),
        {"t": "x" * 60_000},
    ),
    "a date of blanks": lambda: (
        step("date_format", value="{{ payload.t }}", source_pattern="yyyy" + " " * 90, target_pattern="y"),
        {"t": " " * 200},
    ),
    "a date pattern of names": lambda: (
        step("date_format", value="{{ payload.t }}", source_pattern="MMMM" + " 'x'" * 20, target_pattern="EEEE" * 1),
        {"t": "May " * 50},
    ),
    "a number of zeros": lambda: (step("number_format", value="{{ payload.n }}", pattern="0" * 100), {"n": 1}),
    "a number of groups": lambda: (
        step("number_format", value="{{ payload.n }}", pattern="#,##0." + "0" * 90),
        {"n": 10**299},
    ),
    "a number of a thousand digits": lambda: (
        step("number_format", value="{{ payload.n }}", pattern="#,##0.00"),
        {"n": 10**999 - 1},
    ),
    "a number far below one": lambda: (
        step("number_format", value="{{ payload.n }}", pattern="0E0"),
        {"n": "0." + "0" * 300 + "1"},
    ),
    "encrypt a mebibyte": lambda: (step("encrypt", value="{{ payload }}", algorithm="sha-256"), TEXT),
    "an answer of a mebibyte": lambda: (step("api_end", body=["{{ payload }}"] * 3), {"l": [0] * 300_000}),
    "an answer of many headers": lambda: (
        step("api_end", headers=[{"name": f"X-{n}", "value": "{{ payload.t }}"} for n in range(50)]),
        LONG,
    ),
    "an answer of a list": lambda: (
        step("api_end", headers=[{"name": "X-A", "value": "{{ payload.l }}"}] * 50),
        {"l": [0] * 300_000},
    ),
    "five hundred steps": lambda: (
        [
            {
                "number": n,
                "type": "calculate",
                "settings": {"expression": f"{n} + 1"},
                "exits": {"yes": n + 1, "no": n + 1},
            }
            for n in range(1, 500)
        ]
        + [{"number": 500, "type": "api_end"}],
        {},
    ),
    "five hundred steps that name each other": lambda: (
        [
            {
                "number": n,
                "type": "calculate",
                "name": f"c{n}",
                "settings": {"expression": " + ".join(f"c{m}.result" for m in range(max(1, n - 200), n)) or "1"},
                "exits": {"yes": n + 1, "no": n + 1},
            }
            for n in range(1, 500)
        ]
        + [{"number": 500, "type": "api_end"}],
        {},
    ),
    "a loop": lambda: (
        [
            {
                "number": 1,
                "type": "is_null",
                "settings": {"value": "{{ payload.l | sum }}"},
                "exits": {"yes": 1, "no": 1},
            },
            {"number": 2, "type": "api_end"},
        ],
        {"l": list(range(3_000))},
    ),
    "a loop that shows the payload": lambda: (
        [
            {
                "number": 1,
                "type": "is_null",
                "settings": {"value": "{{ payload }}"},
                "exits": {"yes": 1, "no": 1},
            },
            {"number": 2, "type": "api_end"},
        ],
        TEXT,
    ),
    "a hundred references to a list": lambda: (sets(*["{{ payload.l }}"] * 100), {"l": [0] * 120_000}),
    "a loop that grows": lambda: (
        [
            {
                "number": 1,
                "type": "set_variable",
                "settings": {"assignments": [{"name": "x", "value": "{{ x }}{{ x }}ab"}]},
                "exits": {"yes": 1, "no": 1},
            },
            {"number": 2, "type": "api_end"},
        ],
        {},
    ),
    "a loop that nests": lambda: (
        [
            {
                "number": 1,
                "type": "set_variable",
                "settings": {"assignments": [{"name": "x", "value": ["{{ x }}", "{{ x }}"]}]},
                "exits": {"yes": 1, "no": 1},
            },
            {"number": 2, "type": "api_end"},
        ],
        {},
    ),
}

ALL: dict[str, Callable[[], Bomb]] = {
    **{
        name: (lambda source=source, payload=payload: (sets("{{ " + source + " }}"), payload))
        for name, (source, payload) in EXPRESSIONS.items()
    },
    **{
        f"{name} (in a text)": (
            lambda source=source, payload=payload: (text(source, min(100, 60_000 // (len(source) + 8))), payload)
        )
        for name, (source, payload) in EXPRESSIONS.items()
    },
    **FLOWS,
}


def chain(length: int) -> dict[str, Any]:
    """References, each twice as many as the one before."""
    defs = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{length}": {"type": "object"}}}


SCHEMAS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "a pattern of a thousand dots": lambda: ({"properties": {"s": {"pattern": ".{1000}x"}}}, {"s": "ü" * 500_000}),
    "a pattern of many repeats": lambda: ({"properties": {"s": {"pattern": "(a?b?){500}c"}}}, {"s": "ab" * 500_000}),
    "a pattern whose states explode": lambda: (
        {"properties": {"s": {"pattern": "(a|b)*a(a|b){200}c"}}},
        {"s": "abbabab" * 140_000},
    ),
    "a pattern that backtracks elsewhere": lambda: (
        {"properties": {"s": {"pattern": "^(a+)+$"}}},
        {"s": "a" * 1_000_000 + "!"},
    ),
    "patterns on every item": lambda: ({"items": {"pattern": "^(a+)+$"}}, ["aaaaaaaaaaaaaa!"] * 55_000),
    "a hundred patterns": lambda: ({"allOf": [{"pattern": f"^(a{{0,{n}}}b?)+$"} for n in range(100)]}, "ab" * 50_000),
    "a pattern too large": lambda: ({"pattern": r"(\pL{1,100}){1,9}"}, "x"),
    "pattern properties": lambda: (
        {"patternProperties": {f"^k.*{n}$": {"type": "integer"} for n in range(100)}},
        {f"k{n}": n for n in range(70_000)},
    ),
    "additional properties": lambda: (
        {"additionalProperties": {"type": "integer"}, "properties": {f"p{n}": {} for n in range(100)}},
        {f"k{n}": n for n in range(70_000)},
    ),
    "property names": lambda: ({"propertyNames": {"pattern": "^[a-z]{1,100}$"}}, {f"k{n}": n for n in range(70_000)}),
    "references that double": lambda: (chain(40), {}),
    "many references to something large": lambda: (
        {
            "allOf": [{"$ref": "#/$defs/a"} for _ in range(5_000)],
            "$defs": {"a": {"properties": {f"p{n}": {"type": "string"} for n in range(1_000)}}},
        },
        {},
    ),
    "a reference to itself": lambda: ({"$ref": "#"}, {}),
    "references in a circle": lambda: (
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {},
    ),
    "a tree that refers to itself": lambda: ({"properties": {"a": {"$ref": "#"}}}, nested(60)),
    "items that refer to themselves": lambda: (
        {"items": {"$ref": "#"}, "anyOf": [{"type": "array"}, {"type": "integer"}]},
        [[1] * 10] * 30_000,
    ),
    "any of very many": lambda: ({"items": {"anyOf": [{"const": n} for n in range(1_000)]}}, [-1] * 50_000),
    "one of very many": lambda: ({"items": {"oneOf": [{"minimum": n} for n in range(1_000)]}}, [10_000] * 50_000),
    "not not not": lambda: (deeply("not", 55), 1),
    "all of all of": lambda: (deeply("allOf", 28, several=True), 1),
    "any of any of": lambda: ({"anyOf": [deeply("anyOf", 12, several=True, times=2)]}, "x"),
    "if then else": lambda: (deeply("if", 55), 1),
    "unique numbers": lambda: ({"uniqueItems": True}, list(range(150_000))),
    "unique objects": lambda: ({"uniqueItems": True}, [{"a": n} for n in range(90_000)]),
    "unique lists": lambda: ({"uniqueItems": True}, [[n] for n in range(100_000)]),
    "unique again and again": lambda: ({"allOf": [{"uniqueItems": True}] * 100}, list(range(100_000))),
    "multiples of almost nothing": lambda: ({"items": {"multipleOf": 1e-300}}, [10**300] * 3_000),
    "multiples of seven": lambda: ({"items": {"multipleOf": 7}}, [10**999 + 1] * 1_000),
    "an enum of many": lambda: ({"items": {"enum": [f"v{n}" for n in range(20_000)]}}, ["x"] * 60_000),
    "an enum of objects": lambda: ({"items": {"enum": [{"a": [n]} for n in range(10_000)]}}, [{"a": [-1]}] * 20_000),
    "a const of a large object": lambda: (
        {"items": {"const": {f"k{n}": n for n in range(1_000)}}},
        [{f"k{n}": n for n in range(999)} | {"k999": -1}] * 60,
    ),
    "contains": lambda: ({"contains": {"const": -1}}, list(range(140_000))),
    "contains so many": lambda: ({"contains": {"type": "integer"}, "minContains": 10**9}, [0] * 500_000),
    "many required": lambda: ({"items": {"required": [f"r{n}" for n in range(5_000)]}}, [{}] * 300_000),
    "many dependents": lambda: (
        {"dependentRequired": {f"k{n}": [f"r{m}" for m in range(100)] for n in range(300)}},
        {f"k{n}": 1 for n in range(300)},
    ),
    "many properties": lambda: (
        {"properties": {f"k{n}": {"type": "string"} for n in range(20_000)}},
        {f"k{n}": n for n in range(20_000)},
    ),
    "wrong everywhere": lambda: ({"items": {"type": "string"}}, [0] * 500_000),
    "right everywhere": lambda: ({"items": {"type": "integer", "minimum": 0, "maximum": 9}}, [0] * 500_000),
    "records": lambda: (
        {"items": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}},
        [{"a": 1}] * 120_000,
    ),
    "prefix items": lambda: ({"prefixItems": [{"type": "string"}] * 20_000}, [0] * 20_000),
    "a long text": lambda: ({"maxLength": 5, "minLength": 10**9}, "x" * 1_000_000),
    "formats": lambda: ({"items": {"format": "date-time"}}, ["2026-01-31T00:00:00Z"] * 45_000),
    "a wide schema": lambda: (
        {"properties": {f"p{n}": {"type": "object", "properties": {"a": {"type": "string"}}} for n in range(8_000)}},
        {},
    ),
    "a deep schema": lambda: (deeply("properties", 28), {}),
    "a schema of definitions": lambda: (
        {"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3_000)} | {"d3000": {}}, "$ref": "#/$defs/d0"},
        1,
    ),
    "a schema of wrong types": lambda: ({"properties": {f"p{n}": {"type": "nothing"} for n in range(10_000)}}, {}),
    "a schema of patterns": lambda: (
        {"patternProperties": {f"(a{{0,99}}){{0,{n % 9}}}{n}": {} for n in range(2_000)}},
        {},
    ),
}


def deeply(keyword: str, depth: int, *, several: bool = False, times: int = 1) -> Any:
    made: Any = {"type": "string"}
    for _ in range(depth):
        made = {keyword: [made] * times if several else {"a": made} if keyword == "properties" else made}
    return made

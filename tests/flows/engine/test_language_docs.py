"""The page on the language is true: its table is that of the filters, and each example gives what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.engine import limits
from flows.engine.budget import Budget
from flows.engine.errors import FlowError
from flows.engine.filters import FILTERS
from flows.engine.filters.texts import MAX_PARTS
from flows.engine.language import compile_expression
from flows.engine.strictjson import dumps, loads
from flows.engine.templates import compile_value
from flows.engine.values import equal

PAGE = (Path(__file__).parents[3] / "docs" / "language.md").read_text(encoding="utf-8")
NAMES = loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
BLOCKS = re.findall(r"```language\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = [line.rsplit(" → ", 1) for block in BLOCKS for line in block.splitlines()]
ROW = re.compile(r"^\| `(\[\[.*?\]\])` \| `(.*?)` \|$", re.MULTILINE)


def filters_table() -> str:
    rows = ["| filter | what it makes | for example | gives |", "|---|---|---|---|"]
    for name, row in sorted(FILTERS.items()):
        usage = f"{name}: {row.usage}" if row.usage else name
        doc = row.doc.replace("\n", " ")
        example = row.example.replace("|", "\\|")
        rows.append(f"| `{usage}` | {doc} | `{example}` | `{dumps(row.result)}` |")
    return "\n".join(rows)


def outcome(source: str) -> object:
    try:
        if "{{" not in source:
            return compile_expression(source).evaluate(NAMES, Budget(10_000))
        template = loads(source) if source.startswith("{") and not source.startswith("{{") else source
        return compile_value(template).render(NAMES, Budget(10_000))
    except FlowError as error:
        return error


@pytest.mark.parametrize(("source", "expected"), EXAMPLES, ids=[source.strip() for source, _ in EXAMPLES])
def test_each_example_gives_what_the_page_says(source, expected):
    found = outcome(source.rstrip())
    if expected.startswith("error "):
        assert isinstance(found, FlowError)
        assert found.code == expected.removeprefix("error ")
    else:
        assert equal(found, loads(expected)), found


def test_the_table_of_filters_is_that_of_the_code():
    begin, end = "test_language_docs.py -->\n", "<!-- /filters -->"
    shown = PAGE.split(begin)[1].split(end)[0]
    assert shown.strip() == filters_table(), "put this table into docs/language.md:\n" + filters_table()


def test_what_the_page_translates_can_be_read():
    rows = [(theirs, ours.replace("\\|", "|")) for theirs, ours in ROW.findall(PAGE)]
    assert len(rows) == 7
    for _, ours in rows:
        assert not compile_value(ours).problems


def test_the_limits_on_the_page_are_those_of_the_code():
    for number in (
        limits.MAX_EXPRESSION_CHARS,
        limits.MAX_EXPRESSION_DEPTH,
        limits.MAX_TEMPLATE_CHARS,
        limits.MAX_RENDERED_CHARS,
        limits.MAX_VALUE_CHARS,
        limits.MAX_JSON_DEPTH,
        limits.MAX_NUMBER_DIGITS,
        limits.MAX_WORK,
        limits.MAX_STEP_WORK,
        limits.MAX_REFERENCES,
        limits.MAX_STEP_EXPRESSION_CHARS,
        MAX_PARTS,
    ):
        assert f"{number:,}" in PAGE.split("## Limits")[1]

"""Why an expression can't be read, as a sentence to its author. The parser's own messages never get there."""

from __future__ import annotations

from lark import UnexpectedInput
from lark.exceptions import UnexpectedToken

from flows.engine.compiler import refused
from flows.engine.errors import SyntaxRefused

_HINTS: tuple[tuple[str, str], ...] = (
    ("===", "Write = or ==."),
    ("!==", "Write !=."),
    ("<>", "Write !=."),
    ("**", "There is no power operator; multiply instead."),
    ("^", "There is no power operator; multiply instead."),
    ("&&", "Write `and`."),
    ("||", "Write `or`; a single | applies a filter."),
    ("!=", "Something to compare is missing before it."),
    ("!", "Write `not`."),
    ("?", "There is no such choice here; take an IF statement or a switch."),
    ("{", "An expression has no braces in it; objects come from variables."),
    ("}", "An expression has no braces in it; objects come from variables."),
    ("|", "A filter stands behind a value: name | upper. As an argument, put both in parentheses."),
    ("’", "Texts stand in straight quotes: 'text'."),
    ("‘", "Texts stand in straight quotes: 'text'."),
    ("“", "Texts stand in straight quotes: 'text'."),
    ("”", "Texts stand in straight quotes: 'text'."),
    (".", "A key stands behind a name and a dot. A number begins and ends with a digit."),
    ("=", "An expression computes a value and sets none; for that there is Set variable."),
    ("(", "There are no functions; a filter stands behind its value: name | upper."),
    ("[", "A list comes from a variable, or from text with `| split: ','`."),
    ("]", "Every ] needs a [ before it."),
    (")", "Every ) needs a ( before it, and a value between them."),
    ("'", "Between two values stands an operator; to join texts write `| append: …`."),
    ('"', "Between two values stands an operator; to join texts write `| append: …`."),
    (",", "Commas stand between the arguments of a filter; decimals are written with a point."),
    (":", "A colon stands behind the name of a filter: name | left: 4."),
    ("and", "`and` stands between two conditions."),
    ("or", "`or` stands between two conditions."),
    ("not", "Put it in parentheses: a = (not b)."),
)
"""What authors bring from elsewhere, and what to write here; the first that fits counts."""


def refusal(source: str, error: UnexpectedInput) -> SyntaxRefused:
    """What is wrong, where, and what to do."""
    place = error.pos_in_stream if isinstance(error.pos_in_stream, int) else 0
    if isinstance(error, UnexpectedToken):
        if error.token.type == "$END":
            return _ended_early(source, error)
        place = error.token.start_pos or 0
    found = source[place:]
    if found[:1] in ("'", '"') and not isinstance(error, UnexpectedToken):
        return refused(
            "The text that begins here has no closing quote", place + 1, "Close it, or write \\' for a quote."
        )
    if source[:place].rstrip().endswith("["):
        return _bad_index(found, place)
    shown = str(error.token) if isinstance(error, UnexpectedToken) else found[:1]
    return refused(f"{shown[:40]} isn't expected here", place + 1, _hint(source, place))


def _ended_early(source: str, error: UnexpectedToken) -> SyntaxRefused:
    column = len(source.rstrip()) + 1
    for terminal, bracket in (("RPAR", ")"), ("RSQB", "]")):
        if terminal in error.expected:
            return refused(f"A closing {bracket} is missing", column, "Close what is open.")
    return refused("Something is missing at the end", column, "Write what should stand there, or take the rest away.")


def _bad_index(found: str, place: int) -> SyntaxRefused:
    hint = (
        "`| last` gives the last item." if found.startswith("-") else "One that is computed is read with `| at: index`."
    )
    return refused("In brackets stands an index from 0, or a key in quotes", place + 1, hint)


def _hint(source: str, place: int) -> str:
    if source[:place].rstrip().endswith("."):
        return 'A key stands behind a dot, and an index in brackets: items[0]. Other keys stand in quotes: ["a key"].'
    for signs, hint in _HINTS:
        if any(source.startswith(signs, place - back) for back in range(min(len(signs), place + 1))):
            return hint
    return "Between two values stands an operator; texts stand in quotes: 'text'."

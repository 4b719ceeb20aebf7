"""Text that looks like a reference and has no braces, or other ones than ours: it would go out as it stands.

Ordinary text must stay free of warnings, so the name has to be known at the step, and within a sentence only what no
one writes by chance counts: a path of the payload, or an output of a step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from flows.engine.errors import LanguageError
from flows.engine.templates import pieces_of
from flows.issues.base import Issue, Kind, Subject, Written, finds
from flows.issues.base.old_syntax import OLD, translated
from flows.issues.base.ways import PER_ITEM

UNBRACED = Kind(
    "unbraced_reference",
    "warning",
    "Step {step} has “{text}” in {place}, which isn't a reference: it stays there as it is written.",
    "If the value is meant, write {ours}",
)

_PATH = r"(?P<root>[A-Za-z_]\w*)(?P<rest>(?:\.[A-Za-z_]\w*|\[(?:\d+|\"[^\"\]]*\"|'[^'\]]*')\])%s)"
WHOLE = re.compile(_PATH % "+")
WITHIN = re.compile(r"(?<![\w./:@$\[{-])" + _PATH % "+" + r"(?![\w@(/])")
BRACED = re.compile(r"\$?\{\s*" + _PATH % "*" + r"\s*\}")

FILE_ENDINGS = frozenset(
    ("com", "csv", "htm", "html", "io", "jpg", "json", "net", "org", "pdf", "php", "png", "sh", "sql", "txt", "xml")
)
MAX_CHARS = 32 * 1024
"""Of a text that are looked at: it is a doubt only, and what is longer is a document."""

PLAIN_VALUES = frozenset(("now", "uuid", "index"))
"""Nothing can be read within them."""

Knows = Callable[[str], bool]


@finds(UNBRACED)
def unbraced(subject: Subject) -> Iterator[Issue]:
    for node in subject.reachable:
        for written in subject.texts[node.number]:
            found = (
                None if written.is_formula else _find(subject, written, partial(_knows, subject, node.number, written))
            )
            if found is not None:
                text, ours = found
                yield UNBRACED.at(node, written.setting, text=text, place=written.place, ours=ours)


def _knows(subject: Subject, number: int, written: Written, name: str) -> bool:
    return written.is_per_item if name in PER_ITEM else subject.ways.knows(number, name)


def _find(subject: Subject, written: Written, knows: Knows) -> tuple[str, str] | None:
    """The first text that looks like a reference, and how it is written here."""
    text = written.text[:MAX_CHARS]
    rest = _without_references(text)
    if "[[" in rest:
        for match in OLD.finditer(rest):
            ours = translated(match, subject.by_name, knows)
            if ours:
                return match[0], ours
    if "{" in rest:
        for match in BRACED.finditer(rest):
            if knows(match["root"]):
                return match[0], _ours(match)
    if "." not in rest and "[" not in rest:
        return None
    return _bare(subject, rest, text, knows)


def _without_references(text: str) -> str:
    if "{{" not in text:
        return text
    try:
        return " ".join(piece.text for piece in pieces_of(text) if not piece.is_expression)
    except LanguageError:
        return ""  # bad_expression tells


def _bare(subject: Subject, rest: str, text: str, knows: Knows) -> tuple[str, str] | None:
    whole = WHOLE.fullmatch(text.strip())
    if whole and knows(whole["root"]) and _is_path(whole) and _may_be_read(subject, whole):
        return whole[0], _ours(whole)
    for match in WITHIN.finditer(rest):
        if knows(match["root"]) and _is_path(match) and _is_no_prose(subject, match):
            return match[0], _ours(match)
    return None


def _is_path(match: re.Match[str]) -> bool:
    return match["root"] not in PLAIN_VALUES and match["rest"].rsplit(".", 1)[-1] not in FILE_ENDINGS


def _may_be_read(subject: Subject, match: re.Match[str]) -> bool:
    return match["root"] not in subject.by_name or _is_output(subject, match)


def _is_no_prose(subject: Subject, match: re.Match[str]) -> bool:
    return match["root"] == "payload" or _is_output(subject, match)


def _is_output(subject: Subject, match: re.Match[str]) -> bool:
    giver = subject.by_name.get(match["root"])
    first = re.match(r"\.(\w+)", match["rest"])
    return bool(giver and first and first[1] in giver.node_type.OUTPUTS)


def _ours(match: re.Match[str]) -> str:
    return "{{ " + match["root"] + match["rest"] + " }}"

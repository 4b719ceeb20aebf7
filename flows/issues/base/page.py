"""docs/issues.md, made from the kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flows.issues.base.issue import Kind

HEAD = """# Issues: what is found before a run

Every save checks the flow. An **error** keeps it from being submitted; a **warning** doesn't. Each issue names its step, the
setting where there is one, and says what to do. *Words in italics* stand for what the message names. Node types add
findings of their own, with codes of their own: a schema that is none, a header that can't be set.

This page is made from `flows/issues/`: `python -m flows.issues > docs/issues.md`.

| code | severity | what it says | what to do |
|---|---|---|---|
"""


def page(kinds: Mapping[str, Kind]) -> str:
    """The page, as Markdown."""
    return HEAD + "".join(_row(kinds[code]) for code in sorted(kinds))


def _row(kind: Kind) -> str:
    severity = kind.severity + (f"; warning if {kind.milder}" if kind.milder else "")
    return f"| `{kind.code}` | {severity} | {_words(kind.sentence)} | {_words(kind.hint)} |\n"


def _words(text: str) -> str:
    return re.sub(r"\{(\w+)\}", r"*\1*", text).replace("|", "\\|")

"""References, templates and expressions that can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.engine.errors import LanguageError, SyntaxRefused, UnknownFilter
from flows.issues.base import Issue, Kind, Subject, Written, finds

BAD = Kind(
    "bad_expression",
    "error",
    "Step {step} can't be read in {place}: {reason}",
    "Correct the expression (docs/language.md).",
)
FILTER = Kind(
    "unknown_filter",
    "error",
    "Step {step} uses a filter in {place} that isn't there: {reason}",
    "Use one of the filters in docs/language.md.",
)


@finds(BAD, FILTER)
def unreadable(subject: Subject) -> Iterator[Issue]:
    for node in subject.nodes:
        for written in subject.texts[node.number]:
            for error in written.compiled.problems:
                kind = FILTER if isinstance(error, UnknownFilter) else BAD
                yield kind.at(node, written.setting, hint=error.hint, **_words(written, error))


def _words(written: Written, error: LanguageError) -> dict[str, Any]:
    column = error.column if isinstance(error, SyntaxRefused) and "olumn" not in error.message else 0
    where = f"{written.place} (column {column} of the expression)" if column else written.place
    return {"place": where, "reason": error.message}

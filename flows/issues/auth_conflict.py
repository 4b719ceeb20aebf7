"""A header or query parameter of a step that the connection sets itself: what the step says is ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flows.issues.base import Issue, Kind, Subject, Use, finds

CONFLICT = Kind(
    "auth_conflict",
    "error",
    "Step {step} sets the {what} “{name}”, which the connection “{connection}” sets itself, with its secret.",
    "Take “{name}” out of the step: the connection adds it to every call.",
)


@finds(CONFLICT)
def auth_conflicts(subject: Subject) -> Iterator[Issue]:
    for use in subject.uses:
        if use.kind == "connection" and use.definition is not None:
            yield from _conflicts(use, use.definition.content.get("auth") or {})


def _conflicts(use: Use, auth: Mapping[str, Any]) -> Iterator[Issue]:
    kind, key = auth.get("kind"), str(auth.get("name", ""))
    header = key.lower() if kind == "api_key_header" else "authorization" if kind in ("basic", "bearer") else None
    parameter = key if kind == "api_key_query" else None
    for index, name in _set_by(use, "headers"):
        if name.lower() == header:
            yield CONFLICT.at(use.node, f"headers[{index}]", what="header", name=name, connection=use.name)
    for index, name in _set_by(use, "query"):
        if name == parameter:
            yield CONFLICT.at(use.node, f"query[{index}]", what="query parameter", name=name, connection=use.name)


def _set_by(use: Use, setting: str) -> Iterator[tuple[int, str]]:
    """The names that the step sets there. A value that is null leaves its name out."""
    for index, pair in enumerate(use.node.settings.get(setting) or ()):
        if pair["value"] is not None:
            yield index, pair["name"]

"""Endpoints, connections and keys that a step uses and that aren't there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.issues.base import Issue, Kind, Subject, Use, finds


def _kind(name: str, code: str) -> Kind:
    return Kind(
        code,
        "error",
        f"Step {{step}} uses the {name} “{{name}}”{{because}}, and there is none of that name.",
        f"Choose one that is there, or add the {name}.",
    )


ENDPOINT = _kind("endpoint", "unknown_endpoint")
CONNECTION = _kind("connection", "unknown_connection")
KEY = _kind("key", "unknown_key")
OTHER = Kind(
    "unknown_definition",
    "error",
    "Step {step} uses the {kind} “{name}”{because}, and there is none of that name.",
    "Choose one that is there, or add it.",
)
_OF = {"endpoint": ENDPOINT, "connection": CONNECTION, "key": KEY}


@finds(ENDPOINT, CONNECTION, KEY, OTHER)
def unknown_definitions(subject: Subject) -> Iterator[Issue]:
    for use in subject.uses:
        if use.definition is None:
            yield _missing(subject, use)


def _missing(subject: Subject, use: Use) -> Issue:
    needed = use.needed_by
    because = f", which the {needed.kind} “{needed.name}” needs" if needed else ""
    kind = _OF.get(use.kind, OTHER)
    close = subject.did_you_mean(use.name, subject.catalog.names(use.kind))
    words: dict[str, Any] = {"kind": use.kind, "name": use.name, "because": because}
    return kind.at(use.node, use.setting, before=close, **words)

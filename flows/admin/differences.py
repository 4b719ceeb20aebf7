"""What differs between two contents, node by node and definition by definition: what an approver has to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from typing import Any

from flows.engine.strictjson import pretty

MAX_DIFFERENCES = 60
MAX_LINES = 1_500
"""Of one node or definition. Comparing longer texts line by line may take long; they are shown as changed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is new, gone or changed; `lines` are (sign, text), the sign one of `+`, `-` and a blank."""

    what: str
    lines: list[tuple[str, str]]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """From one content to the other, MAX_DIFFERENCES at most; nothing where they are the same."""
    return list(islice(_differences(_parts(before), _parts(after)), MAX_DIFFERENCES))


def _parts(content: Mapping[str, Any]) -> dict[str, str]:
    """A content, cut into what people name: its text by part."""
    parts = {"The flow": pretty(content["flow"])} if "flow" in content else {}
    for node in sorted(content["nodes"], key=lambda node: node["number"]):
        parts[f"Node {node['number']}, {node['type']}"] = pretty(node)
    for kind, named in sorted(content.get("definitions", {}).items()):
        for name, definition in sorted(named.items()):
            parts[f"{kind.capitalize()} {name}"] = pretty(definition)
    return parts


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for what, text in after.items():
        if what not in before:
            yield Difference(f"{what}: new", [("+", line) for line in text.splitlines()])
        elif text != before[what]:
            yield Difference(f"{what}: changed", _lines(before[what], text))
    for what, text in before.items():
        if what not in after:
            yield Difference(f"{what}: gone", [("-", line) for line in text.splitlines()])


def _lines(before: str, after: str) -> list[tuple[str, str]]:
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MAX_LINES:
        return [(" ", "Too long to compare line by line: look at the content below.")]
    diff = unified_diff(old, new, n=2, lineterm="")
    return [(line[0], line[1:]) for line in islice(diff, 2, None) if not line.startswith("@@")]

"""How flows are written in the product that Chatflow follows, `[[name:path.1.field]]`, and how the same is written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from flows.engine.graph import GraphNode
from flows.engine.records import NAME_PATTERN

OLD = re.compile(r"\[\[\s*(?P<root>[A-Za-z_]\w*)(?P<rest>[^\[\]]*)\]\]")
"""One that holds no other."""

FILTERS = {"lower": 0, "upper": 0, "left": 1, "right": 1, "substr": 2}
"""The commands of the product that are filters here, and how many arguments stand before their value."""


def translated(match: re.Match[str], nodes: Mapping[str, GraphNode], knows: Callable[[str], bool]) -> str:
    """The reference in our words; empty if it is no reference but text in brackets."""
    root, rest = match["root"], match["rest"].strip()
    parts = rest.removeprefix(":").split(":") if rest else []
    if root in FILTERS and len(parts) == FILTERS[root] + 1 and not knows(root):
        *arguments, value = parts
        source = value if knows(value) else f"'{value}'"
        return f"{{{{ {source} | {root}{': ' if arguments else ''}{', '.join(arguments)} }}}}"
    if root == "session" and rest.startswith(":"):
        return "{{ payload.… }}: there is no session here, only what callers send"
    if not knows(root) or (rest and rest[0] not in ":."):
        return ""
    return f"{{{{ {root}{_path(rest, nodes.get(root))} }}}}"


def _path(rest: str, giver: GraphNode | None) -> str:
    """`:products.1.id` as `.products[0].id`; what a service answered lies under `data`."""
    keys = [key.strip() for key in re.split(r"[:.]", rest) if key.strip()]
    outputs = giver.node_type.OUTPUTS if giver else {}
    if keys and "data" in outputs and keys[0] not in outputs:
        keys.insert(0, "data")
    return "".join(_step(key) for key in keys)


def _step(key: str) -> str:
    if key.isdigit():
        return f"[{max(int(key) - 1, 0)}]"
    return f".{key}" if re.fullmatch(NAME_PATTERN, key) else f'["{key}"]'

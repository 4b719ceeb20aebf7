"""The pages that are made from declarations: `python -m flows.reference` writes docs/nodes.md and the file's schema."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import flows.nodes  # noqa: F401
from flows.engine.node import NODE_TYPES, Filled, Node
from flows.engine.strictjson import dumps, pretty
from flows.file_schema import file_schema

DOCS = Path(__file__).resolve().parent.parent / "docs"
GROUPS = ("Start", "Action", "Integration", "End")

HEAD = """# Node types

What a step can do. A step leaves by one of its **exits**: `yes` where it worked or where it is so, `no` otherwise, unless the
type says more. What can't be done leaves by `no` (or `other`), with the error in the run's story; where that exit leads
nowhere the run fails with CT04. **Outputs** are read as `{{ name.output }}`, by the name of the step; they are those of the
last visit, and gone where that visit failed.

A setting that takes *references* may hold `{{ … }}` ([the language](language.md)). One that is any JSON keeps the type of a text
that is exactly one reference. What is marked *hidden* is shown in no trace.

A released type never changes under a deployed flow: settings are only ever added, with a default that keeps the old
behaviour.

This page is made from `flows/nodes/`: `python -m flows.reference`.

"""

_FILLED = {
    "value": "any JSON, references",
    "text": "text, references",
    "formula": "expression",
    "each": "text for each item, references",
    "each formula": "expression for each item",
}


def nodes_page() -> str:
    """docs/nodes.md."""
    types = sorted(NODE_TYPES.values(), key=lambda each: (GROUPS.index(each.GROUP), each.LABEL))
    contents = "".join(f"- [{each.LABEL}](#{each.TYPE}): {_first_sentence(each)}\n" for each in types)
    return HEAD + contents + "".join(f"\n{section}" for section in map(_section, types))


def write() -> None:
    """Write the generated pages to docs/."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File names in docs/ to what belongs there."""
    return {"nodes.md": nodes_page(), "flow-file.schema.json": pretty(file_schema())}


def _section(node_type: type[Node]) -> str:
    lines = [
        f'<a id="{node_type.TYPE}"></a>',
        f"## {node_type.LABEL}",
        "",
        f"`{node_type.TYPE}`. {_doc(node_type)}",
        "",
    ]
    lines += [f"Also found as: {', '.join(node_type.WORDS)}.", ""]
    rows = list(_settings(node_type, ""))
    if rows:
        lines += ["| setting | what it takes | default | |", "|---|---|---|---|", *rows, ""]
    lines += [f"Exits: {_exits(node_type)}.", ""]
    if node_type.OUTPUTS:
        lines += ["| output | |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(text)} |" for name, text in node_type.OUTPUTS.items()] + [""]
    return "\n".join(lines)


def _doc(node_type: type[Node]) -> str:
    """The description of a type: its paragraphs, each on one line."""
    paragraphs = (inspect.getdoc(node_type) or "").split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)


def _first_sentence(node_type: type[Node]) -> str:
    return _doc(node_type).partition("\n")[0].partition(". ")[0].rstrip(".") + "."


def _settings(model: type[BaseModel], prefix: str) -> Iterator[str]:
    properties = model.model_json_schema(by_alias=True)["properties"]
    for name, field in model.model_fields.items():
        key = field.alias or name
        default = "required" if field.is_required() else f"`{dumps(field.get_default(call_default_factory=True))}`"
        takes = _takes(field, properties[key])
        yield f"| `{prefix}{key}` | {_cell(takes)} | {_cell(default)} | {_cell(field.description or '')} |"
        group = _group(field)
        if group is not None:
            yield from _settings(group, f"{prefix}{key}[].")


def _takes(field: FieldInfo, schema: dict[str, Any]) -> str:
    mark = next((mark for mark in field.metadata if isinstance(mark, Filled)), None)
    if mark is not None:
        return _FILLED[mark.how] + (", hidden" if len(field.metadata) > 1 and mark.how == "value" else "")
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if _group(field) is not None:
        return f"list, at most {schema['maxItems']}"
    kinds = {"string": "text", "integer": "whole number", "object": "object", "array": "list"}
    kind = kinds.get(schema.get("type") or schema.get("anyOf", [{}])[0].get("type", ""), "any JSON")
    return kind + (f", {schema['minimum']} to {schema['maximum']}" if "minimum" in schema else "")


def _group(field: FieldInfo) -> type[BaseModel] | None:
    """The group of settings that a list has in it, if any."""
    inner = next(iter(get_args(field.annotation)), None)
    return inner if inspect.isclass(inner) and issubclass(inner, BaseModel) else None


def _exits(node_type: type[Node]) -> str:
    if node_type.exits.__func__ is Node.exits.__func__:  # type: ignore[attr-defined]
        return ", ".join(f"`{name}`" for name in node_type.EXITS) or "none, the run ends here"
    listed = next(name for name in node_type.model_fields if name in ("cases", "outcomes"))
    without = " and ".join(f"`{name}`" for name in node_type.exits({}))
    return f"one for each of `{listed}`, and `other`; without any, {without}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    write()

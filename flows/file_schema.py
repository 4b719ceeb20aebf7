"""The JSON Schema of the flow file: what the importer checks, and the settings of every node type."""

from __future__ import annotations

from copy import deepcopy
from inspect import getdoc
from typing import Any

import flows.nodes  # noqa: F401
from flows.engine.graph import FlowFile
from flows.engine.node import EXIT_PATTERN, NODE_TYPES, Node

Schema = dict[str, Any]


def file_schema() -> Schema:
    """The schema (2020-12). A node is one of the forms that its type has."""
    schema = _untitled(FlowFile.model_json_schema())
    definitions = schema.pop("$defs")
    record = definitions.pop("NodeRecord")
    target = record["properties"]["exits"]["patternProperties"][EXIT_PATTERN]
    forms = []
    for name, node_type in sorted(NODE_TYPES.items()):
        settings = _untitled(node_type.model_json_schema(by_alias=True))
        definitions.update(settings.pop("$defs", {}))
        definitions[name] = settings
        definitions[f"{name}_node"] = _node(record, node_type, {"$ref": "#/$defs/exit"})
        forms.append({"$ref": f"#/$defs/{name}_node"})
    definitions["exit"] = {**target, "description": "A node's number, a step of another flow, or null: a placeholder."}
    definitions["node"] = {"oneOf": forms}
    schema["properties"]["nodes"]["items"] = {"$ref": "#/$defs/node"}
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Chatflow flow file, format 1"}
    return {**about, **schema, "$defs": dict(sorted(definitions.items()))}


def _node(record: Schema, node_type: type[Node], target: Schema) -> Schema:
    made = deepcopy(record)
    made["description"] = (getdoc(node_type) or "").partition("\n")[0]
    made["properties"]["type"] = {"const": node_type.TYPE}
    made["properties"]["settings"] = {"$ref": f"#/$defs/{node_type.TYPE}"}
    made["properties"]["exits"] = {"type": "object", "additionalProperties": False, **_exits(node_type, target)}
    if any(field.is_required() for field in node_type.model_fields.values()):
        made["required"] = [*made["required"], "settings"]
    return made


def _exits(node_type: type[Node], target: Schema) -> Schema:
    """The exits of a type, or any where they come from its settings."""
    if node_type.exits.__func__ is not Node.exits.__func__:  # type: ignore[attr-defined]
        return {"patternProperties": {EXIT_PATTERN: target}}
    return {"properties": dict.fromkeys(node_type.EXITS, target)}


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes of names."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _untitled(item) for key, item in schema.items() if key != "title" or isinstance(item, dict)}

"""The schema of the payload, and the sample beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.engine.graph import GraphNode
from flows.engine.payload_schema import problems_of_payload, problems_of_schema
from flows.issues.base import Issue, Kind, Subject, finds

INVALID = Kind(
    "payload_schema_invalid",
    "error",
    "The payload schema of step {step} is no JSON Schema (2020-12): {place} {reason}.",
    "Correct the schema; until then no payload can be checked against it.",
)
SAMPLE = Kind(
    "sample_mismatch",
    "warning",
    "The sample of step {step} doesn't meet the payload schema: {place} {reason}.",
    "Correct the sample, which partners copy, or the schema.",
)


@finds(INVALID, SAMPLE)
def payload_schemas(subject: Subject) -> Iterator[Issue]:
    for number in subject.graph.starts:
        node = subject.graph.nodes[number]
        if isinstance(node.settings.get("payload_schema"), dict) and node.node is not None:
            yield from _problems(node, node.settings["payload_schema"])


def _problems(node: GraphNode, schema: dict[str, Any]) -> Iterator[Issue]:
    problems = problems_of_schema(schema)
    for problem in problems:
        place = problem["pointer"] or "the schema"
        yield INVALID.at(node, "payload_schema", place=place, reason=problem["message"].rstrip("."))
    if problems or node.settings.get("sample") is None:
        return
    for problem in problems_of_payload(schema, node.settings["sample"]):
        yield SAMPLE.at(node, "sample", place=problem["pointer"] or "it", reason=problem["message"].rstrip("."))

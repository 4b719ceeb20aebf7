"""References to names that nothing sets on any way to the step, and to outputs that a step doesn't give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.engine.graph import GraphNode
from flows.issues.base import Issue, Kind, Subject, Written, finds
from flows.issues.base.ways import GIVEN, PER_ITEM

UNKNOWN = Kind(
    "unknown_reference",
    "error",
    "Step {step} reads “{name}” in {place}, and nothing sets it on any way to this step.",
    "Set it in a step before, or read what callers send as payload.…",
)
OUTPUT = Kind(
    "unknown_output",
    "warning",
    "Step {step} reads “{path}” in {place}, and step {giver} gives no “{output}”.",
    "Step {giver} gives: {outputs}.",
)


@finds(UNKNOWN, OUTPUT)
def unknown_references(subject: Subject) -> Iterator[Issue]:
    """Of the steps that a run can come to. A name that is set on one of several ways is known."""
    for node in subject.reachable:
        for written in subject.texts[node.number]:
            for path in written.compiled.references:
                yield from _problems(subject, node, written, tuple(path))


def _problems(subject: Subject, node: GraphNode, written: Written, path: tuple[str | int, ...]) -> Iterator[Issue]:
    name = str(path[0])
    giver = subject.by_name.get(name)
    if name in PER_ITEM:
        if not written.is_per_item:
            advice = f"“{name}” is there only in a setting that is filled in once per item, like the line of a list."
            yield UNKNOWN.at(node, written.setting, name=name, place=written.place, hint=advice)
    elif not subject.ways.knows(node.number, name):
        yield UNKNOWN.at(node, written.setting, name=name, place=written.place, hint=_advice(subject, node, name))
    elif giver and len(path) > 1 and name not in GIVEN and name not in subject.ways.brought:
        outputs = giver.node_type.OUTPUTS
        if path[1] not in outputs:
            words: dict[str, Any] = {
                "path": f"{name}{_key(path[1])}",
                "output": path[1],
                "giver": giver.title,
                "outputs": ", ".join(outputs),
            }
            close = subject.did_you_mean(str(path[1]), outputs)
            yield OUTPUT.at(node, written.setting, place=written.place, before=close, **words)


def _key(key: str | int) -> str:
    return f"[{key}]" if isinstance(key, int) else f".{key}"


def _advice(subject: Subject, node: GraphNode, name: str) -> str:
    giver = subject.by_name.get(name)
    if giver is node:
        return "A step can't read its own outputs before it ran. Read them in a later step."
    if giver and not giver.node_type.OUTPUTS:
        return f"Step {giver.title} gives no outputs. Read what it was given instead."
    setters = [giver.number] if giver else subject.ways.variables.get(name, ())
    if setters:
        which = " and ".join(subject.graph.nodes[number].title for number in setters[:3])
        return f"Only step {which} sets it: put that step on the way to this one, or read something else."
    names = subject.ways.names_at(node.number)
    return subject.did_you_mean(name, names) + UNKNOWN.hint

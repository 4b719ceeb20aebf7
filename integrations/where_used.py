"""Where a definition is used: in drafts, and in versions that are live or on their way there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flows.engine.graph import read_graph
from flows.engine.strictjson import loads, stored
from flows.models import Entity, Flow, Status, Version

LIVE = (Status.SUBMITTED, Status.APPROVED, Status.DEPLOYED)


def uses_of(entity: Entity, kind: str, name: str) -> list[str]:
    """What uses the definition, as people name it: `the draft of order-update`, `version 3 of order-update`."""
    drafts = [f"the draft of {slug}" for slug in _drafts(entity, kind, name)]
    return drafts + [f"version {number} of {slug}" for slug, number in _versions(entity, kind, name)]


def _drafts(entity: Entity, kind: str, name: str) -> Iterator[str]:
    for flow in Flow.objects.filter(entity=entity, draft__contains=f'"{name}"').order_by("slug"):
        nodes = read_graph(loads(flow.draft)).nodes.values()
        if any((kind, name) in _used(node) for node in nodes):
            yield flow.slug


def _used(node: Any) -> set[tuple[str, str]]:
    """What a node uses; where its settings aren't valid yet, what they name."""
    if node.node is not None:
        return set(node.node.uses())
    return {(kind, value) for kind, value in node.settings.items() if isinstance(value, str)}


def _versions(entity: Entity, kind: str, name: str) -> Iterator[tuple[str, int]]:
    versions = Version.objects.filter(flow__entity=entity, status__in=LIVE, content__text__contains=f'"{name}"')
    for version in versions.select_related("flow", "content").order_by("flow__slug", "number"):
        content: Any = stored(version.content.text)
        if name in content["definitions"].get(kind, {}):
            yield version.flow.slug, version.number

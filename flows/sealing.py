"""Freeze a draft and every definition it uses into one canonical text; its SHA-256 names it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from flows.engine.graph import Graph, read_graph
from flows.engine.protocols import Catalog, Definition
from flows.engine.strictjson import canonical, loads
from flows.models import Content, Flow

KINDS = ("connection", "endpoint", "key")
"""Kinds of definitions that every content has a place for, though it may be empty."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed text. `subjects` maps the subject of edits of each definition in it to (kind, name).

    `missing` are definitions that the graph names and nobody has made.
    """

    text: str
    sha256: str
    subjects: Mapping[str, tuple[str, str]]
    missing: tuple[tuple[str, str], ...]


def seal(flow: Flow, environment: str, catalog: Catalog) -> Sealed:
    """Seal the flow's saved draft with the definitions as `catalog` has them now.

    The same draft and definitions give the same text. A definition that is missing is left out; a run that needs it
    says so (submitting is refused before).
    """
    nodes = loads(flow.draft)
    graph = read_graph(nodes)
    found, missing = definitions_of(graph, catalog)
    about = {"slug": flow.slug, "name": flow.name, "kind": flow.kind, "entity": flow.entity.slug}
    text = canonical(_content(about, nodes, environment, found))
    subjects = {definition.subject: (definition.kind, definition.name) for definition in found}
    return Sealed(text, sha256_of(text), subjects, missing)


def content_of(
    about: Mapping[str, str], nodes: list[Any], graph: Graph, environment: str, catalog: Catalog
) -> dict[str, Any]:
    """The content of a graph that no flow in the database holds: a file that is tried in the terminal."""
    return _content(about, nodes, environment, definitions_of(graph, catalog)[0])


def definitions_of(graph: Graph, catalog: Catalog) -> tuple[list[Definition], tuple[tuple[str, str], ...]]:
    """The definitions that the nodes use, those that these need, and so on; and the names behind which there is none."""
    wanted = sorted({use for node in graph.nodes.values() if node.node for use in node.node.uses()})
    seen: set[tuple[str, str]] = set()
    found: list[Definition] = []
    missing: list[tuple[str, str]] = []
    while wanted:
        kind, name = wanted.pop()
        if (kind, name) in seen:
            continue
        seen.add((kind, name))
        definition = catalog.find(kind, name)
        if definition is None:
            missing.append((kind, name))
            continue
        found.append(definition)
        wanted.extend(definition.needs)
    return found, tuple(sorted(missing))


def store(text: str) -> Content:
    """The Content of that text, written if it isn't there yet. Two that store the same text at once get the same one."""
    sha256 = sha256_of(text)
    content = Content.objects.filter(pk=sha256).first()
    if content is not None:
        return content
    try:
        with transaction.atomic():
            return Content.objects.create(sha256=sha256, text=text)
    except IntegrityError:
        return Content.objects.get(pk=sha256)


def sha256_of(text: str) -> str:
    """The key of a content."""
    return hashlib.sha256(text.encode()).hexdigest()


def _content(about: Mapping[str, str], nodes: list[Any], environment: str, found: list[Definition]) -> dict[str, Any]:
    definitions: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for definition in found:
        definitions.setdefault(definition.kind, {})[definition.name] = definition.content
    return {
        "format": 1,
        "environment": str(environment),
        "flow": dict(about),
        "nodes": nodes,
        "definitions": definitions,
    }

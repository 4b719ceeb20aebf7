"""A Catalog made from JSON, as golden cases have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.engine.protocols import Definition, Entry


@dataclass(frozen=True)
class FakeCatalog:
    """`flows` maps a slug to the steps of what is deployed, or to None where nothing is."""

    definitions: Mapping[tuple[str, str], Definition] = field(default_factory=dict)
    flows: Mapping[str, frozenset[int] | None] = field(default_factory=dict)
    coming: tuple[Entry, ...] = ()

    def find(self, kind: str, name: str) -> Definition | None:
        return self.definitions.get((kind, name))

    def names(self, kind: str) -> Iterable[str]:
        return [name for its_kind, name in self.definitions if its_kind == kind]

    def flow_steps(self, slug: str) -> frozenset[int] | None:
        return self.flows.get(slug)

    def flow_exists(self, slug: str) -> bool:
        return slug in self.flows

    def entries(self, slug: str) -> Iterable[Entry]:
        return self.coming


def catalog_of(raw: Mapping[str, Any]) -> FakeCatalog:
    """The catalog that a golden case describes."""
    definitions = [
        Definition(
            kind=each["kind"],
            name=each["name"],
            content=each.get("content", {}),
            subject=f"{each['kind']}:1",
            needs=tuple((kind, name) for kind, name in each.get("needs", [])),
        )
        for each in raw.get("definitions", [])
    ]
    flows = {slug: None if steps is None else frozenset(steps) for slug, steps in raw.get("flows", {}).items()}
    sets = ("variables", "through")
    coming = [Entry(**each | {key: frozenset(each.get(key, [])) for key in sets}) for each in raw.get("entries", [])]
    return FakeCatalog({(each.kind, each.name): each for each in definitions}, flows, tuple(coming))

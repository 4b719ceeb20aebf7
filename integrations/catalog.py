"""The real Catalog: an entity's definitions and flows, as submitting freezes them and as issues look them up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from flows.engine.graph import read_graph
from flows.engine.node import NODE_TYPES
from flows.engine.protocols import Definition, Entry, OtherFlow
from flows.engine.strictjson import loads, stored
from flows.entries import routes_into
from flows.issues import sealed_flow
from flows.models import Entity, Environment, Flow, Kind, Status, Version
from integrations.connections import address_of, has_secret, host_of
from integrations.definitions import subject_of
from integrations.endpoints import body_of
from integrations.keys import public_key_of
from integrations.models import Auth, Connection, Endpoint, Key, KeyKind
from integrations.models import Definition as Row


@dataclass
class RealCatalog:
    """Definitions and flows of one entity in one environment (protocols.Catalog). Reads flows once: make one per check."""

    entity: Entity
    environment: str
    kind: str = Kind.DYNAMIC_API
    _others: dict[str, OtherFlow | None] = field(default_factory=dict)

    def find(self, kind: str, name: str) -> Definition | None:
        """The definition of that kind and name, as it is now."""
        if kind not in ROWS:
            return None
        model, describe = ROWS[kind]
        row = model._default_manager.filter(entity=self.entity, name=name).first()
        if row is None:
            return None
        needs = (("connection", row.connection.name),) if isinstance(row, Endpoint) else ()
        return Definition(kind, name, describe(row, self.environment), subject_of(row), needs)

    def names(self, kind: str) -> Iterable[str]:
        """Every name of that kind."""
        if kind not in ROWS:
            return []
        return list(ROWS[kind][0]._default_manager.filter(entity=self.entity).values_list("name", flat=True))

    def other_flow(self, slug: str) -> OtherFlow | None:
        """What a jump finds there: the deployed version; in the sandbox the draft. Raises GraphRefused."""
        if slug not in self._others:
            self._others[slug] = self._read(slug)
        return self._others[slug]

    def _read(self, slug: str) -> OtherFlow | None:
        flow = self._flows.filter(slug=slug).first()
        if flow is None:
            return None
        if self.environment == Environment.SANDBOX:
            return OtherFlow(read_graph(loads(flow.draft)), self.find)
        version = flow.versions.filter(status=Status.DEPLOYED).select_related("content").first()
        return None if version is None else sealed_flow(stored(version.content.text))

    def flow_exists(self, slug: str) -> bool:
        """Whether there is such a flow, deployed or not."""
        return self._flows.filter(slug=slug).exists()

    def entries(self, slug: str) -> Iterable[Entry]:
        """Every step at which a route or another flow enters."""
        flow = self._flows.filter(slug=slug).first()
        if flow is None:
            return []
        routes = [Entry(step, by, production=production) for step, production, by in routes_into(flow)]
        return routes + [
            entry for source in self._sources if source.slug != slug for entry in self._jumps(source, slug)
        ]

    def _jumps(self, source: Source, slug: str) -> Iterable[Entry]:
        through = self._through(source.slug)
        variables = frozenset(name for each in self._sources if each.slug in through for name in each.variables)
        return [
            Entry(step, source.by, variables, source.production, through) for to, step in source.jumps if to == slug
        ]

    def _through(self, slug: str) -> frozenset[str]:
        """Flows that a run may have been in when it leaves that flow: itself, and those that it was entered from."""
        seen: set[str] = set()
        pending = [slug]
        while pending:
            here = pending.pop()
            seen.add(here)
            pending += {s.slug for s in self._sources if s.slug not in seen and any(to == here for to, _ in s.jumps)}
        return frozenset(seen)

    @property
    def _flows(self) -> QuerySet[Flow]:
        return Flow.objects.filter(entity=self.entity, kind=self.kind)

    @cached_property
    def _sources(self) -> list[Source]:
        """What is deployed, and the drafts: flows that jump to each other could never be submitted otherwise."""
        versions = Version.objects.filter(flow__in=self._flows, status=Status.DEPLOYED)
        sources = [
            _source(version.flow.slug, _nodes_of(version), f"flow {version.flow.slug}, deployed", production=True)
            for version in versions.select_related("flow", "content").order_by("flow__slug")
        ]
        drafts = self._flows.order_by("slug")
        return sources + [_source(flow.slug, loads(flow.draft), f"the draft of flow {flow.slug}") for flow in drafts]


@dataclass(frozen=True, slots=True)
class Source:
    """A graph that may jump into other flows: its jumps as (slug, step), and the variables that its nodes set."""

    slug: str
    by: str
    production: bool
    jumps: tuple[tuple[str, int], ...] = ()
    variables: frozenset[str] = field(default_factory=frozenset)


def _source(slug: str, nodes: list[Any], by: str, *, production: bool = False) -> Source:
    targets = [target for node in nodes for target in node.get("exits", {}).values() if isinstance(target, dict)]
    jumps = tuple(dict.fromkeys((target["flow"], target["step"]) for target in targets))
    return Source(slug, by, production, jumps, frozenset(name for node in nodes for name in _sets(node)))


def _sets(node: dict[str, Any]) -> tuple[str, ...]:
    node_type = NODE_TYPES.get(node["type"])
    return node_type.sets(node.get("settings", {})) if node_type is not None else ()


def _nodes_of(version: Version) -> list[Any]:
    nodes: list[Any] = stored(version.content.text)["nodes"]
    return nodes


def _connection(connection: Connection, environment: str) -> dict[str, Any]:
    """Address and auth kind are frozen; the secret is only pointed at, for the host of that address."""
    address = address_of(connection, environment)
    needs_secret = connection.auth != Auth.NONE
    pretend = environment == Environment.SANDBOX and (
        not address or (needs_secret and not has_secret(connection, environment))
    )
    secret = {"connection": connection.pk, "environment": environment, "host": host_of(address)} if address else None
    return {
        "address": address,
        "auth": {"kind": connection.auth, "name": connection.auth_name},
        "secret": secret if needs_secret else None,
        "pretend": pretend,
    }


def _endpoint(endpoint: Endpoint, environment: str) -> dict[str, Any]:
    return {
        "connection": endpoint.connection.name,
        "method": endpoint.method,
        "path": endpoint.path,
        "query": loads(endpoint.query),
        "headers": loads(endpoint.headers),
        "body": body_of(endpoint),
        "body_type": endpoint.body_type,
        "decides": endpoint.decides,
        "base_element": endpoint.base_element,
        "timeout_seconds": endpoint.timeout_seconds,
        "repeat": endpoint.repeat,
    }


def _key(key: Key, environment: str) -> dict[str, Any]:
    """A public key is frozen with the version, or it could be swapped under it; others are only pointed at.

    What production seals names no environment, as ever: versions that are deployed stay as they are.
    """
    described: dict[str, Any] = {"key": key.pk, "kind": key.kind}
    is_public = key.kind == KeyKind.RSA_PUBLIC
    if is_public:
        described["public_key"] = public_key_of(key)
    if environment == Environment.SANDBOX:
        described |= {"environment": environment, "pretend": not is_public and not key.sandbox_sealed}
    return described


ROWS: dict[str, tuple[type[Row], Callable[[Any, str], dict[str, Any]]]] = {
    "connection": (Connection, _connection),
    "endpoint": (Endpoint, _endpoint),
    "key": (Key, _key),
}
"""Kinds of definitions: their table, and what of a row gets sealed in an environment."""

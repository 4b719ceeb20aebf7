"""A stage for the lifecycle: an entity, its people, definitions that are only here, and a flow on its way to production."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User

from flows import drafts, lifecycle, outside
from flows.contributors import record_edit
from flows.engine.protocols import Definition, Entry
from flows.models import Entity, Flow, Membership, Role, Version
from flows.pretend import PretendDoor
from tests.flows.makers import make_entity, make_user

ENDPOINT = {
    "connection": "shop",
    "method": "GET",
    "path": "/orders",
    "query": [],
    "headers": [],
    "body": None,
    "body_type": "none",
    "decides": "code",
    "base_element": "",
    "timeout_seconds": 10,
    "repeat": "safe",
}


@dataclass
class FakeCatalog:
    """Definitions held in memory. Shared by every entity and environment."""

    definitions: dict[tuple[str, str], Definition] = field(default_factory=dict)
    enters: list[Entry] = field(default_factory=list)

    def find(self, kind: str, name: str) -> Definition | None:
        return self.definitions.get((kind, name))

    def names(self, kind: str) -> Iterable[str]:
        return [name for of, name in self.definitions if of == kind]

    def other_flow(self, slug: str) -> None:
        return None

    def flow_exists(self, slug: str) -> bool:
        return False

    def entries(self, slug: str) -> Iterable[Entry]:
        return self.enters

    def add(self, kind: str, name: str, subject: str, needs: tuple[tuple[str, str], ...] = (), **content: Any) -> None:
        self.definitions[kind, name] = Definition(kind, name, content, subject, needs)

    def add_shop(self) -> None:
        """An endpoint `orders` on a connection `shop`."""
        self.add(
            "connection",
            "shop",
            "connection:1",
            address="https://shop.example.com",
            auth={"kind": "bearer", "name": ""},
        )
        self.add("endpoint", "orders", "endpoint:1", (("connection", "shop"),), **ENDPOINT)

    def register(self) -> None:
        outside.register(door=lambda entity_id: PretendDoor(), catalog=lambda entity, environment, kind: self)


def flow_file(slug: str = "order-update", *, status: int = 200, endpoint: str = "", **more: Any) -> str:
    """A flow file: start, a call of `endpoint` where one is named, an answer with that status."""
    nodes: list[dict[str, Any]] = [{"number": 1, "type": "start", "settings": {}, "exits": {"next": 2}}]
    end: dict[str, Any] = {"number": 2, "type": "api_end", "name": "done", "settings": {"status": status}, "exits": {}}
    if endpoint:
        nodes[0]["exits"] = {"next": 3}
        call = {"number": 3, "type": "api_integration", "name": "ask", "settings": {"endpoint": endpoint}}
        nodes.append({**call, "exits": {"yes": 2, "no": 2}})
    nodes.append(end)
    file = {"format": 1, "slug": slug, "name": slug.replace("-", " ").title(), "nodes": nodes, **more}
    return json.dumps(file)


@dataclass
class Stage:
    """`people` by name. Whoever builds may also approve, so that only the four eyes hold them back."""

    entity: Entity
    catalog: FakeCatalog
    people: dict[str, User]

    def __getattr__(self, name: str) -> User:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    def draft(self, by: User | None = None, **what: Any) -> Flow:
        """Import a flow file, ana's unless said otherwise."""
        return drafts.import_file(self.entity, flow_file(**what), by=by or self.ana)

    def submitted(self, flow: Flow | None = None, by: User | None = None) -> Version:
        """A submitted version: ana's draft, submitted by ben, unless said otherwise."""
        return lifecycle.submit(flow or self.draft(), by=by or self.ben, summary="As agreed.")

    def approved(self, flow: Flow | None = None, by: User | None = None) -> Version:
        version = self.submitted(flow)
        lifecycle.perform("approve", version, by=by or self.cleo)
        return version

    def deployed(self, flow: Flow | None = None, by: User | None = None) -> Version:
        version = self.approved(flow)
        lifecycle.perform("deploy", version, by=by or self.cleo)
        return version

    def in_status(self, status: str, flow: Flow | None = None) -> Version:
        """A version with that status, come to it by the book."""
        if status in ("submitted", "declined", "recalled"):
            version = self.submitted(flow)
            if status == "declined":
                lifecycle.perform("decline", version, by=self.cleo, comment="Not yet.")
            if status == "recalled":
                lifecycle.perform("recall", version, by=version.submitted_by)
            return version
        if status == "approved":
            return self.approved(flow)
        version = self.deployed(flow)
        if status == "retired":
            lifecycle.perform("retire", version, by=self.cleo)
        return version

    def edit(self, subject: str, by: User) -> None:
        """Record that somebody edited a definition."""
        record_edit(self.entity, subject, by=by)

    def person(self, name: str, *roles: str, **fields: Any) -> User:
        """Somebody new with these roles."""
        user = make_user(name, **fields)
        self.set_roles(user, *roles)
        return user

    def set_roles(self, user: User, *roles: str) -> None:
        """These roles and no others."""
        Membership.objects.filter(entity=self.entity, user=user).delete()
        for role in roles:
            granted_by = User.objects.get(username="root")
            Membership.objects.create(entity=self.entity, user=user, role=Role(role), granted_by=granted_by)


def make_stage() -> Stage:
    """Ana and Ben build (and could approve), Cleo and Dan approve, Olga owns, Ines integrates, Vito looks on."""
    entity = make_entity(
        ana="builder approver",
        ben="builder approver",
        cleo="approver",
        dan="approver",
        olga="owner",
        ines="integrator approver",
        vito="viewer",
    )
    catalog = FakeCatalog()
    catalog.register()
    return Stage(entity, catalog, {user.username: user for user in User.objects.all()})

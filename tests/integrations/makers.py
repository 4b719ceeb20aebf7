"""An entity with one person per role, and deployed flows without the way through their approval."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from flows.engine.strictjson import canonical, dumps
from flows.models import Content, Decision, Edit, Entity, Flow, Membership, Role, Version

PEOPLE = {role.value: role for role in Role}


def make_user(name: str, **fields: Any) -> User:
    return User.objects.create_user(name, password=None, **fields)


def make_entity(slug: str = "acme") -> Entity:
    """An entity whose members are called like their roles."""
    entity = Entity.objects.create(slug=slug, name=slug)
    root = User.objects.filter(username="root").first() or make_user("root", is_superuser=True)
    for name, role in PEOPLE.items():
        user = User.objects.filter(username=name).first() or make_user(name)
        Membership.objects.create(entity=entity, user=user, role=role, granted_by=root)
    return entity


def person(name: str) -> User:
    return User.objects.get(username=name)


def node(number: int, type_name: str = "start", settings: dict[str, Any] | None = None, **exits: Any) -> dict[str, Any]:
    return {"number": number, "type": type_name, "settings": settings or {}, "exits": exits}


def make_flow(entity: Entity, slug: str, *nodes: dict[str, Any]) -> Flow:
    """A flow with this draft."""
    builder = person("builder")
    draft = dumps(list(nodes) or [node(1)])
    return Flow.objects.create(entity=entity, slug=slug, name=slug, draft=draft, changed_by=builder, created_by=builder)


def deploy(flow: Flow, *nodes: dict[str, Any], definitions: dict[str, Any] | None = None) -> Version:
    """A deployed version with these nodes, as the tables hold it."""
    about = {"slug": flow.slug, "name": flow.name, "kind": flow.kind}
    text = canonical({"flow": about, "nodes": list(nodes), "definitions": definitions or {}})
    content = Content.objects.create(sha256=hashlib.sha256(text.encode()).hexdigest(), text=text)
    builder, approver, now = person("builder"), person("approver"), timezone.now()
    version = Version.objects.create(
        flow=flow, number=1, content=content, submitted_by=builder, changed_by=builder, changed_at=now
    )
    for name, before, after, by in (
        ("submit", "", "submitted", builder),
        ("approve", "submitted", "approved", approver),
        ("deploy", "approved", "deployed", approver),
    ):
        Decision.objects.create(
            version=version, name=name, from_status=before, to_status=after, by=by, sha256=content.pk, seal="none"
        )
        Version.objects.filter(pk=version.pk).update(status=after)
    return version


def edits_of(subject: str) -> list[str]:
    """Who edited it, in order."""
    return [edit.by.username for edit in Edit.objects.filter(subject=subject).order_by("id")]

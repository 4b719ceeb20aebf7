"""Rows that many tests need, made in one line each."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from flows.models import Content, Entity, Flow, Membership, Role, Run, RunState


def make_user(name: str, **fields: Any) -> User:
    return User.objects.create_user(name, f"{name}@example.com", "long enough password", is_staff=True, **fields)


def make_entity(slug: str = "acme", **members: str) -> Entity:
    """An entity; `ana="builder"` makes a user ana with that role, several roles separated by blanks."""
    entity = Entity.objects.create(slug=slug, name=slug.title())
    root = User.objects.filter(username="root").first() or make_user("root", is_superuser=True)
    for name, roles in members.items():
        user = User.objects.filter(username=name).first() or make_user(name)
        for role in roles.split():
            Membership.objects.create(entity=entity, user=user, role=Role(role), granted_by=root)
    return entity


def make_content(text: str = "{}") -> Content:
    return Content.objects.get_or_create(sha256=hashlib.sha256(text.encode()).hexdigest(), defaults={"text": text})[0]


def make_flow(entity: Entity, slug: str = "order-update") -> Flow:
    root = User.objects.get(username="root")
    draft = '[{"number":1,"type":"start","settings":{},"exits":{}}]'
    return Flow.objects.create(entity=entity, slug=slug, name=slug, draft=draft, changed_by=root, created_by=root)


def make_run(flow: Flow, state: str = RunState.QUEUED, *, wake_in_seconds: float | None = 0, **fields: Any) -> Run:
    """A run as it stands in the table, due `wake_in_seconds` from now."""
    now = timezone.now()
    wake_at = None if wake_in_seconds is None else now + timedelta(seconds=wake_in_seconds)
    defaults: dict[str, Any] = {
        "entity": flow.entity,
        "flow": flow,
        "content": make_content(),
        "environment": "sandbox",
        "request": "{}",
        "created_at": now,
        "durable": True,
    }
    return Run.objects.create(**{**defaults, "state": state, "wake_at": wake_at, **fields})

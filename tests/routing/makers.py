"""A flow on its way to a caller: drawn, approved, deployed and routed, by the people who may."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from flows import lifecycle
from flows.drafts import import_file
from flows.engine.strictjson import dumps
from flows.models import Entity, Flow
from routing.channels import onboard
from routing.models import Route
from routing.route_tokens import create_token
from routing.routes import create_route
from tests.flows.makers import make_entity

EVERYBODY = "0.0.0.0/0; ::/0"
SCHEMA = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}
ECHO = {"total": "{{ payload.total }}"}


def person(name: str) -> User:
    return User.objects.get(username=name)


def make_house(slug: str = "acme") -> Entity:
    """An entity with everybody it takes, and the channel onboarded."""
    people = {name: name for name in ("owner", "builder", "approver", "integrator", "viewer")}
    entity = make_entity(slug, **people)
    onboard(entity, "dynamic_api", by=person("owner"))
    return entity


def start(**settings: Any) -> dict[str, Any]:
    return {"number": 1, "type": "start", "settings": settings, "exits": {"next": 2}}


def end(body: Any = ECHO, number: int = 2, **settings: Any) -> dict[str, Any]:
    return {"number": number, "type": "api_end", "settings": {"body": body, **settings}, "exits": {}}


def make_flow(entity: Entity, *nodes: dict[str, Any], slug: str = "order-total") -> Flow:
    """The draft of a flow; without nodes, one that answers with the total it was sent."""
    drawn = list(nodes) or [start(payload_schema=SCHEMA, sample={"total": 12.5}), end()]
    file = {"format": 1, "slug": slug, "name": slug.replace("-", " "), "kind": "dynamic_api", "nodes": drawn}
    return import_file(entity, dumps(file), by=person("builder"))


def deploy(flow: Flow) -> Flow:
    """Submit, approve and deploy the draft."""
    version = lifecycle.submit(flow, by=person("builder"))
    lifecycle.perform("approve", version, by=person("approver"))
    lifecycle.perform("deploy", version, by=person("approver"))
    return flow


def make_route(flow: Flow, **values: Any) -> tuple[Route, str]:
    """A route that everybody may call, and its token."""
    route = create_route(flow, by=person("approver"), **{"allow": EVERYBODY, **values})
    return route, create_token(route, by=person("approver"))[1]

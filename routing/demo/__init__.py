"""The demo: an entity with people, flows and routes that show the product on real input. For DEBUG only.

Repeatable: what is there stays, passwords are fixed, tokens are replaced at each start.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from flows import lifecycle
from flows.drafts import import_file
from flows.engine.strictjson import dumps, loads
from flows.members import grant, make_entity
from flows.models import Entity, Environment, Flow, Membership, Role, Status
from integrations.connections import save_connection
from integrations.endpoints import save_endpoint
from integrations.models import Connection, Endpoint
from routing.channels import onboard
from routing.models import Route
from routing.route_tokens import create_token, live_tokens, revoke_token
from routing.routes import create_route, url_of

ENTITY = "demo"
ROUTES = {"order-total": False, "lead-intake": True, "customer-lookup": False}
"""Flow to whether its route is asynchronous."""

API_SECRET = "demo-secret"  # noqa: S105 - of the demo's own API (chatflow/demo_api.py), which holds nothing
TOKEN_NAME = "demo"  # noqa: S105 - a name


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Try:
    """What to type to try a route."""

    flow: str
    is_async: bool
    curl: str


def make_demo(url: str) -> tuple[list[str], list[Try]]:
    """Make or refresh the demo of a server at `url`; returns the logins, and a call per route. Only under DEBUG."""
    assert settings.DEBUG, "The demo has fixed passwords; it is for DEBUG only."
    entity = _entity_with_people()
    people = {role: User.objects.get(username=role) for role in Role.values}
    onboard(entity, "dynamic_api", by=people["owner"])
    moved = _customer_service(entity, url, people["integrator"], people["builder"])
    tries = []
    for slug, is_async in ROUTES.items():
        text = Path(__file__).with_name(f"{slug}.json").read_text(encoding="utf-8")
        flow = Flow.objects.filter(entity=entity, slug=slug).first() or import_file(entity, text, by=people["builder"])
        nodes = loads(text)["nodes"]
        if _is_to_be_deployed(flow, nodes, moved):
            _deploy(flow, people["builder"], people["approver"])
        tries.append(_try(flow, is_async, nodes[0]["settings"]["sample"], people["approver"]))
    return [f"{name} / {name}-{ENTITY}" for name in [*people, "admin"]], tries


def _entity_with_people() -> Entity:
    admin = _person("admin", is_superuser=True)
    entity = Entity.objects.filter(slug=ENTITY).first() or make_entity(ENTITY, "Demo", by=admin)
    for role in Role.values:
        user = _person(role)
        if not Membership.objects.filter(entity=entity, user=user, role=role).exists():
            grant(entity, user, role, by=admin)
    return entity


def _person(name: str, **fields: Any) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        user = User(username=name, email=f"{name}@example.com", is_staff=True, **fields)
        user.set_password(f"{name}-{ENTITY}")
        user.save()
    return user


def _customer_service(entity: Entity, url: str, integrator: User, builder: User) -> bool:
    """The service that the demo calls, at this server; whether it has moved, as it does with the port."""
    address = f"{url}/demo-api"
    connection = Connection.objects.filter(entity=entity, name="customers").first()
    moved = connection is not None and connection.production_address != address
    if connection is None or moved:
        save_connection(
            entity,
            by=integrator,
            name="customers",
            title="Customer service (of the demo)",
            production_address=address,
            sandbox_address=address,
            auth="bearer",
            secrets={Environment.PRODUCTION: API_SECRET, Environment.SANDBOX: API_SECRET},
        )
    if not Endpoint.objects.filter(entity=entity, name="get_customer").exists():
        save_endpoint(
            entity,
            by=builder,
            name="get_customer",
            title="Look up a customer",
            connection="customers",
            path="/customers/{{ payload.customer_id }}",
        )
    return moved


def _is_to_be_deployed(flow: Flow, nodes: Any, moved: bool) -> bool:
    """The first time; again only where the server has moved, and never what somebody has changed."""
    if not flow.versions.exists():
        return True
    deployed = flow.versions.filter(status=Status.DEPLOYED).first()
    calls_us = deployed is not None and "demo-api" in deployed.content.text
    return moved and calls_us and loads(flow.draft) == nodes


def _deploy(flow: Flow, builder: User, approver: User) -> None:
    """By the book; where the book says no, the flow stays as it is."""
    try:
        version = lifecycle.submit(flow, by=builder, summary="For the demo.", via=lifecycle.Via.COMMAND)
        lifecycle.perform("approve", version, by=approver, comment="For the demo.", via=lifecycle.Via.COMMAND)
        lifecycle.perform("deploy", version, by=approver, via=lifecycle.Via.COMMAND)
    except lifecycle.Refused as refused:
        log.warning("The demo's flow %s was left as it is. %s", flow.slug, refused)


def _try(flow: Flow, is_async: bool, sample: Any, approver: User) -> Try:
    route = Route.objects.filter(flow=flow, environment=Environment.PRODUCTION, name=TOKEN_NAME).first()
    if route is None:
        route = create_route(flow, by=approver, name=TOKEN_NAME, allow="127.0.0.0/8;::1", is_async=is_async)
    for old in live_tokens(route).filter(name=TOKEN_NAME):
        revoke_token(old, by=approver)
    _, token = create_token(route, by=approver, name=TOKEN_NAME)
    headers = f"-H 'Authorization: Bearer {token}' -H 'Content-Type: application/json'"
    curl = f"curl -sS {url_of(route)} {headers} -d '{dumps(sample)}'"
    return Try(flow.slug, is_async, curl)

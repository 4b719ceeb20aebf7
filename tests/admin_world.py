"""An entity with one of everything, and strangers from another one: what the tests of the admin look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from flows.changes import record
from flows.drafts import import_file
from flows.engine.strictjson import dumps
from flows.models import Change, DynamicApiFlow, Entity, Flow, Membership, Role, Run, RunState, StandardFlow, Version
from integrations.connections import save_connection
from integrations.endpoints import save_endpoint
from integrations.keys import new_aes_material, save_key
from integrations.models import Connection, Endpoint, Key
from routing.models import Channel, Route, Token
from tests.flows.makers import make_entity, make_run
from tests.routing.makers import deploy, make_flow, make_house, make_route, person

SECRET = "s3cret-of-the-service"
STRANGERS = {f"other_{role}": role for role in Role.values}


@dataclass
class World:
    entity: Entity
    flow: Flow
    route: Route
    token: Token
    token_text: str
    rows: dict[type[Model], Model]
    hidden: list[str]
    """Texts that no page ever shows."""


def make_world() -> World:
    """Everything belongs to `acme`, whose members are called like their roles; `other` belongs to the strangers."""
    entity = make_house("acme")
    make_entity("other", **STRANGERS)
    builder, integrator = person("builder"), person("integrator")
    flow = deploy(make_flow(entity))
    start = {"number": 1, "type": "start", "settings": {}, "exits": {}}
    file = {"format": 1, "slug": "greeting", "name": "Greeting", "kind": "standard", "nodes": [start]}
    standard = import_file(entity, dumps(file), by=builder)
    route, token_text = make_route(flow, name="acme-orders")
    connection = save_connection(
        entity,
        by=integrator,
        name="shop",
        production_address="https://shop.example.com/v1",
        auth="bearer",
        secrets={"production": SECRET},
    )
    endpoint = save_endpoint(entity, by=builder, name="get_order", connection="shop", path="/orders")
    material = new_aes_material()
    for_sandbox = new_aes_material()
    key = save_key(entity, by=integrator, name="box", kind="aes-256", material=material, sandbox_material=for_sandbox)
    run = make_run(flow, RunState.SUCCEEDED, wake_in_seconds=None, route=route.pk, trace="[]", answer='{"status":200}')
    token = route.tokens.get()
    hidden = [SECRET, material, for_sandbox, token_text, token.digest]
    hidden += [key.sealed, key.sandbox_sealed, connection.secrets.get().sealed]
    with transaction.atomic():
        change = record(
            entity, by=person("owner"), action="changed", subject="route:acme", before={"step": 1}, after={"step": 2}
        )
    assert change is not None
    rows: dict[type[Model], Model] = {
        Entity: entity,
        Membership: Membership.objects.get(entity=entity, user=person("viewer")),
        DynamicApiFlow: DynamicApiFlow.objects.get(pk=flow.pk),
        StandardFlow: StandardFlow.objects.get(pk=standard.pk),
        Version: flow.versions.get(),
        Run: run,
        Channel: Channel.objects.get(entity=entity),
        Route: route,
        Connection: connection,
        Endpoint: endpoint,
        Key: key,
        Change: change,
    }
    return World(entity, flow, route, token, token_text, rows, hidden)


def public_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def as_user(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def url(model: type[Model] | Model, page: str, *args: Any) -> str:
    """The address of an admin page of a model."""
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def text_of(response: Any) -> str:
    """A page as text, with the entities of HTML that matter here undone."""
    return str(response.content.decode().replace("&#x27;", "'").replace("&quot;", '"'))

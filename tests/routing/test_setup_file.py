"""The setup file: what it refuses with which place, and what applying it again brings up to date."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from flows.engine.errors import GraphRefused
from flows.models import Entity
from integrations.models import Connection
from routing.setup_file import apply_setup, read_setup
from tests.flows.makers import make_entity

HTTPS = {"address": "https://orders.example.com"}
ORDERS = {"name": "orders", "production": HTTPS}
GET = {"name": "get", "connection": "orders", "path": "/"}
KEY = {"name": "k", "kind": "aes-256"}
ANA = {"username": "ana", "roles": ["builder"]}


def setup(by: str = "root", **parts: Any) -> list[str]:
    file = read_setup(json.dumps({"entities": [{"slug": "shop", **parts}]}))
    return apply_setup(file, by=User.objects.get(username=by))


def refusal(by: str = "root", **parts: Any) -> str:
    with pytest.raises(GraphRefused) as refused:
        setup(by, **parts)
    return refused.value.message


@pytest.fixture
def shop(db: None) -> Entity:
    return make_entity("shop", owen="owner", ana="builder", ivo="integrator")


@pytest.mark.parametrize(
    ("parts", "place", "name"),
    [
        ({"members": [ANA, {**ANA, "roles": ["viewer"]}]}, "members[1].username", "ana"),
        ({"channels": ["dynamic_api", "dynamic_api"]}, "channels[1]", "dynamic_api"),
        ({"connections": [ORDERS, {**ORDERS, "title": "x"}]}, "connections[1].name", "orders"),
        ({"endpoints": [GET, {**GET, "name": "b"}, {**GET, "path": "/b"}]}, "endpoints[2].name", "get"),
        ({"keys": [KEY, KEY]}, "keys[1].name", "k"),
    ],
)
def test_a_name_that_is_there_twice_is_refused(parts: dict[str, Any], place: str, name: str) -> None:
    assert refusal_of_shape({"entities": [{"slug": "shop", **parts}]}).startswith(
        f"entities[0].{place}: {name!r} is there twice"
    )


def test_an_entity_that_is_there_twice_is_refused() -> None:
    said = refusal_of_shape({"entities": [{"slug": "shop"}, {"slug": "b"}, {"slug": "shop"}]})
    assert said.startswith("entities[2].slug: 'shop' is there twice")


def refusal_of_shape(file: dict[str, Any]) -> str:
    with pytest.raises(GraphRefused) as refused:
        read_setup(json.dumps(file))
    return refused.value.message


BASIC = {"name": "orders", "auth": "basic"}


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"connections": [{**ORDERS, "production": {"address": "ftp://a"}}]}, "connections[0].production.address"),
        ({"connections": [{**ORDERS, "sandbox": {"address": "ftp://a"}}]}, "connections[0].sandbox.address"),
        (
            {"connections": [{**BASIC, "production": {**HTTPS, "secret_env": "NO_COLON"}}]},
            "connections[0].production.secret_env",
        ),
        (
            {"connections": [{**BASIC, "production": {**HTTPS, "secret_env": "NOT_SET"}}]},
            "connections[0].production.secret_env",
        ),
        ({"channels": ["fax"]}, "channels[0]"),
        ({"keys": [{**KEY, "material_env": "NO_COLON"}]}, "keys[0].material_env"),
        ({"keys": [{**KEY, "sandbox_material_env": "NO_COLON"}]}, "keys[0].sandbox_material_env"),
        (
            {"members": [{"username": "new", "roles": ["viewer"], "password_env": "NO_COLON"}]},
            "members[0].password_env",
        ),
        ({"members": [{**ANA, "roles": ["king"]}]}, "members[0].roles"),
        ({"members": [{**ANA, "email": "no address"}]}, "members[0].email"),
    ],
)
def test_the_place_of_a_refusal_is_in_the_file(
    shop: Entity, monkeypatch: pytest.MonkeyPatch, parts: dict[str, Any], place: str
) -> None:
    monkeypatch.setenv("NO_COLON", "12345")
    assert refusal(**parts).startswith(f"entities[0].{place}: ")


@pytest.mark.parametrize(
    ("by", "parts", "place", "said"),
    [
        ("ivo", {"channels": ["dynamic_api"]}, "channels[0]", "takes the role Owner"),
        ("ana", {"connections": [ORDERS]}, "connections[0]", "takes the role Integrator"),
        ("ivo", {"members": [{**ANA, "roles": ["viewer"]}]}, "members[0]", "takes the role Owner"),
        ("owen", {"members": [{"username": "owen", "roles": ["viewer"]}]}, "members[0]", "to themselves"),
        ("owen", {"members": [{**ANA, "email": "a@example.org"}]}, "members[0].email", "only a superuser"),
        ("ivo", {"name": "Another"}, "name", "takes the role Owner"),
    ],
)
def test_a_refusal_by_role_names_the_place(shop: Entity, by: str, parts: dict[str, Any], place: str, said: str) -> None:
    told = refusal(by, **parts)
    assert told.startswith(f"entities[0].{place}: ")
    assert said in told


def test_a_new_entity_takes_a_superuser(shop: Entity) -> None:
    assert refusal("owen", slug="new") == "entities[0]: owen may not make the entity 'new': that takes a superuser."


def test_applied_again_it_brings_names_and_addresses_to_what_it_says(shop: Entity) -> None:
    file = {"name": "The shop", "members": [{**ANA, "email": "ana@example.org"}]}
    assert setup(**file) == ["entity shop: named 'The shop'", "member ana: builder"]
    shop.refresh_from_db()
    ana = User.objects.get(username="ana")
    assert (shop.name, ana.email) == ("The shop", "ana@example.org")
    assert setup("owen", **file) == ["member ana: builder"]
    assert setup("owen", members=[{**ANA, "roles": ["viewer"]}]) == ["member ana: viewer"]
    shop.refresh_from_db()
    ana.refresh_from_db()
    assert (shop.name, ana.email) == ("The shop", "ana@example.org")
    assert sorted(ana.memberships.values_list("role", flat=True)) == ["builder", "viewer"]


def test_what_one_should_know_of_a_connection_is_told(shop: Entity) -> None:
    told = setup(connections=[{"name": "orders", "production": {"address": "http://orders.example.com"}}])
    assert told == [
        "connection orders: http://orders.example.com",
        "  The production address is http: requests and secrets travel unencrypted. Use https.",
        "  There is no sandbox address: in the sandbox, effects are pretended.",
    ]
    assert Connection.objects.count() == 1

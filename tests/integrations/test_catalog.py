"""The catalog: what gets sealed, which steps are there, and where flows are entered."""

from __future__ import annotations

from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flows import entries, outside
from flows.engine.protocols import Entry
from flows.engine.strictjson import canonical
from flows.models import Kind
from integrations.catalog import RealCatalog
from integrations.connections import save_connection
from integrations.endpoints import save_endpoint
from integrations.keys import save_key
from tests.integrations.makers import deploy, make_entity, make_flow, node, person

pytestmark = pytest.mark.django_db

BOTH = {"production_address": "https://api.shop.example/v1", "sandbox_address": "http://127.0.0.1:9000"}


@pytest.fixture
def entity():
    return make_entity()


@pytest.fixture(autouse=True)
def routes(monkeypatch):
    """What routing would say."""
    found: dict[str, list[tuple[int, bool, str]]] = {}
    monkeypatch.setitem(entries._registered, "routes", lambda flow: found.get(flow.slug, []))
    return found


def connect(entity, **fields):
    return save_connection(entity, by=person("integrator"), **{"name": "shop", **BOTH, **fields})


def content(entity, environment, kind, name):
    return RealCatalog(entity, environment).find(kind, name).content


def jump(slug, step):
    return {"flow": slug, "step": step}


def sets(number, *names, **exits):
    settings = {"assignments": [{"name": name, "value": 1} for name in names]}
    return node(number, "set_variable", settings, **exits)


def test_the_real_catalog_and_door_are_registered():
    assert isinstance(outside.catalog(make_entity(), "production"), RealCatalog)
    assert type(outside.door()).__name__ == "RealDoor"


def test_a_connection_is_sealed_with_its_address_and_a_reference_to_its_secret(entity):
    connection = connect(entity, auth="bearer", secrets={"production": "s3cret-p", "sandbox": "s3cret-s"})
    production = RealCatalog(entity, "production").find("connection", "shop")
    assert production.subject == f"connection:{connection.pk}"
    assert production.content == {
        "address": "https://api.shop.example/v1",
        "auth": {"kind": "bearer", "name": ""},
        "secret": {"connection": connection.pk, "environment": "production", "host": "https://api.shop.example:443"},
        "pretend": False,
    }
    assert content(entity, "sandbox", "connection", "shop") == {
        "address": "http://127.0.0.1:9000",
        "auth": {"kind": "bearer", "name": ""},
        "secret": {"connection": connection.pk, "environment": "sandbox", "host": "http://127.0.0.1:9000"},
        "pretend": False,
    }


def test_a_rotated_secret_leaves_the_sealed_content_as_it_is(entity):
    connect(entity, auth="bearer", secrets={"production": "one"})
    before = canonical(content(entity, "production", "connection", "shop"))
    connect(entity, auth="bearer", secrets={"production": "two"})
    assert canonical(content(entity, "production", "connection", "shop")) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"sandbox_address": ""},
        {"auth": "bearer", "secrets": {"production": "s3cret"}},
        {"auth": "bearer", "secrets": {"production": "s3cret"}, "sandbox_address": ""},
    ],
)
def test_the_sandbox_pretends_where_it_has_no_address_or_no_secret_of_its_own(entity, fields):
    connect(entity, **fields)
    assert content(entity, "sandbox", "connection", "shop")["pretend"] is True
    assert content(entity, "production", "connection", "shop")["pretend"] is False


def test_a_secret_for_an_earlier_sandbox_host_is_no_secret_for_this_one(entity):
    connect(entity, auth="bearer", secrets={"sandbox": "s3cret"})
    connect(entity, auth="bearer", sandbox_address="http://127.0.0.1:9001")
    assert content(entity, "sandbox", "connection", "shop")["pretend"] is True


def test_an_endpoint_is_sealed_whole_and_needs_its_connection(entity):
    connect(entity)
    endpoint = save_endpoint(
        entity,
        by=person("builder"),
        name="orders",
        connection="shop",
        method="POST",
        path="/orders/{{ payload.id }}",
        query=[{"name": "limit", "value": 10}],
        headers=[{"name": "X-Source", "value": "{{ route }}"}],
        body={"total": Decimal("12.50"), "id": "{{ payload.id }}"},
        decides="result.state",
        base_element="result",
        timeout_seconds=7,
        repeat="idempotency_key",
    )
    found = RealCatalog(entity, "production").find("endpoint", "orders")
    assert found.needs == (("connection", "shop"),)
    assert found.subject == f"endpoint:{endpoint.pk}"
    assert canonical(found.content) == (
        '{"base_element":"result","body":{"id":"{{ payload.id }}","total":12.50},"body_type":"json","connection":"shop",'
        '"decides":"result.state","headers":[{"name":"X-Source","value":"{{ route }}"}],"method":"POST",'
        '"path":"/orders/{{ payload.id }}","query":[{"name":"limit","value":10}],"repeat":"idempotency_key",'
        '"timeout_seconds":7}'
    )


def test_a_secret_key_is_sealed_by_reference_and_a_public_key_as_it_is(entity):
    public = rsa.generate_private_key(65537, 2048).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    secret = save_key(entity, by=person("integrator"), name="mine", kind="hmac", material="s3cret")
    shown = save_key(entity, by=person("integrator"), name="theirs", kind="rsa-public", material=pem)
    assert content(entity, "production", "key", "mine") == {"key": secret.pk, "kind": "hmac"}
    assert content(entity, "production", "key", "theirs") == {"key": shown.pk, "kind": "rsa-public", "public_key": pem}


def test_a_key_for_the_sandbox_refers_to_the_sandbox(entity):
    key = save_key(entity, by=person("integrator"), name="mine", kind="hmac", material="s3cret")
    described = {"key": key.pk, "kind": "hmac", "environment": "sandbox", "pretend": True}
    assert content(entity, "sandbox", "key", "mine") == described
    save_key(entity, by=person("integrator"), name="mine", kind="hmac", sandbox_material="s3cret too")
    assert content(entity, "sandbox", "key", "mine") == {**described, "pretend": False}


def test_names_are_those_of_the_entity(entity):
    connect(entity)
    other = RealCatalog(make_entity("other"), "production")
    assert RealCatalog(entity, "production").names("connection") == ["shop"]
    assert (other.names("connection"), other.find("connection", "shop")) == ([], None)
    assert (other.names("spaceship"), other.find("spaceship", "x")) == ([], None)


def test_a_jump_finds_the_deployed_steps_and_in_the_sandbox_the_draft(entity):
    flow = make_flow(entity, "target", node(1), node(2), node(3))
    production = RealCatalog(entity, "production")
    assert (production.other_flow("target"), production.flow_exists("target")) == (None, True)
    deploy(flow, node(1), node(2))
    production = RealCatalog(entity, "production")
    assert production.other_flow("target").graph.nodes.keys() == {1, 2}
    assert RealCatalog(entity, "sandbox").other_flow("target").graph.nodes.keys() == {1, 2, 3}


def test_flows_of_another_entity_or_kind_are_not_there(entity):
    make_flow(make_entity("other"), "foreign", node(1))
    standard = make_flow(entity, "standard", node(1))
    for slug in ("foreign", "missing"):
        assert RealCatalog(entity, "sandbox").other_flow(slug) is None
        assert not RealCatalog(entity, "sandbox").flow_exists(slug)
    assert standard.kind == Kind.DYNAMIC_API
    assert not RealCatalog(entity, "sandbox", Kind.STANDARD).flow_exists("standard")


def test_entries_are_the_routes_and_the_jumps_of_other_flows_with_their_variables(entity, routes):
    routes["target"] = [(1, True, "route abc"), (2, False, "sandbox route def")]
    make_flow(entity, "target", node(1))
    source = make_flow(entity, "source", node(1, next=jump("target", 3)))
    deploy(source, node(1, next=2), sets(2, "customer", "total", yes=jump("target", 4), no=jump("elsewhere", 9)))
    by_routes = [Entry(1, "route abc", production=True), Entry(2, "sandbox route def")]
    brought, through = frozenset({"customer", "total"}), frozenset({"source"})
    live = Entry(4, "flow source, deployed", brought, production=True, through=through)
    drafted = Entry(3, "the draft of flow source", brought, through=through)
    for environment in ("production", "sandbox"):
        assert RealCatalog(entity, environment).entries("target") == [*by_routes, live, drafted]


def test_variables_come_along_over_several_jumps(entity):
    make_flow(entity, "last", node(1))
    make_flow(entity, "middle", sets(1, "in_between", yes=jump("last", 1), no=jump("first", 1)))
    make_flow(entity, "first", sets(1, "early", yes=jump("middle", 1)))
    [entry] = RealCatalog(entity, "sandbox").entries("last")
    assert entry.variables == {"early", "in_between"}
    assert entry.through == {"first", "middle"}


def test_a_flow_that_jumps_to_itself_is_no_other_flow(entity):
    make_flow(entity, "loop", node(1, next=jump("loop", 1)))
    assert RealCatalog(entity, "sandbox").entries("loop") == []

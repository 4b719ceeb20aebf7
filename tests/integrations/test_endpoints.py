"""Endpoints: who may change them, and what is refused before it could fail in a run."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from flows.models import Role
from integrations.connections import save_connection
from integrations.endpoints import body_of, delete_endpoint, save_endpoint
from integrations.models import Endpoint
from tests.integrations.makers import deploy, edits_of, make_entity, make_flow, node, person

pytestmark = pytest.mark.django_db

ORDERS = {"name": "orders", "connection": "shop", "path": "/orders/{{ payload.id }}"}


@pytest.fixture
def entity():
    entity = make_entity()
    shop = {"name": "shop", "production_address": "https://api.shop.example"}
    save_connection(entity, by=person("integrator"), **shop, auth="api_key_header", auth_name="X-API-Key")
    return entity


def save(entity, by="builder", **fields):
    return save_endpoint(entity, by=person(by), **{**ORDERS, **fields})


def problems(entity, **fields) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        save(entity, **fields)
    return refused.value.message_dict


@pytest.mark.parametrize("role", [role for role in Role if role != Role.BUILDER])
def test_only_builders_manage_endpoints(entity, role):
    with pytest.raises(PermissionDenied):
        save(entity, by=role)


@pytest.mark.parametrize(
    ("method", "repeat"), [("GET", "safe"), ("HEAD", "safe"), ("POST", "never"), ("DELETE", "never")]
)
def test_only_what_changes_nothing_may_be_sent_again_unless_the_author_says_more(entity, method, repeat):
    assert save(entity, method=method).repeat == repeat
    assert save(entity, method=method, repeat="idempotency_key").repeat == "idempotency_key"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": "get-orders"}, "name"),
        ({"connection": "store"}, "connection"),
        ({"method": "TRACE"}, "method"),
        ({"path": "orders"}, "path"),
        ({"path": "https://evil.example/"}, "path"),
        ({"path": "/../orders"}, "path"),
        ({"path": "/a/%2e%2e/b"}, "path"),
        ({"path": "/orders?id=1"}, "path"),
        ({"path": "//evil.example/orders"}, "path"),
        ({"path": "/orders/{{ payload. }}"}, "path"),
        ({"query": [{"name": "id"}]}, "query"),
        ({"query": [{"name": "id", "value": "{{ 1 + }}"}]}, "query"),
        ({"headers": [{"name": "X Blank", "value": "1"}]}, "headers"),
        ({"headers": [{"name": "Host", "value": "evil.example"}]}, "headers"),
        ({"headers": [{"name": "X-One", "value": "two\r\nlines: 2"}]}, "headers"),
        ({"headers": [{"name": "x-api-key", "value": "mine"}]}, "headers"),
        ({"headers": [{"name": "Authorization", "value": "Bearer fixed-secret"}]}, "headers"),
        ({"body": {}}, "body_type"),
        ({"method": "POST", "body_type": "form", "body": [1]}, "body"),
        ({"method": "POST", "body_type": "text", "body": {}}, "body"),
        ({"method": "POST", "body_type": "none", "body": {}}, "body"),
        ({"method": "POST", "body": {"a": ["{{ nothing | unheard_of }}"]}}, "body"),
        ({"method": "POST", "body_type": "xml", "body": "<a/>"}, "body_type"),
        ({"decides": "a + b"}, "decides"),
        ({"base_element": "$..a"}, "base_element"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": 61}, "timeout_seconds"),
        ({"repeat": "always"}, "repeat"),
        ({"title": "x" * 201}, "title"),
        ({"sample": "a\x00b"}, "sample"),
    ],
)
def test_a_broken_endpoint_is_refused_at_its_field_and_not_saved(entity, fields, wrong):
    assert set(problems(entity, **fields)) == {wrong}
    assert not Endpoint.objects.exists()


def test_an_unknown_connection_is_answered_with_the_known_ones(entity):
    assert "shop" in problems(entity, connection="store")["connection"][0]


def test_an_authorization_that_is_filled_in_by_the_flow_is_allowed(entity):
    save(entity, headers=[{"name": "Authorization", "value": "Bearer {{ login.data.token }}"}])


@pytest.mark.parametrize(
    ("body_type", "body", "kept"),
    [
        (
            "",
            {"total": Decimal("12.50"), "id": "{{ payload.id }}"},
            {"total": Decimal("12.50"), "id": "{{ payload.id }}"},
        ),
        ("", None, None),
        ("json", None, None),
        ("form", {"a": ["1", "2"]}, {"a": ["1", "2"]}),
        ("text", "<a>{{ payload.id }}</a>", "<a>{{ payload.id }}</a>"),
    ],
)
def test_a_body_comes_back_as_it_was_given(entity, body_type, body, kept):
    assert body_of(save(entity, method="POST", body_type=body_type, body=body)) == kept


def test_an_edit_is_recorded_when_what_versions_embed_changes_and_only_then(entity):
    endpoint = save(entity)
    subject = f"endpoint:{endpoint.pk}"
    save(entity, by="root")
    save(entity, by="root", title="Orders", sample='{"id": 1}')
    assert edits_of(subject) == ["builder"]
    save(entity, by="root", timeout_seconds=20)
    assert edits_of(subject) == ["builder", "root"]


def test_an_endpoint_in_use_is_not_deleted_and_the_flows_are_named(entity):
    endpoint = save(entity)
    draft = make_flow(entity, "drafted", node(1), node(2, "api_integration", {"endpoint": "orders"}))
    deployed = make_flow(entity, "deployed", node(1))
    deploy(deployed, node(1), definitions={"endpoint": {"orders": {}}})
    with pytest.raises(ValidationError) as refused:
        delete_endpoint(endpoint, by=person("builder"))
    assert f"the draft of {draft.slug}; version 1 of deployed" in refused.value.message


def test_an_endpoint_of_the_same_name_elsewhere_is_another_one(entity):
    endpoint = save(entity)
    other = make_entity("other")
    make_flow(other, "drafted", node(1), node(2, "api_integration", {"endpoint": "orders"}))
    delete_endpoint(endpoint, by=person("builder"))
    assert not Endpoint.objects.exists()

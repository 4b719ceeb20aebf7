"""Definitions that are changed past Chatflow: the database refuses what nobody recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.utils import timezone

from flows import triggers
from flows.models import Edit
from integrations.connections import save_connection
from integrations.endpoints import save_endpoint
from integrations.keys import save_key
from integrations.models import Connection, Definition, Endpoint, Key
from tests.admin_world import public_key
from tests.integrations.makers import deploy, make_entity, make_flow, node, person

pytestmark = pytest.mark.django_db

EMBEDDED: list[tuple[type[Model], dict[str, Any]]] = [
    (Connection, {"production_address": "https://evil.example.com"}),
    (Connection, {"sandbox_address": "https://evil.example.com"}),
    (Connection, {"auth": "basic"}),
    (Connection, {"auth_name": "X-Key"}),
    (Endpoint, {"method": "DELETE"}),
    (Endpoint, {"path": "/evil"}),
    (Endpoint, {"query": '[{"name":"a","value":1}]'}),
    (Endpoint, {"headers": '[{"name":"a","value":1}]'}),
    (Endpoint, {"body": "1"}),
    (Endpoint, {"body_type": "text"}),
    (Endpoint, {"decides": "result"}),
    (Endpoint, {"base_element": "result"}),
    (Endpoint, {"timeout_seconds": 60}),
    (Endpoint, {"repeat": "never"}),
    (Key, {"kind": "hmac"}),
    (Key, {"sealed": "another public key"}),
]
UNSEEN: list[tuple[type[Model], dict[str, Any]]] = [
    (Connection, {"title": "Another"}),
    (Endpoint, {"title": "Another", "sample": "{}"}),
]


@pytest.fixture(autouse=True)
def rows() -> dict[type[Model], Definition]:
    """A definition of each kind, in an entity with a deployed version."""
    entity, integrator = make_entity(), person("integrator")
    shop = save_connection(entity, by=integrator, name="shop", production_address="https://shop.example.com")
    orders = save_endpoint(entity, by=person("builder"), name="orders", connection="shop", path="/orders")
    partner = save_key(entity, by=integrator, name="partner", kind="rsa-public", material=public_key())
    deploy(make_flow(entity, "flow", node(1)), node(1))
    return {Connection: shop, Endpoint: orders, Key: partner}


def change(row: Definition, **values: Any) -> None:
    with transaction.atomic():
        assert type(row)._default_manager.filter(pk=row.pk).update(**values) == 1


def record(row: Definition, at: Any, by: str = "approver") -> Edit:
    subject = f"{row._meta.model_name}:{row.pk}"
    return Edit.objects.create(entity=row.entity, subject=subject, by=person(by), at=at)


@pytest.mark.parametrize(("model", "values"), EMBEDDED)
def test_what_versions_embed_changes_with_a_record_of_ones_own_only(rows, model, values):
    row, approver, now = rows[model], person("approver"), timezone.now() + timedelta(seconds=1)
    for how in ({}, {"changed_at": now}, {"changed_at": now, "changed_by": approver}):
        with pytest.raises(IntegrityError, match="records by whom"):
            change(row, **values, **how)
    record(row, now, by="integrator")
    with pytest.raises(IntegrityError, match="records by whom"):
        change(row, **values, changed_at=now, changed_by=approver)
    at = record(row, now + timedelta(seconds=1)).at
    change(row, **values, changed_at=at, changed_by=approver)


@pytest.mark.parametrize(("model", "values"), UNSEEN)
def test_what_versions_dont_embed_changes_freely(rows, model, values):
    change(rows[model], **values)


def test_a_secret_key_is_rotated_without_a_record(rows):
    key = save_key(rows[Key].entity, by=person("integrator"), name="mine", kind="hmac", material="s3cret")
    change(key, sealed="other material", sandbox_sealed="other material")


def test_a_connection_that_an_endpoint_calls_isnt_exchanged_unrecorded(rows):
    entity = rows[Connection].entity
    other = save_connection(entity, by=person("integrator"), name="other", production_address="https://b.example.com")
    with pytest.raises(IntegrityError, match="records by whom"):
        change(rows[Endpoint], connection=other)


@pytest.mark.parametrize("model", [Connection, Endpoint, Key])
def test_a_definition_keeps_its_name_and_its_entity(rows, model):
    """Else one that was made long ago could take the place of another that everybody has seen."""
    for values in ({"name": "another"}, {"entity": make_entity("other")}, {"id": 99}):
        with pytest.raises(IntegrityError, match="never change"):
            change(rows[model], **values)


@pytest.mark.parametrize(
    ("model", "values"), [(model, values) for model, values in EMBEDDED if values != {"repeat": "never"}]
)
def test_a_new_row_is_blank(rows, model, values):
    by = {"created_by": person("builder"), "changed_by": person("builder")}
    more = {"connection": rows[Connection]} if model is Endpoint else {}
    with pytest.raises(IntegrityError, match="is blank"), transaction.atomic():
        model._default_manager.create(entity=rows[model].entity, name="new", **by, **more, **values)


def test_a_record_that_was_kept_since_before_a_submission_serves_nothing(rows):
    row = rows[Connection]
    kept = record(row, timezone.now())
    deploy(make_flow(row.entity, "later", node(1)), node(1), node(2))
    with pytest.raises(IntegrityError, match="records by whom"):
        change(row, auth="basic", changed_at=kept.at, changed_by=person("approver"))


@pytest.mark.parametrize("model", [Connection, Endpoint, Key])
def test_sqlite_replaces_no_definition(rows, model):
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's own statement")
    table = model._meta.db_table
    with pytest.raises(IntegrityError, match=r"can't be replaced|is blank"), connection.cursor() as cursor:
        cursor.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


def test_the_triggers_are_built_and_missed_with_the_others(rows):
    class Migration:
        app_label = "integrations"

    triggers.before_migrate(using="default", plan=[(Migration, False)])
    assert "chatflow_integrations_endpoint_recorded" in triggers.missing()
    triggers.after_migrate(using="default")
    assert triggers.missing() == set()

"""Connections: who may change them, what an address may be, and how secrets get in and stay in."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from flows.models import Role
from flows.vault import open_sealed
from integrations.connections import delete_connection, has_secret, host_of, place_of, save_connection, warnings_of
from integrations.endpoints import save_endpoint
from integrations.models import Connection, Secret
from tests.integrations.makers import edits_of, make_entity, make_flow, node, person

pytestmark = pytest.mark.django_db

SHOP = {"name": "shop", "production_address": "https://api.shop.example/v1"}


@pytest.fixture
def entity():
    return make_entity()


def save(entity, by="integrator", **fields):
    return save_connection(entity, by=person(by), **{**SHOP, **fields})


def problems(entity, **fields) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        save(entity, **fields)
    return refused.value.message_dict


@pytest.mark.parametrize("role", [role for role in Role if role != Role.INTEGRATOR])
def test_only_integrators_manage_connections(entity, role):
    with pytest.raises(PermissionDenied):
        save(entity, by=role)
    assert not Connection.objects.exists()


def test_an_integrator_of_another_entity_is_refused(entity):
    other = make_entity("other")
    other.memberships.all().delete()
    with pytest.raises(PermissionDenied):
        save(other)


def test_saving_again_changes_the_same_connection(entity):
    first = save(entity)
    again = save(entity, title="The shop", production_address="https://api.shop.example/v2")
    assert (again.pk, again.title, again.production_address) == (first.pk, "The shop", "https://api.shop.example/v2")


def test_an_address_is_kept_in_one_form(entity):
    saved = save(entity, production_address=" HTTPS://Bücher.Example:8443/v1/ ")
    assert saved.production_address == "https://xn--bcher-kva.example:8443/v1"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.shop.example",
        "ftp://api.shop.example",
        "https://",
        "https://user:password@api.shop.example",
        "https://api.shop.example/?key=1",
        "https://api.shop.example/#part",
        "https://{{ payload.host }}.example",
        "https://api.shop.example/{{ payload.path }}",
        "https://api.shop.example/a/../b",
        "https://api.shop.example/%2e%2e/b",
        "https://api.shop.example\\@evil.example",
        "https://api shop.example",
        "https://api.shop.example:99999",
        "https://api.shop.example/\x00",
        "https://api.shop.example/" + "a" * 500,
    ],
)
def test_what_is_no_fixed_address_is_refused(entity, address):
    assert "production_address" in problems(entity, production_address=address)


def test_every_problem_is_told_at_once(entity):
    found = problems(entity, name="no name", production_address="", auth="magic", sandbox_address="nowhere")
    assert set(found) == {"name", "production_address", "sandbox_address", "auth"}


@pytest.mark.parametrize(
    ("auth", "name"), [("api_key_header", ""), ("api_key_header", "Host"), ("api_key_query", "a b")]
)
def test_an_api_key_needs_a_place_to_go_to(entity, auth, name):
    assert set(problems(entity, auth=auth, auth_name=name)) == {"auth_name"}


@pytest.mark.parametrize(
    ("auth", "secret"),
    [
        ("none", "anything"),
        ("basic", "without-colon"),
        ("bearer", "two\nlines"),
        ("bearer", " s3cret-word "),
        ("bearer", "päss"),
        ("bearer", "x" * 7000),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_and_not_quoted(entity, auth, secret):
    found = problems(entity, auth=auth, secrets={"production": secret})
    assert set(found) == {"production_secret"}
    assert secret.strip() not in str(found)


def test_a_secret_for_no_address_is_refused(entity):
    assert set(problems(entity, auth="bearer", secrets={"sandbox": "s3cret"})) == {"sandbox_secret"}


def test_a_line_break_at_the_end_of_a_secret_is_not_part_of_it(entity):
    save(entity, auth="bearer", secrets={"production": "s3cret\n"})
    secret = Secret.objects.get()
    assert open_sealed(secret.sealed, place_of(secret)) == "s3cret"


def test_a_secret_is_sealed_and_shown_nowhere(entity):
    connection = save(entity, auth="bearer", secrets={"production": "s3cret-value"})
    secret = Secret.objects.get()
    shown = [str(secret), repr(secret), str(secret.__dict__), repr(connection), str(connection.__dict__)]
    assert "s3cret-value" not in "".join(shown)
    assert (secret.environment, secret.host, secret.set_by.username) == (
        "production", "https://api.shop.example:443", "integrator",
    )  # fmt: skip


def test_a_secret_stays_with_its_host_when_the_address_moves(entity):
    save(entity, auth="bearer", secrets={"production": "old-secret"})
    connection = save(entity, auth="bearer", production_address="https://evil.example")
    assert not has_secret(connection, "production")
    assert [secret.host for secret in connection.secrets.all()] == ["https://api.shop.example:443"]
    save(entity, auth="bearer", production_address="https://evil.example", secrets={"production": "new-secret"})
    assert has_secret(connection, "production")
    assert connection.secrets.count() == 2


def test_a_path_may_change_under_a_secret_but_not_host_port_or_scheme():
    assert host_of("https://A.example/v1") == host_of("https://a.example:443/v2")
    hosts = ["https://a.example", "http://a.example", "https://a.example:8443", "https://b.example", "http://[::1]"]
    assert len({host_of(address) for address in hosts}) == len(hosts)


def test_an_empty_secret_keeps_what_is_there(entity):
    save(entity, auth="bearer", secrets={"production": "s3cret"})
    assert has_secret(save(entity, auth="bearer", secrets={"production": ""}), "production")


def test_an_edit_is_recorded_when_what_versions_embed_changes_and_only_then(entity):
    root = person("root")
    connection = save(entity, auth="bearer", secrets={"production": "one"})
    subject = f"connection:{connection.pk}"
    assert edits_of(subject) == ["integrator"]
    save_connection(entity, by=root, **SHOP, auth="bearer")
    save_connection(entity, by=root, **SHOP, auth="bearer", title="Renamed", secrets={"production": "two"})
    assert edits_of(subject) == ["integrator"]
    save_connection(entity, by=root, **SHOP, auth="basic")
    assert edits_of(subject) == ["integrator", "root"]
    connection.refresh_from_db()
    assert connection.changed_by == root


def test_an_http_address_a_missing_secret_and_a_missing_sandbox_are_warned_of(entity):
    connection = save(entity, production_address="http://api.shop.example", auth="bearer")
    assert [sentence.split(" ")[1:4] for sentence in warnings_of(connection)] == [
        ["production", "address", "is"],
        ["is", "no", "production"],
        ["is", "no", "sandbox"],
    ]


def test_a_connection_with_endpoints_or_in_a_draft_is_not_deleted(entity):
    connection = save(entity)
    save_endpoint(entity, by=person("builder"), name="orders", connection="shop", path="/orders")
    with pytest.raises(ValidationError, match="orders"):
        delete_connection(connection, by=person("integrator"))
    connection.endpoints.all().delete()
    delete_connection(connection, by=person("integrator"))
    assert not Connection.objects.exists()


def test_an_unused_connection_goes_with_its_secrets(entity):
    connection = save(entity, auth="bearer", secrets={"production": "s3cret"})
    make_flow(entity, "other", node(1))
    with pytest.raises(PermissionDenied):
        delete_connection(connection, by=person("builder"))
    delete_connection(connection, by=person("integrator"))
    assert not Secret.objects.exists()

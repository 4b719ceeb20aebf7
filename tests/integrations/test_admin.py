"""The pages of connections, endpoints and keys in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session

from flows.models import Edit, Entity
from flows.vault import open_sealed
from integrations.connections import save_connection
from integrations.endpoints import save_endpoint
from integrations.keys import place_of, save_key
from integrations.models import Connection, Endpoint, Key
from tests.admin_world import SECRET, as_user, public_key, text_of, url
from tests.routing.makers import make_house, person

pytestmark = pytest.mark.django_db

ADDRESS = "https://shop.example.com/v1"


@pytest.fixture
def entity() -> Entity:
    return make_house()


def make_connection(entity: Entity, **values: Any) -> Connection:
    given = {"name": "shop", "production_address": ADDRESS, "auth": "bearer", **values}
    return save_connection(entity, by=person("integrator"), secrets={"production": SECRET}, **given)


def post(page: str, by: str = "integrator", **typed: Any) -> str:
    answer = as_user(by).post(page, typed, follow=True)
    assert answer.status_code == 200
    return text_of(answer)


def connection_form(entity: Entity, **typed: Any) -> dict[str, Any]:
    known = {"entity": entity.pk, "name": "shop", "production_address": ADDRESS, "auth": "bearer", "auth_name": ""}
    return {**known, "title": "", "sandbox_address": "", "production_secret": "", "sandbox_secret": "", **typed}


def endpoint_form(connection: Connection, **typed: Any) -> dict[str, Any]:
    known = {"connection": connection.pk, "name": "get_order", "method": "GET", "path": "/orders", "query": ""}
    known |= {"headers": "", "body": "", "body_type": "none", "decides": "code", "timeout_seconds": 10, "repeat": ""}
    return {**known, **typed}


# --- Connections ------------------------------------------------------------------------------------------------------


def test_an_integrator_adds_a_connection_with_its_secret(entity: Entity) -> None:
    text = post(url(Connection, "add"), **connection_form(entity, production_secret=SECRET))
    made = Connection.objects.get()
    assert made.secrets.get().host == "https://shop.example.com:443"
    assert "The production secret is sealed" in text
    assert "There is no sandbox address: in the sandbox, effects are pretended." in text
    assert SECRET not in text


def test_the_page_says_that_there_is_a_secret_and_since_when_but_never_which(entity: Entity) -> None:
    made = make_connection(entity)
    text = text_of(as_user("integrator").get(url(made, "change", made.pk)))
    assert "There is one for https://shop.example.com:443, set by integrator on" in text
    assert SECRET not in text
    assert made.secrets.get().sealed not in text


def test_a_blank_secret_keeps_what_is_there(entity: Entity) -> None:
    made = make_connection(entity)
    sealed = made.secrets.get().sealed
    post(url(made, "change", made.pk), **connection_form(entity, title="The shop"))
    made.refresh_from_db()
    assert (made.title, made.secrets.get().sealed) == ("The shop", sealed)


def test_another_secret_replaces_it(entity: Entity) -> None:
    made = make_connection(entity)
    sealed = made.secrets.get().sealed
    post(url(made, "change", made.pk), **connection_form(entity, production_secret="another"))
    assert made.secrets.get().sealed != sealed


def test_a_refused_form_shows_reasons_at_fields_and_never_the_secret(entity: Entity) -> None:
    typed = connection_form(entity, production_address="ftp://x", auth="basic", production_secret="nocolon-secret")
    text = post(url(Connection, "add"), **typed)
    assert "takes user:password" in text
    assert "nocolon-secret" not in text
    assert not Connection.objects.exists()


def test_adding_a_name_that_is_taken_changes_nothing(entity: Entity) -> None:
    made = make_connection(entity)
    text = post(url(Connection, "add"), **connection_form(entity, production_address="https://evil.example.com"))
    assert "has the connection 'shop' already" in text
    made.refresh_from_db()
    assert made.production_address == ADDRESS


def test_the_name_stays_as_it_was_given(entity: Entity) -> None:
    made = make_connection(entity)
    post(url(made, "change", made.pk), **connection_form(entity, name="renamed"))
    assert list(Connection.objects.values_list("name", flat=True)) == ["shop"]


def test_builders_and_superusers_see_no_more_than_that_there_is_one(entity: Entity) -> None:
    made = make_connection(entity)
    text = text_of(as_user("builder").get(url(made, "change", made.pk)))
    assert "There is one; it is never shown." in text
    assert 'type="password"' not in text


def test_a_connection_that_is_used_stays_and_the_reason_is_told(entity: Entity) -> None:
    made = make_connection(entity)
    save_endpoint(entity, by=person("builder"), name="get_order", connection="shop", path="/orders")
    assert "the endpoint get_order" in text_of(as_user("integrator").get(url(made, "change", made.pk)))
    text = post(url(made, "delete", made.pk), post="yes")
    assert "has endpoints: get_order. Delete them first." in text
    assert Connection.objects.exists()


def test_an_unused_connection_goes_with_its_secret(entity: Entity) -> None:
    made = make_connection(entity)
    post(url(made, "delete", made.pk), post="yes")
    assert not Connection.objects.exists()


# --- Endpoints --------------------------------------------------------------------------------------------------------


def test_a_builder_adds_an_endpoint(entity: Entity) -> None:
    connection = make_connection(entity)
    pairs = '[{"name": "id", "value": "{{ payload.id }}"}]'
    typed = endpoint_form(connection, method="POST", query=pairs, body='{"a": 1.50}', body_type="json")
    post(url(Endpoint, "add"), by="builder", **typed)
    made = Endpoint.objects.get()
    assert (made.entity, made.query, made.body) == (entity, '[{"name":"id","value":"{{ payload.id }}"}]', '{"a":1.50}')
    assert made.repeat == "never"


def test_saving_an_endpoint_unchanged_is_no_edit(entity: Entity) -> None:
    connection = make_connection(entity)
    made = save_endpoint(
        entity,
        by=person("builder"),
        name="get_order",
        connection="shop",
        path="/orders",
        method="POST",
        body={"total": "{{ payload.total }}"},
        headers=[{"name": "X-Shop", "value": "1"}],
    )
    page = as_user("builder").get(url(made, "change", made.pk))
    shown = page.context["adminform"].form.initial
    edits = Edit.objects.count()
    typed = endpoint_form(connection, method="POST", body_type="json", repeat=made.repeat)
    post(url(made, "change", made.pk), by="builder", **{**typed, "headers": shown["headers"], "body": shown["body"]})
    assert Edit.objects.count() == edits


@pytest.mark.parametrize(
    ("field", "text", "told"),
    [
        ("query", "{", "This isn't JSON."),
        ("query", "{}", "isn't a list of pairs"),
        ("headers", '[{"name": "X"}]', "isn't a pair"),
        ("headers", '[{"name": "Authorization", "value": "x"}]', "The connection adds Authorization itself"),
        ("path", "orders", "A path begins with /"),
        ("path", "/{{ payload.", "In the path"),
        ("decides", "a b", "isn't a path into the answer"),
        ("timeout_seconds", "900", "1 to 60 seconds"),
        ("body", "{", "This isn't JSON."),
    ],
)
def test_what_is_wrong_with_an_endpoint_stands_at_its_field(entity: Entity, field: str, text: str, told: str) -> None:
    typed = endpoint_form(make_connection(entity), method="POST", body_type="json", body='{"a": 1}')
    answer = as_user("builder").post(url(Endpoint, "add"), {**typed, field: text})
    errors = answer.context["adminform"].form.errors
    assert told in " ".join(errors[field])
    assert not Endpoint.objects.exists()


def test_connections_of_other_entities_are_not_offered_and_not_taken(entity: Entity) -> None:
    from tests.flows.makers import make_entity

    other = make_entity("other", other_integrator="integrator")
    foreign = save_connection(other, by=person("other_integrator"), name="foreign", production_address=ADDRESS)
    assert "foreign" not in text_of(as_user("builder").get(url(Endpoint, "add")))
    assert "Select a valid choice" in post(url(Endpoint, "add"), by="builder", **endpoint_form(foreign))
    assert not Endpoint.objects.exists()


# --- Keys -------------------------------------------------------------------------------------------------------------


def key_form(entity: Entity, **typed: Any) -> dict[str, Any]:
    return {"entity": entity.pk, "name": "box", "kind": "aes-256", "material": "", **typed}


def test_a_generated_key_is_shown_once_on_the_answer_and_kept_nowhere(entity: Entity) -> None:
    client = as_user("integrator")
    answer = client.post(url(Key, "add"), key_form(entity, generate="on"))
    key = Key.objects.get()
    material = open_sealed(key.sealed, place_of(key))
    assert answer.status_code == 200
    assert material in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    assert not answer.cookies.get("messages")
    assert material not in text_of(client.get(url(key, "change", key.pk)))
    assert not any(material in str(session.get_decoded()) for session in Session.objects.all())
    assert not any(material in str(entry.__dict__) for entry in LogEntry.objects.all())


def test_a_key_without_material_is_known_to_nobody(entity: Entity) -> None:
    text = post(url(Key, "add"), **key_form(entity))
    key = Key.objects.get()
    assert open_sealed(key.sealed, place_of(key)) not in text


def test_sandbox_material_is_sealed_from_the_form_and_the_page_says_only_that_it_is_there(entity: Entity) -> None:
    text = "text for the sandbox"
    client = as_user("integrator")
    client.post(url(Key, "add"), key_form(entity, kind="hmac", material="s3cret", sandbox_material=text))
    key = Key.objects.get()
    assert open_sealed(key.sandbox_sealed, place_of(key, "sandbox")) == text
    page = text_of(client.get(url(key, "change", key.pk)))
    assert "There is some." in page
    assert text not in page


def test_only_a_public_key_is_shown(entity: Entity) -> None:
    pem = public_key()
    save_key(entity, by=person("integrator"), name="partner", kind="rsa-public", material=pem)
    save_key(entity, by=person("integrator"), name="hooks", kind="hmac", material="hmac-material")
    shown = Key.objects.get(name="partner")
    hidden = Key.objects.get(name="hooks")
    assert pem.splitlines()[1] in text_of(as_user("viewer").get(url(shown, "change", shown.pk)))
    assert "hmac-material" not in text_of(as_user("integrator").get(url(hidden, "change", hidden.pk)))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"material": "short"}, "An AES-256 key is 32 bytes in base64"),
        ({"kind": "hmac", "generate": "on"}, "Only an AES-256 key is made here"),
        ({"material": "x", "generate": "on"}, "Either give material or have it made"),
        ({"kind": "rsa-public", "material": "x"}, "PEM text"),
    ],
)
def test_wrong_material_is_refused_and_not_repeated_by_the_sentence(
    entity: Entity, typed: dict[str, str], told: str
) -> None:
    assert told in post(url(Key, "add"), **key_form(entity, **typed))
    assert not Key.objects.exists()


def test_material_that_was_refused_is_not_written_back_into_the_page(entity: Entity) -> None:
    assert "half-a-secret" not in post(url(Key, "add"), **key_form(entity, material="half-a-secret"))

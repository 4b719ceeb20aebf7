"""Whatever changes who may do what, or what calls get in and out, is in the log of changes, whoever asks by what way."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from django.test import Client

import flows
import integrations
import routing
from flows import erasure, members, origin
from flows.chains import walk_all
from flows.identifiers import Person
from flows.models import Change, Entity, Membership
from integrations import connections, endpoints, keys
from routing import channels, modes, route_tokens, routes
from tests.admin_world import as_user, url
from tests.flows.makers import make_user
from tests.routing.makers import deploy, make_flow, make_house, make_route, person

pytestmark = pytest.mark.django_db(transaction=True)

RECORDED_ELSEWHERE = {
    "flows.drafts": "an edit, which four eyes reads",
    "flows.contributors": "is the record of edits",
    "flows.lifecycle": "a decision, sealed as well",
    "flows.changes": "is the log",
    "integrations.definitions": "what connections, endpoints and keys have in common",
}
"""Modules whose functions say `by` and make another record."""

NOT_A_CHANGE = {
    "flows.effects.settle": "the effect says who settled it",
    "flows.engine.closures.located": "`by` isn't a person",
    "integrations.resealing.reseal_public_keys": "the same keys, encrypted anew; an edit says by whom",
    "routing.routes.require_manager": "only asks",
    "routing.setup_file.apply_setup": "calls the others",
}


@dataclass
class House:
    entity: Entity
    flow: Any
    route: Any
    token: Any
    connection: Any
    endpoint: Any
    key: Any


@pytest.fixture
def house() -> House:
    entity = make_house("acme")
    make_user("newcomer")
    flow = deploy(make_flow(entity))
    route, _ = make_route(flow, name="orders")
    connection = connections.save_connection(
        entity, by=person("integrator"), name="shop", production_address="https://shop.example.com", auth="bearer"
    )
    endpoint = endpoints.save_endpoint(entity, by=person("builder"), name="ask", connection="shop", path="/ask")
    key = keys.save_key(entity, by=person("integrator"), name="box", kind="hmac", material="s3cret-of-box")
    return House(entity, flow, route, route.tokens.get(), connection, endpoint, key)


def grant(house: House, role: str = "viewer") -> Membership:
    return members.grant(house.entity, person("newcomer"), role, by=person("owner"))


def save_shop(house: House, **values: Any) -> Any:
    given = {"production_address": "https://shop.example.com", "auth": "bearer", **values}
    return connections.save_connection(house.entity, by=person("integrator"), name="shop", **given)


def save_ask(house: House, **values: Any) -> Any:
    given = {"connection": "shop", "path": "/ask", **values}
    return endpoints.save_endpoint(house.entity, by=person("builder"), name="ask", **given)


def save_box(house: House, **values: Any) -> Any:
    return keys.save_key(house.entity, by=person("integrator"), name="box", kind="hmac", **values)


def onboarded(house: House) -> Any:
    entity = members.make_entity("fresh", "Fresh", by=person("root"))
    members.grant(entity, person("owner"), "owner", by=person("root"))
    return channels.onboard(entity, "dynamic_api", by=person("owner"))


EXAMPLES: dict[str, tuple[Callable[[House], Any], str, str]] = {
    "flows.members.grant": (grant, "granted", '{"person":"newcomer","role":"viewer"}'),
    "flows.members.revoke": (lambda h: members.revoke(grant(h), by=person("owner")), "revoked", ""),
    "flows.members.make_entity": (
        lambda h: members.make_entity("fresh", "Fresh", by=person("root")),
        "made",
        '{"keep_runs_days":null,"name":"Fresh","slug":"fresh"}',
    ),
    "flows.members.change_entity": (
        lambda h: members.change_entity(h.entity, by=person("owner"), keep_runs_days=30),
        "changed",
        '{"keep_runs_days":30}',
    ),
    "flows.erasure.forget": (
        lambda h: erasure.forget(h.entity, Person(["ann@example.com"]), by=person("owner")),
        "forgot a person",
        "",
    ),
    "routing.channels.onboard": (onboarded, "onboarded", '{"kind":"dynamic_api"}'),
    "routing.routes.create_route": (lambda h: make_route(h.flow)[0], "made", ""),
    "routing.routes.change_route": (
        lambda h: routes.change_route(h.route, by=person("approver"), allow="203.0.113.7", rate_per_minute=9),
        "changed",
        '{"allow":"203.0.113.7/32","rate_per_minute":9}',
    ),
    "routing.routes.remove_route": (lambda h: routes.remove_route(h.route, by=person("approver")), "removed", ""),
    "routing.modes.pause": (lambda h: modes.pause(h.route, by=person("approver")), "changed", '{"mode":"paused"}'),
    "routing.modes.drain": (lambda h: modes.drain(h.route, by=person("approver")), "changed", '{"mode":"draining"}'),
    "routing.modes.open_again": (
        lambda h: modes.open_again(modes.pause(h.route, by=person("approver")), by=person("approver")),
        "changed",
        '{"mode":"open"}',
    ),
    "routing.route_tokens.create_token": (
        lambda h: route_tokens.create_token(h.route, by=person("approver"), name="Acme"),
        "made",
        "",
    ),
    "routing.route_tokens.revoke_token": (
        lambda h: route_tokens.revoke_token(h.token, by=person("approver")),
        "revoked",
        "",
    ),
    "integrations.connections.save_connection": (
        lambda h: save_shop(h, production_address="https://other.example.com"),
        "changed",
        '{"production_address":"https://other.example.com"}',
    ),
    "integrations.connections.save_connection, a secret": (
        lambda h: save_shop(h, secrets={"production": "s3cret-of-shop"}),
        "set secret",
        '{"environment":"production","host":"https://shop.example.com:443"}',
    ),
    "integrations.connections.delete_connection": (
        lambda h: (
            endpoints.delete_endpoint(h.endpoint, by=person("builder")),
            connections.delete_connection(h.connection, by=person("integrator")),
        ),
        "removed",
        "",
    ),
    "integrations.endpoints.save_endpoint": (lambda h: save_ask(h, path="/more"), "changed", '{"path":"/more"}'),
    "integrations.endpoints.delete_endpoint": (
        lambda h: endpoints.delete_endpoint(h.endpoint, by=person("builder")),
        "removed",
        "",
    ),
    "integrations.keys.save_key": (
        lambda h: save_box(h, material="s3cret-of-box-2"),
        "set material",
        '{"environment":"production"}',
    ),
    "integrations.keys.delete_key": (lambda h: keys.delete_key(h.key, by=person("integrator")), "removed", ""),
}
"""Function to an example of its use, and the last row that it leaves: action, and what became of what (where it matters)."""


def functions_that_say_by() -> Iterator[str]:
    """Every public function of ours that is told who acts: these change something in somebody's name."""
    for package in (flows, routing, integrations):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" in found.name or ".management" in found.name or found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for name, value in inspect.getmembers(module, inspect.isfunction):
                if value.__module__ == found.name and not name.startswith("_"):
                    parameter = inspect.signature(value).parameters.get("by")
                    if parameter is not None:
                        yield f"{found.name}.{name}"


def test_no_function_that_changes_something_in_somebodys_name_is_forgotten() -> None:
    known = {name.partition(",")[0] for name in EXAMPLES} | set(NOT_A_CHANGE)
    found = {name for name in functions_that_say_by() if name.rpartition(".")[0] not in RECORDED_ELSEWHERE}
    assert found == known


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_leaves_a_row_that_says_what_became_of_it(house: House, name: str) -> None:
    do, action, after = EXAMPLES[name]
    before = Change.objects.count()
    do(house)
    last = Change.objects.order_by("-id")[0]
    assert Change.objects.count() > before
    assert (last.action, last.by_id is None) == (action, False)
    assert not after or last.after == after
    assert [chain.problem for chain in walk_all() if chain.problem] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_rolled_back_leaves_none(house: House, name: str) -> None:
    before = list(Change.objects.values())
    with transaction.atomic():
        EXAMPLES[name][0](house)
        transaction.set_rollback(True)
    assert list(Change.objects.values()) == before


def test_no_row_ever_holds_a_secret_or_a_token(house: House) -> None:
    save_shop(house, secrets={"production": "s3cret-of-shop"})
    _, text = route_tokens.create_token(house.route, by=person("approver"))
    rows = json.dumps(list(Change.objects.values_list("title", "before", "after", "place", "subject")))
    key = keys.Key.objects.get(pk=house.key.pk)
    hidden = ["s3cret", text, house.token.digest, key.sealed, person("owner").password]
    assert [one for one in hidden if one in rows] == []


def test_what_stays_as_it_was_leaves_no_row(house: House) -> None:
    before = Change.objects.count()
    save_shop(house)
    save_ask(house)
    routes.change_route(house.route, by=person("approver"), step=1)
    channels.onboard(house.entity, "dynamic_api", by=person("owner"))
    members.change_entity(house.entity, by=person("owner"), name=house.entity.name)
    grant(house)
    grant(house)
    route_tokens.revoke_token(house.token, by=person("approver"))
    route_tokens.revoke_token(house.token, by=person("approver"))
    assert Change.objects.count() == before + 2


# --- Accounts ------------------------------------------------------------------------------------------------------------


def last() -> tuple[str, str, str, str, str]:
    row = Change.objects.order_by("-id")[0]
    return row.action, row.title, str(row.by), row.before, row.after


def test_accounts_are_in_the_log_however_they_are_saved() -> None:
    call_command("createsuperuser", "--noinput", "--username=eva", "--email=eva@example.com")
    assert last()[:3] == ("made", "eva", "None")
    eva = User.objects.get(username="eva")
    with origin.acting(eva):
        eva.is_active = False
        eva.save()
    assert last() == ("changed", "eva", "eva", '{"is_active":true}', '{"is_active":false}')
    eva.set_password("another long password")
    eva.save(update_fields=["password"])
    assert last() == ("set password", "eva", "None", "", "")
    count = Change.objects.count()
    eva.save()
    eva.save(update_fields=["last_login"])
    assert Change.objects.count() == count
    make_user("ben").delete()
    assert last()[:2] == ("removed", "ben")


def test_a_login_is_no_change(client: Client) -> None:
    make_user("vera")
    count = Change.objects.count()
    assert client.login(username="vera", password="long enough password")
    assert Change.objects.count() == count


def test_the_admin_says_who_and_from_which_address(house: House) -> None:
    client, vera = as_user("root"), make_user("vera")
    client.post(
        url(User, "change", vera.pk),
        {"username": "vera", "is_staff": "on", "is_superuser": "on", "is_active": "on"},
        REMOTE_ADDR="203.0.113.9",
    )
    row = Change.objects.order_by("-id")[0]
    assert (row.place, str(row.by), row.subject) == ("203.0.113.9", "root", f"user:{vera.pk}")
    assert json.loads(row.after) == {"is_superuser": True, "email": ""}
    words = {"password1": "a quite long phrase", "password2": "a quite long phrase", "usable_password": "true"}
    client.post(f"/admin/auth/user/{vera.pk}/password/", words, REMOTE_ADDR="203.0.113.9")
    assert last()[:3] == ("set password", "vera", "root")


def test_forwarded_addresses_count_only_behind_ones_own_proxies(house: House, settings: Any) -> None:
    def renamed(name: str) -> str:
        data = {"name": name, "keep_runs_days": ""}
        as_user("owner").post(
            url(Entity, "change", house.entity.pk),
            data,
            REMOTE_ADDR="10.0.0.1",
            headers={"X-Forwarded-For": "203.0.113.9"},
        )
        assert Entity.objects.get(pk=house.entity.pk).name == name
        return Change.objects.order_by("-id")[0].place

    assert renamed("Acme One") == "10.0.0.1"
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert renamed("Acme Two") == "203.0.113.9"


# --- Commands ------------------------------------------------------------------------------------------------------------


def test_a_setup_file_is_recorded_in_the_name_of_whoever_applies_it(tmp_path: Path) -> None:
    make_user("root", is_superuser=True)
    os.environ["TEST_SETUP_SECRET"] = "s3cret-of-setup"
    file = tmp_path / "setup.json"
    place = {"address": "https://x.example.com", "secret_env": "TEST_SETUP_SECRET"}
    entity = {
        "slug": "new",
        "members": [{"username": "mia", "roles": ["owner"]}, {"username": "ian", "roles": ["integrator"]}],
        "channels": ["dynamic_api"],
        "connections": [{"name": "x", "production": place, "auth": "bearer"}],
    }
    file.write_text(json.dumps({"entities": [entity]}))
    call_command("setup", str(file), "--as", "root", stdout=StringIO())
    rows = [(row.action, row.subject.partition(":")[0], str(row.by), row.place) for row in Change.objects.all()[::-1]]
    told = ["made entity", "made user", "granted membership", "made user", "granted membership"]
    told += ["onboarded channel", "made connection", "set secret connection"]
    assert [f"{action} {kind}" for action, kind, *_ in rows[1:]] == told
    assert {(by, place) for _, _, by, place in rows[1:]} == {("root", f"command by {origin.os_user()}")}
    count = Change.objects.count()
    call_command("setup", str(file), "--as", "root", stdout=StringIO())
    assert [row.action for row in Change.objects.all()[: Change.objects.count() - count]] == ["set secret"]

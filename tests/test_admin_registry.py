"""Every model is in the admin, scoped by entity, or stands here with the reason why it isn't."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from flows import models as flows
from flows.scoping import EntityAdmin
from integrations import models as integrations
from routing import models as routing
from tests.admin_world import STRANGERS, World, as_user, make_world, url

OURS = ("flows", "routing", "integrations")
LEFT_OUT: dict[type[Model], str] = {
    flows.Flow: "shown as DynamicApiFlow and StandardFlow, one menu entry each",
    flows.Case: "travels in the flow's file",
    flows.Content: "shown on the pages of its versions",
    flows.Contributor: "shown on the page of its version",
    flows.Decision: "shown on the page of its version",
    flows.Edit: "a record that four eyes reads; a version's page names the people",
    flows.Segment: "the steps on a run's page",
    flows.Effect: "shown on the page of its run",
    flows.Heartbeat: "shown by /readyz",
    routing.Token: "shown and made on the page of its route",
    routing.IdempotencyRecord: "only the front door reads it, for 72 hours",
    routing.Refusal: "shown on the page of its route",
    integrations.Secret: "goes in on the connection's page and never comes out",
}
NOT_FOR_ALL: dict[type[Model], str] = {flows.Change: "who changed what, and from where: for owners and approvers"}
REGISTERED = [model for model in apps.get_models() if model in admin.site._registry and model._meta.app_label in OURS]
ROW_PAGES = ("change", "delete", "history")
LONGEST_LIST_QUERIES = 30


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def name_of(model: type[Model]) -> str:
    return model.__name__


def test_no_model_is_forgotten() -> None:
    ours = {model for model in apps.get_models() if model._meta.app_label in OURS}
    assert ours == {*REGISTERED, *LEFT_OUT}


@pytest.mark.parametrize("model", REGISTERED, ids=name_of)
def test_every_page_is_scoped_by_entity_and_has_no_bulk_actions(model: type[Model]) -> None:
    page = admin.site._registry[model]
    assert isinstance(page, EntityAdmin)
    assert page.actions is None


@pytest.mark.django_db
def test_the_world_has_a_row_of_every_registered_model() -> None:
    assert set(make_world().rows) == set(REGISTERED)


@pytest.mark.parametrize("stranger", STRANGERS)
def test_strangers_see_nothing_and_change_nothing(world: World, stranger: str) -> None:
    client = as_user(stranger)
    for model, row in world.rows.items():
        before = model._default_manager.values().get(pk=row.pk)
        listed = client.get(url(model, "changelist"))
        if listed.status_code == 403:
            assert model in NOT_FOR_ALL
            continue
        assert listed.status_code == 200
        assert row not in listed.context["cl"].result_list, model
        assert "acme" not in listed.content.decode().lower(), model
        for page in ROW_PAGES:
            for answer in (
                client.get(url(model, page, row.pk)),
                client.post(url(model, page, row.pk), {"post": "yes"}),
            ):
                assert answer.status_code in (302, 403, 404, 405), (model, page)
        assert model._default_manager.values().get(pk=row.pk) == before


@pytest.mark.parametrize("stranger", STRANGERS)
def test_strangers_are_offered_nothing_in_forms(world: World, stranger: str) -> None:
    client = as_user(stranger)
    for model in world.rows:
        page = client.get(url(model, "add"))
        assert page.status_code in (200, 403)
        if page.status_code == 200:
            text = page.content.decode()
            assert "acme" not in text.lower(), model
            assert "shop" not in text, model
            assert "order-total" not in text, model


@pytest.mark.parametrize("stranger", STRANGERS)
def test_strangers_get_nowhere_by_the_other_addresses(world: World, stranger: str) -> None:
    client, version, run = as_user(stranger), world.rows[flows.Version], world.rows[flows.Run]
    flow = world.rows[flows.DynamicApiFlow]
    tries = [
        client.get(url(flow, "export", flow.pk)),
        client.post(url(version, "decide", version.pk, "retire"), {"status": "deployed"}),
        client.post(url(run, "settle", run.pk), {"effect": "x", "word": "sent"}),
        client.post(url(world.route, "token", world.route.pk)),
        client.post(url(world.route, "revoke", world.route.pk, world.token.pk)),
    ]
    assert [answer.status_code for answer in tries] == [302] * 5
    assert not any(b"acme" in answer.content for answer in tries)
    version.refresh_from_db()
    world.token.refresh_from_db()
    assert (version.status, world.token.revoked_at) == ("deployed", None)
    assert world.route.tokens.count() == 1


@pytest.mark.parametrize("model", REGISTERED, ids=name_of)
def test_viewers_look_and_may_not_write(world: World, model: type[Model]) -> None:
    client, row = as_user("viewer"), world.rows[model]
    before = model._default_manager.values().get(pk=row.pk)
    looks = 403 if model in NOT_FOR_ALL else 200
    assert client.get(url(model, "changelist")).status_code == looks
    assert client.get(url(model, "change", row.pk)).status_code in (looks, 302)
    assert client.get(url(model, "add")).status_code == 403
    assert client.post(url(model, "add"), {"name": "x"}).status_code == 403
    assert client.post(url(model, "change", row.pk), {"name": "x", "draft": "[]"}).status_code in (403, 422)
    assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.values().get(pk=row.pk) == before


@pytest.mark.parametrize("name", ["owner", "builder", "approver", "integrator", "viewer", "root"])
def test_no_page_ever_holds_a_secret(world: World, name: str) -> None:
    client = as_user(name)
    for model, row in world.rows.items():
        pages = [client.get(url(model, "changelist")), client.get(url(model, "add"))]
        pages += [client.get(url(model, page, row.pk)) for page in ROW_PAGES]
        for page in pages:
            text = page.content.decode()
            assert not [hidden for hidden in world.hidden if hidden in text], (model, page.request["PATH_INFO"])


@pytest.mark.parametrize(
    "guess",
    [
        "digest__startswith=a",
        "sealed__contains=a",
        "entity__slug=acme",
        "changed_by__password__startswith=m",
        "trace__contains=x",
    ],
)
def test_nobody_guesses_at_hidden_fields_through_the_filters_of_a_list(world: World, guess: str) -> None:
    client = as_user("viewer")
    for model in (routing.Route, integrations.Key, integrations.Connection, flows.Run):
        assert client.get(f"{url(model, 'changelist')}?{guess}").status_code == 400


@pytest.mark.parametrize("name", ["owner", "builder", "approver", "integrator", "viewer", "root"])
def test_lists_take_a_bounded_number_of_queries(world: World, name: str) -> None:
    client = as_user(name)
    for model in REGISTERED:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url(model, "changelist")).status_code == 200 or model in NOT_FOR_ALL
        assert len(queries) <= LONGEST_LIST_QUERIES, (model, len(queries))


@pytest.mark.django_db
def test_people_without_a_role_are_told_what_to_do() -> None:
    make_world()
    from tests.flows.makers import make_user

    make_user("newcomer")
    page = as_user("newcomer").get("/admin/")
    assert "You belong to no entity yet" in page.content.decode()


def test_accounts_are_for_superusers(world: World) -> None:
    from django.contrib.auth.models import Permission, User

    for name in ("owner", "builder", "viewer"):
        user: Any = User.objects.get(username=name)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=("auth", "flows")))
        client = as_user(name)
        assert client.get("/admin/auth/user/").status_code == 403
        assert client.get(f"/admin/auth/user/{user.pk}/password/").status_code == 403
        assert client.get("/admin/auth/group/").status_code == 404
    assert as_user("root").get("/admin/auth/user/").status_code == 200

"""The log of changes in the admin: who sees what of it, and that it reads in plain words."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from flows import origin
from flows.changes import record
from flows.members import change_entity, grant
from flows.models import Change, Entity, Membership
from tests.admin_world import as_user, text_of, url
from tests.flows.makers import make_entity, make_user
from tests.routing.makers import person

pytestmark = pytest.mark.django_db

LIST = "/admin/flows/change/"


@pytest.fixture
def acme() -> Entity:
    acme = make_entity("acme", olga="owner", cleo="approver", ben="builder", vito="viewer")
    other = make_entity("other", otto="owner")
    make_user("nina")
    with origin.coming_from(lambda: "203.0.113.7"):
        grant(acme, person("nina"), "builder", by=person("olga"))
        change_entity(acme, by=person("olga"), name="Acme & Co", keep_runs_days=30)
        change_entity(other, by=person("otto"), name="Others")
    return acme


def titles(name: str, query: str = "") -> list[str]:
    answer = as_user(name).get(f"{LIST}{query}")
    assert answer.status_code == 200
    return [str(change) for change in answer.context["cl"].result_list]


def test_owners_and_approvers_see_their_entity_and_superusers_everything(acme: Entity) -> None:
    mine = ["changed acme", "granted nina · Builder · Acme"]
    assert titles("olga") == titles("cleo") == mine
    assert titles("otto") == ["changed other"]
    assert {"changed other", *mine, "made nina"} <= set(titles("root"))


@pytest.mark.parametrize("name", ["ben", "vito"])
def test_others_dont_see_it_nor_that_it_is_there(acme: Entity, name: str) -> None:
    client = as_user(name)
    change = Change.objects.filter(entity=acme).latest("id")
    assert client.get(LIST).status_code == 403
    assert client.get(url(change, "change", change.pk)).status_code == 403
    assert LIST not in client.get("/admin/").content.decode()


def test_what_belongs_to_no_entity_is_for_superusers(acme: Entity) -> None:
    of_nina = Change.objects.get(subject=f"user:{person('nina').pk}")
    assert as_user("olga").get(url(of_nina, "change", of_nina.pk)).status_code == 302
    assert as_user("root").get(url(of_nina, "change", of_nina.pk)).status_code == 200


def test_a_row_tells_before_and_after_in_plain_words(acme: Entity) -> None:
    change = Change.objects.filter(entity=acme).latest("id")
    page = text_of(as_user("olga").get(url(change, "change", change.pk)))
    assert '<tr><th scope="row">keep runs days</th><td>–</td><td>30</td></tr>' in page
    assert '<tr><th scope="row">name</th><td>Acme</td><td>Acme &amp; Co</td></tr>' in page
    for said in ("203.0.113.7", "olga", "entity acme"):
        assert said in page


def test_markup_in_a_value_is_only_text(acme: Entity) -> None:
    with transaction.atomic():
        change = record(acme, by=None, action="made", subject="route:1", title="<b>x", after={"name": "<script>"})
    assert change is not None
    page = text_of(as_user("olga").get(url(change, "change", change.pk)))
    assert "&lt;script&gt;" in page
    assert "<script>" not in page.replace("<script src", "")
    assert "<b>x" not in page


@pytest.mark.parametrize("name", ["olga", "root"])
def test_nobody_writes_it_in_the_admin(acme: Entity, name: str) -> None:
    client = as_user(name)
    before = list(Change.objects.values())
    change = Change.objects.filter(entity=acme).latest("id")
    assert client.get(url(Change, "add")).status_code == 403
    assert client.post(url(change, "change", change.pk), {"after": "{}"}).status_code == 403
    assert client.post(url(change, "delete", change.pk), {"post": "yes"}).status_code == 403
    client.post(LIST, {"action": "delete_selected", "_selected_action": [change.pk], "post": "yes"})
    assert list(Change.objects.values()) == before


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?kind=membership", 1),
        ("?kind=route", 0),
        ("?person=olga", 2),
        ("?person=cleo", 0),
        ("?person=nobody", 0),
        ("?since=2020-01-01", 2),
        ("?until=2020-01-01", 0),
        ("?since=soon", 0),
        ("?since=2027-02-30", 0),
        ("?subject=entity:x", 0),
    ],
)
def test_the_list_is_filtered_by_what_who_and_when(acme: Entity, query: str, found: int) -> None:
    assert len(titles("olga", query)) == found


def test_odd_filters_show_nothing_of_others(acme: Entity) -> None:
    assert titles("olga", "?kind=") == titles("olga")
    assert titles("olga", "?entity=other") == titles("olga")
    assert as_user("olga").get(f"{LIST}?by__password__startswith=m").status_code == 400


def test_the_history_of_a_thing_leads_to_its_changes(acme: Entity) -> None:
    membership = Membership.objects.get(user__username="nina")
    answer = as_user("olga").get(url(membership, "history", membership.pk))
    assert answer["Location"] == f"{LIST}?subject=membership:{membership.pk}"
    assert titles("olga", f"?subject=membership:{membership.pk}") == ["granted nina · Builder · Acme"]
    assert as_user("vito").get(url(membership, "history", membership.pk)).status_code == 200
    of_cleo = Membership.objects.get(user__username="cleo")
    assert as_user("olga").get(url(of_cleo, "history", of_cleo.pk)).status_code == 200
    granted = Change.objects.get(subject=f"membership:{membership.pk}")
    assert (
        as_user("olga").get(url(granted, "history", granted.pk))["Location"].endswith(f"membership%3A{membership.pk}")
    )
    nina = person("nina")
    assert as_user("root").get(url(User, "history", nina.pk))["Location"] == f"{LIST}?subject=user:{nina.pk}"


def test_an_empty_log_says_what_would_be_in_it() -> None:
    make_entity("quiet", olga="owner")
    assert "Granting a role or making a route is one" in as_user("olga").get(LIST).content.decode()


def test_a_long_log_is_never_counted(acme: Entity) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert as_user("olga").get(LIST).status_code == 200
    counting = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "flows_change" in query["sql"]]
    assert counting
    assert all("LIMIT 5000" in sql for sql in counting)

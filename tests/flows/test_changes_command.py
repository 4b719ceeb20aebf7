"""The log of changes in the terminal."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from flows import triggers
from flows.changes import record
from flows.members import change_entity, grant
from flows.models import Change, Entity
from tests.flows.makers import make_entity, make_user
from tests.routing.makers import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Entity:
    acme = make_entity("acme", olga="owner", vito="viewer")
    make_user("nina")
    grant(acme, person("nina"), "builder", by=person("olga"))
    change_entity(acme, by=person("olga"), name="Acme & Co", keep_runs_days=30)
    other = make_entity("other", otto="owner")
    change_entity(other, by=person("otto"), name="Others")
    return acme


def run(*options: str) -> list[dict[str, object]]:
    out = StringIO()
    call_command("changes", *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def tamper(statement: str, *values: object) -> None:
    with triggers.lifted(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_a_line_is_a_change(acme: Entity) -> None:
    granted, changed = run("--entity", "acme")
    row = Change.objects.get(pk=changed["id"])
    assert changed == {
        "id": row.pk,
        "at": row.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "entity": "acme",
        "by": "olga",
        "place": row.place,
        "action": "changed",
        "subject": f"entity:{acme.pk}",
        "title": "acme",
        "before": {"keep_runs_days": None, "name": "Acme"},
        "after": {"keep_runs_days": 30, "name": "Acme & Co"},
        "seal": row.seal,
    }
    assert (granted["action"], granted["before"]) == ("granted", None)


def test_without_an_entity_there_is_everything_oldest_first(acme: Entity) -> None:
    lines = run()
    assert [line["id"] for line in lines] == sorted(Change.objects.values_list("pk", flat=True))
    assert {line["entity"] for line in lines} == {"acme", "other", None}


def test_lines_are_chosen_by_kind_thing_and_time(acme: Entity) -> None:
    assert {line["title"] for line in run("--subject", "entity")} == {"acme", "other"}
    assert len(run("--subject", f"entity:{acme.pk}")) == 1
    assert run("--since", "2999-01-01") == []
    assert len(run("--since", "2000-01-01T00:00:00Z")) == Change.objects.count()


def test_people_see_what_they_may(acme: Entity) -> None:
    assert {line["entity"] for line in run("--as", "olga")} == {"acme"}
    assert None in {line["entity"] for line in run("--as", "root")}
    with pytest.raises(CommandError, match="takes the role Approver or Owner"):
        run("--as", "vito")
    with pytest.raises(CommandError, match="no entity 'other' that olga belongs to"):
        run("--as", "olga", "--entity", "other")


@pytest.mark.parametrize("since", ["soon", "2027-02-30", "2027-01-31T12:00:00", "2027-01-31Tx"])
def test_a_time_that_is_none_is_told(since: str) -> None:
    with pytest.raises(CommandError, match="takes a day or a time with its zone"):
        run("--since", since)


def test_a_whole_log_shows_its_last_seals(acme: Entity) -> None:
    heads = {line["entity"]: line for line in run("--verify")}
    assert set(heads) == {"acme", "other", None}
    assert (heads["acme"]["rows"], heads["acme"]["head"]) == (2, Change.objects.filter(entity=acme).latest("id").seal)
    assert run("--verify", "--entity", "acme", "--head", str(heads["acme"]["head"])) == [heads["acme"]]


def test_a_row_that_doesnt_fit_is_named(acme: Entity) -> None:
    first = Change.objects.filter(entity=acme).earliest("id")
    tamper("UPDATE flows_change SET after = '{}' WHERE id = %s", first.pk)
    with pytest.raises(CommandError, match=f"log of acme doesn't fit at row {first.pk} .granted nina"):
        run("--verify")
    assert run("--verify", "--entity", "other")[0]["rows"] == 1


def test_a_log_that_was_cut_off_is_seen_by_a_seal_that_was_kept(acme: Entity) -> None:
    kept = Change.objects.filter(entity=acme).latest("id").seal
    with transaction.atomic():
        record(acme, by=None, action="changed", subject="route:1", after={"step": 1})
    assert run("--verify", "--head", kept)
    tamper("DELETE FROM flows_change WHERE entity_id = %s", acme.pk)
    assert run("--verify")
    with pytest.raises(CommandError, match=f"No row has the seal {kept}"):
        run("--verify", "--head", kept)


def test_a_seal_is_checked_with_the_rest(acme: Entity) -> None:
    with pytest.raises(CommandError, match="--head is checked with --verify"):
        run("--head", "x")

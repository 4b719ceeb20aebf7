"""The log of changes: what a row says, and that no row is edited, added, moved or deleted unseen."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from flows import origin, triggers
from flows.chains import lost, walk, walk_all
from flows.changes import head, record
from flows.commits import commit
from flows.models import Change, Entity
from tests.flows.makers import make_entity

pytestmark = pytest.mark.django_db


@pytest.fixture
def entity() -> Entity:
    return make_entity(olga="owner")


def note(entity: Entity | None, number: int = 1, **more: object) -> Change:
    olga = User.objects.get(username="olga")
    facts = {"before": {"step": 0}, "after": {"step": number}}
    with transaction.atomic():
        made = record(entity, by=olga, action="changed", subject=f"route:{number}", **{**facts, **more})  # type: ignore[arg-type]
    assert made is not None
    return Change.objects.get(pk=made.pk)


def test_a_row_says_who_what_and_from_where(entity: Entity) -> None:
    with origin.coming_from(lambda: "203.0.113.7"):
        row = note(entity, title="Orders", before={"allow": "", "step": 1}, after={"allow": "0.0.0.0/0", "step": 1})
    assert (str(row.by), row.place, row.action, row.subject) == ("olga", "203.0.113.7", "changed", "route:1")
    assert (row.title, row.before, row.after) == ("Orders", '{"allow":""}', '{"allow":"0.0.0.0/0"}')


def test_outside_of_a_request_it_comes_from_a_command(entity: Entity) -> None:
    assert note(entity).place == f"command by {origin.os_user()}"


@pytest.mark.django_db(transaction=True)
def test_what_the_writer_thread_records_comes_from_where_it_was_asked(entity: Entity) -> None:
    with origin.coming_from(lambda: "203.0.113.7"):
        row = commit(lambda: record(entity, by=None, action="changed", subject="route:1"))
    assert row is not None
    assert row.place == "203.0.113.7"


def test_nothing_is_recorded_where_nothing_changed(entity: Entity) -> None:
    with transaction.atomic():
        assert record(entity, by=None, action="changed", subject="route:1", before={"a": 1}, after={"a": 1}) is None
    assert not Change.objects.filter(entity=entity).exists()


def test_a_new_thing_has_no_before_and_a_removed_one_no_after(entity: Entity) -> None:
    assert (note(entity, before=None).before, note(entity, after=None).after) == ("", "")


def test_a_text_without_end_is_kept_by_its_hash(entity: Entity) -> None:
    one, other = (note(entity, before=None, after={"body": "x" * 60_000 + end}) for end in ("1", "2"))
    assert len(one.after) < 51_000
    assert one.after != other.after


def test_every_chain_is_whole_and_stands_alone(entity: Entity) -> None:
    other = make_entity("other")
    of_people = walk(None).rows
    for number in range(1, 4):
        for one in (entity, other, None):
            note(one, number)
    assert [(chain.name, chain.rows, chain.problem) for chain in walk_all()] == [
        ("the instance", of_people + 3, ""),
        ("acme", 3, ""),
        ("other", 3, ""),
    ]
    assert walk(entity).head == head(entity.pk) != head(None)


def by_sql(statement: str, *values: object) -> None:
    """Past the triggers too, as whoever may drop them could."""
    with triggers.lifted(), connection.cursor() as cursor:
        cursor.execute(statement, values)


TAMPERING = {
    "edited": "UPDATE flows_change SET after = '{}' WHERE id = %(middle)s",
    "given to somebody else": "UPDATE flows_change SET by_id = NULL WHERE id = %(middle)s",
    "moved in time": "UPDATE flows_change SET at = '2020-01-01 00:00:00' WHERE id = %(middle)s",
    "deleted in the middle": "DELETE FROM flows_change WHERE id = %(middle)s",
    "deleted at the beginning": "DELETE FROM flows_change WHERE id = %(first)s",
    "moved behind": "UPDATE flows_change SET id = %(last)s + 9 WHERE id = %(middle)s",
    "added": "INSERT INTO flows_change (at, entity_id, by_id, place, action, subject, title, before, after, seal)"
    " SELECT at, entity_id, by_id, place, action, subject, title, before, after, seal FROM flows_change"
    " WHERE id = %(last)s",
    "moved to another entity": "UPDATE flows_change SET entity_id = NULL WHERE id = %(middle)s",
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING.keys())
def test_whatever_is_done_to_a_row_is_seen(entity: Entity, statement: str) -> None:
    first, middle, last = (note(entity, number) for number in (1, 2, 3))
    ids = {"first": first.pk, "middle": middle.pk, "last": last.pk}
    by_sql(statement % ids)
    assert "doesn't fit at row" in walk(entity).problem


def test_what_is_cut_off_the_end_is_seen_by_whoever_kept_the_last_seal(entity: Entity) -> None:
    note(entity)
    kept = note(entity, 2).seal
    assert lost([kept]) == []
    by_sql("DELETE FROM flows_change WHERE seal = %s", kept)
    assert walk(entity).problem == ""
    assert lost([kept]) == [kept]


def test_a_chain_goes_on_under_a_new_key_and_needs_the_old_one(entity: Entity, settings) -> None:  # type: ignore[no-untyped-def]
    note(entity)
    old = settings.CHATFLOW_KEYS
    settings.CHATFLOW_KEYS = ["a new key, long enough for anybody", *old]
    note(entity, 2)
    assert walk(entity).problem == ""
    settings.CHATFLOW_KEYS = settings.CHATFLOW_KEYS[:1]
    assert "doesn't fit at row" in walk(entity).problem


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of_entity", [True, False], ids=["an entity", "the instance"])
def test_rows_that_are_made_at_once_make_one_chain(of_entity: bool) -> None:
    entity = make_entity(olga="owner") if of_entity else None
    if entity is None:
        make_entity(olga="owner")
    refused: list[Exception] = []
    before = walk(entity).rows

    def work(number: int) -> None:
        try:
            for step in range(5):
                note(entity, number * 10 + step + 1)
        except Exception as error:  # noqa: BLE001 - told below
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert (walk(entity).rows - before, walk(entity).problem) == (30, "")

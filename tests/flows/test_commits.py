"""commit(): shared transactions, each caller's own outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import IntegrityError, OperationalError, transaction

from flows import commits
from flows.commits import commit
from flows.models import Entity


def make(slug: str) -> Entity:
    return commit(lambda: Entity.objects.create(slug=slug, name=slug))


@pytest.mark.django_db
def test_inside_an_open_transaction_a_write_happens_there():
    with transaction.atomic():
        make("here")
        transaction.set_rollback(True)
    assert not Entity.objects.filter(slug="here").exists()


@pytest.mark.django_db(transaction=True)
def test_many_callers_each_get_their_own_outcome():
    outcomes: dict[int, object] = {}

    def call(number: int) -> None:
        try:
            outcomes[number] = make("same" if number % 2 else f"slug-{number}")
        except IntegrityError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [type(outcomes[number]) for number in range(0, 20, 2)] == [Entity] * 10
    odd = [type(outcomes[number]) for number in range(1, 20, 2)]
    assert odd.count(Entity) == 1
    assert odd.count(IntegrityError) == 9
    assert Entity.objects.count() == 11


@pytest.mark.django_db(transaction=True)
def test_an_outcome_is_only_given_after_the_commit():
    entity = make("kept")
    with transaction.atomic():
        assert Entity.objects.filter(pk=entity.pk).exists()


def away() -> OperationalError:
    return OperationalError("server closed the connection unexpectedly")


def outcomes_of(*writes: Callable[[], object]) -> list[object]:
    """What the callers of writes get that came at the same moment."""
    batch = [commits._Asked(write, None) for write in writes]
    thread = threading.Thread(target=commits._write_together, args=[batch])
    thread.start()
    thread.join(60)
    return [asked.done.exception() or asked.done.result() for asked in batch]


def fails(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def write() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return write


@pytest.mark.django_db(transaction=True)
def test_a_write_of_which_the_database_dies_does_not_fail_the_others():
    error = away()
    assert outcomes_of(fails(), fails(error, error, error), fails()) == ["done", error, "done"]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_comes_back_fails_nobody():
    assert outcomes_of(fails(away())) == ["done"]
    assert outcomes_of(fails(), fails(away()), fails()) == ["done"] * 3


@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_away_fails_all_at_once(monkeypatch):
    waited = []
    monkeypatch.setattr(commits, "_is_back", lambda: bool(waited.append(1)))
    error = away()
    assert outcomes_of(fails(error), fails(), fails()) == [error] * 3
    assert waited == [1]

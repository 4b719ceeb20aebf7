"""commit(): shared transactions, each caller's own outcome."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, transaction

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

"""Connections of the pool: who waits for somebody else holds none."""

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from flows.commits import commit
from flows.lending import give_back


def has_pool():
    return "pool" in connection.settings_dict["OPTIONS"]


@pytest.mark.django_db(transaction=True)
def test_who_waits_gives_its_connection_back_to_the_pool():
    connection.ensure_connection()
    give_back()
    assert (connection.connection is None) == has_pool()


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_the_writer_holds_no_connection():
    """As many threads as the pool has connections would otherwise wait for a writer that has none."""
    connection.ensure_connection()
    mine = connections[DEFAULT_DB_ALIAS]
    assert commit(lambda: mine.connection is None) == has_pool()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_given_back_within_a_transaction():
    with transaction.atomic():
        connection.ensure_connection()
        give_back()
        assert connection.connection is not None

"""The log of changes: whatever is done to its rows by SQL is seen, and nothing is seen where nothing was done."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from flows import triggers
from flows.chains import lost, walk_all
from flows.changes import head, record
from flows.models import Change, Entity
from tests.flows.makers import make_entity
from tests.proofs.proof import Proof

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 24
THREADS = 8
COLUMNS = "at, entity_id, by_id, place, action, subject, title, before, after, seal"
OTHER = {
    "at": "'2020-02-02 02:02:02'",
    "entity_id": "NULL",
    "by_id": "NULL",
    "place": "'203.0.113.99'",
    "action": "'granted'",
    "subject": "'route:99'",
    "title": "'Harmless'",
    "before": "'{}'",
    "after": "'{\"step\":0}'",
    "seal": "'" + "0" * 64 + "'",
}
Tampering = Callable[[list[int], random.Random], list[str]]


def edited(ids: list[int], chance: random.Random) -> list[str]:
    column = chance.choice(sorted(OTHER))
    return [f"UPDATE flows_change SET {column} = {OTHER[column]} WHERE id = {chance.choice(ids)}"]


def one_character_edited(ids: list[int], chance: random.Random) -> list[str]:
    column = chance.choice(["place", "action", "subject", "title", "after", "seal"])
    return [f"UPDATE flows_change SET {column} = 'x' || substr({column}, 2) WHERE id = {chance.choice(ids)}"]


def deleted(ids: list[int], chance: random.Random) -> list[str]:
    first = chance.randrange(len(ids) - 1)
    gone = ids[first : chance.randrange(first + 1, len(ids))]
    return [f"DELETE FROM flows_change WHERE id IN ({', '.join(map(str, gone))})"]


def cut_off(ids: list[int], chance: random.Random) -> list[str]:
    return [f"DELETE FROM flows_change WHERE id >= {chance.choice(ids)}"]


def reordered(ids: list[int], chance: random.Random) -> list[str]:
    one, other = chance.sample(ids, 2)
    swap = [(one, -999), (other, one), (-999, other)]
    return [f"UPDATE flows_change SET id = {new} WHERE id = {old}" for old, new in swap]


def inserted(ids: list[int], chance: random.Random) -> list[str]:
    copy = f"SELECT {COLUMNS} FROM flows_change WHERE id = {chance.choice(ids)}"
    return [f"INSERT INTO flows_change (id, {COLUMNS}) SELECT {-chance.randrange(1, 99)}, r.* FROM ({copy}) r"]


def repeated(ids: list[int], chance: random.Random) -> list[str]:
    copy = f"SELECT {COLUMNS} FROM flows_change WHERE id = {chance.choice(ids)}"
    return [f"INSERT INTO flows_change (id, {COLUMNS}) SELECT {ids[-1] + 9}, r.* FROM ({copy}) r"]


KINDS: tuple[Tampering, ...] = (edited, one_character_edited, deleted, cut_off, reordered, inserted, repeated)


def note(entity: Entity | None, by: User, number: int) -> None:
    with transaction.atomic():
        record(entity, by=by, action="changed", subject=f"route:{number}", title="Orders", after={"step": number})


def test_whatever_is_done_to_the_rows_is_seen(proof: Proof) -> None:
    entity = make_entity(olga="owner")
    for number in range(1, ROWS + 1):
        note(entity, User.objects.get(username="olga"), number)
    ids = list(Change.objects.filter(entity=entity).order_by("id").values_list("pk", flat=True))
    kept, chance, tries, unseen = head(entity.pk), random.Random(7), proof.size(70, 3_000), []
    with triggers.lifted():
        for number in range(tries):
            kind = KINDS[number % len(KINDS)]
            statements = kind(ids, chance)
            with transaction.atomic(), connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                if not (any(chain.problem for chain in walk_all()) or lost([kept])):
                    unseen.append(statements)
                transaction.set_rollback(True)
    assert [chain.problem for chain in walk_all() if chain.problem] == []
    proof.count("tamperings", tries)
    proof.count("unseen", len(unseen))
    assert unseen == []


def test_no_row_that_was_made_by_the_book_is_taken_for_another(proof: Proof) -> None:
    writes = proof.size(240, 10_000)
    chains = [make_entity("one", olga="owner"), make_entity("two"), None]
    olga, failed, before = User.objects.get(username="olga"), [], Change.objects.count()

    def work(thread: int) -> None:
        try:
            for number in range(thread, writes, THREADS):
                note(chains[number % len(chains)], olga, number)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alarms = [chain.problem for chain in walk_all() if chain.problem]
    proof.count("writes at once", Change.objects.count() - before)
    proof.count("false alarms", len(alarms))
    assert (failed, alarms) == ([], [])
    assert Change.objects.count() - before == writes

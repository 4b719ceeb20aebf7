"""What a worker does with a hint, and what it does where none comes."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from flows import stopping
from routing import lookout, tasks
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_connection(monkeypatch):
    """A test's transaction is on it."""
    for module in (tasks, lookout):
        monkeypatch.setattr(module, "close_old_connections", lambda: None)


@pytest.fixture
def resumed(monkeypatch):
    found: list[UUID] = []
    monkeypatch.setattr(tasks, "resume", found.append)
    return found


@pytest.fixture
def asked_to_stop():
    stopping.ask()
    yield
    stopping.forget()


def test_one_hint_makes_a_worker_take_others_too(resumed):
    flow = make_flow(make_entity())
    waiting = [make_run(flow, wake_in_seconds=seconds).pk for seconds in range(3)]
    tasks.take_run(str(waiting[2]))
    assert resumed == [waiting[2], *waiting]


def test_a_hint_for_nothing_is_dropped(resumed, caplog):
    tasks.take_run("nothing")
    assert (resumed, "isn't a run id" in caplog.text) == ([], True)
    tasks.take_run(str(uuid4()))
    assert len(resumed) == 1


def test_a_worker_that_is_to_stop_takes_nothing_more(resumed, asked_to_stop):
    run = make_run(make_flow(make_entity()))
    tasks.take_run(str(run.pk))
    assert resumed == []


def test_a_database_that_goes_away_ends_the_taking_and_not_the_worker(monkeypatch, caplog):
    def gone(run_id: UUID) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(tasks, "resume", gone)
    tasks.take_run(str(uuid4()))
    assert "The database is away" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


def test_a_worker_without_hints_looks_for_runs_itself():
    flow = make_flow(make_entity())
    waiting = {make_run(flow).pk for _ in range(3)}
    taken: list[UUID] = []
    look = lookout.Lookout(taken.append, threads=2)
    look.look()
    look._pool.shutdown()
    assert (len(taken), set(taken) <= waiting) == (2, True)


def test_a_run_that_cannot_be_taken_frees_its_thread(caplog):
    make_run(make_flow(make_entity()))

    def fail(run_id: UUID) -> None:
        raise ZeroDivisionError

    look = lookout.Lookout(fail, threads=1)
    look.look()
    look.look()
    look._pool.shutdown()
    assert caplog.text.count("could not be taken") == 2


def test_while_hints_come_a_worker_asks_for_nothing(monkeypatch):
    looks: list[str] = []
    rounds = iter([False, False, True])
    monkeypatch.setattr(lookout, "LOOK_SECONDS", 0)
    monkeypatch.setattr(stopping, "is_asked", lambda: next(rounds))
    look = lookout.Lookout(lambda run_id: None, threads=1)
    monkeypatch.setattr(look, "look", lambda: looks.append("looked"))
    lookout.heard()
    look.work()
    assert looks == []

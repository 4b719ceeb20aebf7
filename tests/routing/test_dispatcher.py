"""The dispatcher: one works, runs that are due are brought to the workers, the others left alone."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from flows.models import Heartbeat, RunState
from routing import dispatcher
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def hinted(monkeypatch):
    found: list[object] = []
    monkeypatch.setattr(dispatcher, "hint", found.append)
    return found


@pytest.fixture
def flow():
    return make_flow(make_entity())


def test_runs_that_are_due_are_brought_to_the_workers(flow, hinted):
    due = [make_run(flow, state, wake_in_seconds=-1) for state in (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)]
    make_run(flow, wake_in_seconds=60)
    make_run(flow, RunState.IN_DOUBT, wake_in_seconds=None)
    assert dispatcher.dispatch() == 3
    assert set(hinted) == {run.pk for run in due}
    states = []
    for run in due:
        run.refresh_from_db()
        states.append(run.state)
    assert states == [RunState.QUEUED, RunState.RUNNING, RunState.QUEUED]


def test_a_published_run_is_left_alone_for_a_while(flow, hinted):
    make_run(flow, wake_in_seconds=-1)
    assert [dispatcher.dispatch(), dispatcher.dispatch()] == [1, 0]


def test_looking_for_work_is_one_query(flow, hinted, django_assert_num_queries):
    with django_assert_num_queries(1):
        dispatcher.dispatch()


def test_one_of_several_dispatchers_works():
    assert dispatcher.lead("first")
    assert not dispatcher.lead("second")
    assert dispatcher.lead("first")


def test_another_takes_over_from_one_that_is_silent():
    dispatcher.lead("first")
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=dispatcher.TAKE_OVER_SECONDS + 1))
    assert dispatcher.lead("second")
    assert not dispatcher.lead("first")


def test_the_database_may_go_away_and_come_back(monkeypatch):
    stop, looks = threading.Event(), []

    def lead(owner: str) -> bool:
        looks.append(owner)
        if len(looks) == 1:
            raise OperationalError("the server closed the connection unexpectedly")
        stop.set()
        return False

    monkeypatch.setattr(dispatcher, "lead", lead)
    monkeypatch.setattr(dispatcher, "PERIOD_SECONDS", 0)
    monkeypatch.setattr(dispatcher, "close_old_connections", lambda: None)
    dispatcher.work(stop)
    assert len(looks) == 2


def test_chores_are_done_now_and_then(monkeypatch):
    stop, done = threading.Event(), []
    chores = ((lambda: done.append("often"), 0), (lambda: done.append("seldom"), 3600))

    def dispatch() -> None:
        if len(done) > 3:
            stop.set()

    monkeypatch.setattr(dispatcher, "CHORES", chores)
    monkeypatch.setattr(dispatcher, "_clean_up", lambda stop, leading: None)
    monkeypatch.setattr(dispatcher, "close_old_connections", lambda: None)
    monkeypatch.setattr(dispatcher, "lead", lambda owner: True)
    monkeypatch.setattr(dispatcher, "dispatch", dispatch)
    monkeypatch.setattr(dispatcher, "PERIOD_SECONDS", 0)
    dispatcher.work(stop)
    assert (done[:2], done.count("seldom")) == (["often", "seldom"], 1)


def test_runs_that_owners_must_be_told_of_are_brought_to_a_worker(flow, hinted):
    dead = make_run(flow, RunState.DEAD, wake_in_seconds=-1)
    assert dispatcher.dispatch() == 1
    dead.refresh_from_db()
    assert (hinted, dead.state) == ([dead.pk], RunState.DEAD)

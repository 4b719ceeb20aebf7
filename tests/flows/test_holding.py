"""Runs held back for a paused route, and the end of the queue."""

from __future__ import annotations

import pytest
from django.utils import timezone

from flows import backlog, holding, runs
from flows.claims import claim, queued
from flows.models import Run, RunState
from tests.flows.hosting import ScriptedDoor, admitted, posting_flow, use_door
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_doors")]


@pytest.fixture
def flow():
    return make_flow(make_entity())


@pytest.fixture
def hinted(monkeypatch):
    found: list[object] = []
    monkeypatch.setattr(holding, "hint", found.append)
    monkeypatch.setattr(runs, "hint", found.append)
    return found


def test_a_run_that_is_accepted_and_held_waits_until_it_is_released(hinted):
    wanted = admitted(posting_flow(), is_async=True)
    run = runs.accept(wanted, held=True)
    use_door(ScriptedDoor())
    assert (queued(10), hinted, runs.resume(run.pk)) == ([], [], None)
    assert holding.held_count("") == 1
    assert (holding.release(""), hinted, holding.held_count("")) == (1, [run.pk], 0)
    assert runs.resume(run.pk).state == RunState.SUCCEEDED


def test_holding_leaves_alone_what_has_begun_and_other_routes(flow):
    fresh = make_run(flow, route="a" * 32)
    begun = make_run(flow, route="a" * 32, fence=1)
    working = make_run(flow, RunState.RUNNING, wake_in_seconds=9, route="a" * 32, fence=1)
    other = make_run(flow, route="b" * 32)
    assert holding.hold("a" * 32) == 1
    assert claim(fresh.pk) is None
    assert {run.pk for run in (begun, other)} == set(queued(10))
    working.refresh_from_db()
    assert working.wake_at is not None


def test_a_run_that_lost_its_worker_goes_on_though_its_route_is_held(flow):
    run = make_run(flow, RunState.RUNNING, wake_in_seconds=-1, route="a" * 32, fence=1)
    holding.hold("a" * 32)
    assert claim(run.pk) is not None


def test_many_are_released_in_batches_oldest_first(flow, hinted, monkeypatch):
    monkeypatch.setattr(holding, "BATCH", 2)
    held = [make_run(flow, wake_in_seconds=None, route="a" * 32).pk for _ in range(5)]
    assert (holding.release("a" * 32), hinted) == (5, held)
    assert holding.release("a" * 32) == 0


def test_a_cancelled_run_is_not_released(flow):
    run = make_run(flow, wake_in_seconds=None, route="a" * 32)
    runs.cancel(run)
    assert holding.release("a" * 32) == 0


@pytest.fixture
def room_for_three(monkeypatch):
    monkeypatch.setattr(backlog, "MAX_QUEUED", 3)
    monkeypatch.setattr(backlog, "_count", backlog._Count())


def test_a_queue_that_is_full_takes_no_more(room_for_three):
    wanted = admitted(posting_flow(), is_async=True)
    for held in (False, True, False):
        runs.accept(wanted, held=held)
    with pytest.raises(runs.QueueFull, match="3 accepted runs"):
        runs.accept(wanted)
    assert Run.objects.count() == 3


def test_what_other_processes_accepted_counts_and_what_is_over_or_far_off_does_not(flow, room_for_three):
    for state, seconds in (("queued", 1), ("queued", None), ("succeeded", None), ("waiting", 60), ("running", 5)):
        make_run(flow, state, wake_in_seconds=seconds)
    backlog.make_room()
    with pytest.raises(backlog.QueueFull):
        backlog.make_room()


def test_there_is_room_again_once_runs_were_taken(flow, room_for_three, monkeypatch):
    for _ in range(3):
        make_run(flow)
    with pytest.raises(backlog.QueueFull):
        backlog.make_room()
    Run.objects.update(state=RunState.SUCCEEDED, wake_at=None, finished_at=timezone.now())
    monkeypatch.setattr(backlog, "COUNT_AGAIN_SECONDS", -1)
    backlog.make_room()


def test_counting_is_two_queries_a_second_at_most(room_for_three, django_assert_num_queries):
    with django_assert_num_queries(2):
        backlog.make_room()
        backlog.make_room()

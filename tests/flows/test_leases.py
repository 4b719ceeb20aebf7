"""Leases: kept while their owner makes progress, left to run out where it hangs, looked at before an effect goes out."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from flows import leases, runs, stopping
from flows.claims import LeaseLost, claim
from flows.engine.protocols import Answer
from flows.leases import LEASE_SECONDS, MAX_STILL_SECONDS, RENEW_SECONDS, SURE_SECONDS
from flows.models import Effect, Run, RunState
from tests.flows.hosting import Crash, ScriptedDoor, admitted, lose_lease, posting_flow, use_door
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_doors")]


@pytest.fixture
def owned_run():
    run = claim(make_run(make_flow(make_entity())).pk)
    lease = leases.keep(run, time.monotonic())
    yield run, lease
    leases.drop(lease)


def about_to_end(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(wake_at=timezone.now() + timedelta(seconds=1))


def remaining_seconds(run: Run) -> float:
    run.refresh_from_db()
    return (run.wake_at - timezone.now()).total_seconds()


def test_a_lease_is_renewed_once_it_has_some_age(owned_run):
    run, lease = owned_run
    about_to_end(run)
    leases._keeper.renew()
    assert remaining_seconds(run) < 5
    lease.renewed_at -= RENEW_SECONDS + 1
    leases._keeper.renew()
    assert remaining_seconds(run) > LEASE_SECONDS - 5
    assert (lease.is_sure(), lease.lost) == (True, False)


def test_a_lease_that_was_dropped_runs_out(owned_run):
    run, lease = owned_run
    lease.renewed_at -= RENEW_SECONDS + 1
    about_to_end(run)
    leases.drop(lease)
    leases._keeper.renew()
    assert remaining_seconds(run) < 5


def test_a_run_that_hangs_is_not_kept_for_ever(owned_run):
    run, lease = owned_run
    lease.renewed_at -= RENEW_SECONDS + 1
    lease.moved_at -= MAX_STILL_SECONDS + 1
    about_to_end(run)
    leases._keeper.renew()
    assert remaining_seconds(run) < 5


def test_whoever_lost_a_lease_comes_to_know_and_others_keep_theirs(owned_run):
    run, lost = owned_run
    other = claim(make_run(run.flow).pk)
    kept = leases.keep(other, time.monotonic())
    about_to_end(other)
    Run.objects.filter(pk=run.pk).update(fence=7)
    for lease in (lost, kept):
        lease.renewed_at -= SURE_SECONDS + 1
    leases._keeper.renew()
    leases.drop(kept)
    assert (lost.lost, lost.is_sure(), kept.lost, kept.is_sure()) == (True, False, False, True)
    assert remaining_seconds(other) > 5


def test_a_run_that_is_over_leaves_no_lease_behind():
    runs.run_now(admitted(posting_flow()), deadline_seconds=60, door=ScriptedDoor())
    with pytest.raises(Crash):
        runs.run_now(admitted(Run.objects.get().flow), deadline_seconds=60, door=ScriptedDoor(Crash()))
    assert not leases._keeper.leases


def freeze_past_the_lease(run_id: object) -> None:
    """What a process finds when it was stopped for longer than its lease, and another one had its run meanwhile."""
    for lease in leases._keeper.leases:
        lease.renewed_at -= LEASE_SECONDS
    lose_lease(run_id)
    assert claim(run_id) is not None


def test_a_zombie_that_wakes_right_before_an_effect_does_not_send_it(monkeypatch):
    run = runs.accept(admitted(posting_flow(), is_async=True))
    door = use_door(ScriptedDoor())
    make_sure = runs.Execution._make_sure

    def frozen(execution: runs.Execution, *, again: bool) -> None:
        freeze_past_the_lease(run.pk)
        make_sure(execution, again=again)

    monkeypatch.setattr(runs.Execution, "_make_sure", frozen)
    assert runs.resume(run.pk) is None
    assert (door.calls, Effect.objects.count()) == ([], 1)


def test_a_call_is_not_sent_again_by_who_lost_the_run_meanwhile(monkeypatch):
    run = runs.accept(admitted(posting_flow(repeat="idempotency_key"), is_async=True))
    use_door(ScriptedDoor(Crash()))
    with pytest.raises(Crash):
        runs.resume(run.pk)
    lose_lease(run.pk)
    door = use_door(ScriptedDoor())
    monkeypatch.setattr(runs.Execution, "_between", lambda execution: runs.cancel(Run.objects.get()))
    assert runs.resume(run.pk) is None
    assert door.calls == []


def test_a_cancelled_run_stops_at_its_next_step_once_the_keeper_knows():
    run = runs.accept(admitted(posting_flow(calls=3, method="GET", repeat="safe"), is_async=True))

    def cancel(call: object) -> Answer:
        runs.cancel(Run.objects.get())
        for lease in leases._keeper.leases:
            lease.renewed_at -= RENEW_SECONDS + 1
        leases._keeper.renew()
        return Answer(200)

    door = use_door(ScriptedDoor(cancel))
    assert runs.resume(run.pk) is None
    assert (len(door.calls), Run.objects.get().state) == (1, RunState.CANCELLED)


def test_a_worker_that_is_asked_to_stop_puts_its_run_down_at_the_next_step():
    run = runs.accept(admitted(posting_flow(calls=2), is_async=True))

    def stop(call: object) -> Answer:
        stopping.ask()
        return Answer(201)

    first = use_door(ScriptedDoor(stop))
    try:
        put_down = runs.resume(run.pk)
    finally:
        stopping.forget()
    assert (put_down.state, len(first.calls)) == (RunState.QUEUED, 1)
    second = use_door(ScriptedDoor())
    assert runs.resume(run.pk).state == RunState.SUCCEEDED
    assert [call.key for call in second.calls] == [f"{run.pk}:2:0"]


def test_a_caller_who_waits_is_answered_though_the_process_is_asked_to_stop():
    stopping.ask()
    try:
        run = runs.run_now(admitted(posting_flow()), deadline_seconds=60, door=ScriptedDoor())
    finally:
        stopping.forget()
    assert run.state == RunState.SUCCEEDED


def test_the_owner_is_lost_for_a_write_after_the_fence_moved():
    run = runs.accept(admitted(posting_flow(), is_async=True))
    mine = claim(run.pk)
    lose_lease(run.pk)
    claim(run.pk)
    with pytest.raises(LeaseLost):
        runs._fail(mine, runs.RunError("too late"))

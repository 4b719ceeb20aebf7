"""Claims: one owner at a time, and no write by an owner whose lease was taken over."""

from __future__ import annotations

import pytest

from flows.claims import MAX_CLAIMS, LeaseLost, claim, is_suspect, owned, queued, renew
from flows.company import SUSPECT_AFTER
from flows.models import RunState
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow():
    return make_flow(make_entity())


def test_a_queued_run_is_claimed_once(flow):
    run = make_run(flow)
    first = claim(run.pk)
    assert first is not None
    assert (first.state, first.fence, first.attempt) == (RunState.RUNNING, 1, 1)
    assert claim(run.pk) is None


def test_a_run_whose_lease_ran_out_is_claimed_again_under_a_new_fence(flow):
    run = make_run(flow, RunState.RUNNING, wake_in_seconds=-1, fence=1, attempt=1)
    again = claim(run.pk)
    assert again is not None
    assert (again.fence, again.attempt) == (2, 2)


def test_a_run_that_lost_its_owners_is_only_claimed_by_who_asks_for_such(flow):
    trusted = make_run(flow, RunState.RUNNING, wake_in_seconds=-1, attempt=SUSPECT_AFTER - 1)
    suspect = make_run(flow, RunState.RUNNING, wake_in_seconds=-1, attempt=SUSPECT_AFTER)
    assert (is_suspect(trusted.pk), is_suspect(suspect.pk)) == (False, True)
    assert claim(suspect.pk, below=SUSPECT_AFTER) is None
    assert claim(trusted.pk, below=SUSPECT_AFTER) is not None
    assert claim(suspect.pk) is not None
    assert not is_suspect(suspect.pk)


@pytest.mark.parametrize("state", ["waiting", "in_doubt", "succeeded", "failed", "dead", "cancelled"])
def test_a_run_that_is_not_to_be_worked_on_is_not_claimed(flow, state):
    assert claim(make_run(flow, state, wake_in_seconds=-1).pk) is None


def test_an_owner_whose_fence_moved_on_writes_nothing(flow):
    run = make_run(flow)
    zombie = claim(run.pk)
    assert zombie is not None
    type(run).objects.filter(pk=run.pk).update(fence=2)
    with pytest.raises(LeaseLost):
        owned(zombie, answer="too late")
    with pytest.raises(LeaseLost):
        renew(zombie)
    run.refresh_from_db()
    assert run.answer == ""


def test_a_terminal_run_stays_as_it_is(flow):
    run = make_run(flow, RunState.SUCCEEDED, wake_in_seconds=None, fence=1)
    with pytest.raises(LeaseLost):
        owned(run, state=RunState.FAILED)


def test_queued_runs_come_in_the_order_of_their_acceptance_however_often_they_were_hinted_at(flow):
    hinted_again, fresh = make_run(flow, wake_in_seconds=5), make_run(flow, wake_in_seconds=2)
    make_run(flow, RunState.RUNNING, wake_in_seconds=10)
    assert queued(10) == [hinted_again.pk, fresh.pk]
    assert queued(1) == [hinted_again.pk]


def test_a_run_whose_lease_ran_out_is_found_and_one_that_was_claimed_often_enough_is_not(flow):
    orphan = make_run(flow, RunState.RUNNING, wake_in_seconds=-2, fence=1, attempt=1)
    make_run(flow, RunState.RUNNING, wake_in_seconds=-3, fence=5, attempt=MAX_CLAIMS)
    make_run(flow, RunState.WAITING, wake_in_seconds=-4)
    assert queued(10) == [orphan.pk]

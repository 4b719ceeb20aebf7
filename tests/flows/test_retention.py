"""Finished runs are deleted when their entity keeps them no longer, with all that hangs on them; no others."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone

from flows import retention
from flows.ids import first_id_at, new_run_id
from flows.members import change_entity
from flows.models import TERMINAL, Change, Effect, Run, RunState, Segment
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow():
    return make_flow(make_entity("acme"))


def old_run(flow, days: float, state: str = RunState.SUCCEEDED, *, lasted_days: float = 0, number: int = 0) -> Run:
    """One that was made so many days ago."""
    made = timezone.now() - timedelta(days=days)
    finished = made + timedelta(days=lasted_days) if state in TERMINAL else None
    id = UUID(int=first_id_at(made).int + number)
    return make_run(flow, state, id=id, created_at=made, finished_at=finished, wake_in_seconds=None)


def keep(flow, days: int | None) -> None:
    change_entity(flow.entity, by=User.objects.get(username="root"), keep_runs_days=days)


def clean_up() -> dict[str, int]:
    return {done.entity.slug: done.runs for done in retention.clean_up()}


def test_runs_are_kept_for_ever_unless_the_entity_says_otherwise(flow):
    old_run(flow, 4000)
    assert (clean_up(), Run.objects.count()) == ({}, 1)


def test_finished_runs_go_when_their_time_is_over_with_all_that_hangs_on_them(flow):
    keep(flow, 30)
    for number, state in enumerate(sorted(TERMINAL)):
        run = old_run(flow, 31, state, number=number)
        Segment.objects.create(run=run, number=1, state="{}", steps="[]", at=run.created_at)
        Effect.objects.create(key=f"{run.pk}:1:0", run=run, repeat="never", request="{}", started_at=run.created_at)
    fresh = old_run(flow, 29)
    assert clean_up() == {"acme": len(TERMINAL)}
    assert list(Run.objects.all()) == [fresh]
    assert (Segment.objects.count(), Effect.objects.count()) == (0, 0)
    assert clean_up() == {}


@pytest.mark.parametrize("state", sorted(set(RunState) - TERMINAL))
def test_a_run_that_is_not_over_stays_however_old(flow, state):
    keep(flow, 3)
    old_run(flow, 400, state)
    assert (clean_up(), Run.objects.count()) == ({}, 1)


def test_age_counts_from_the_end_of_a_run(flow):
    keep(flow, 30)
    old_run(flow, 40, lasted_days=20)
    assert (clean_up(), Run.objects.count()) == ({}, 1)


def test_other_entities_keep_what_they_keep(flow):
    keep(flow, 30)
    other = make_flow(make_entity("other"))
    old_run(flow, 31)
    old_run(other, 31, number=1)
    assert (clean_up(), Run.objects.get().entity.slug) == ({"acme": 1}, "other")


def test_more_than_a_batch_goes_in_one_pass_and_can_be_stopped_in_between(flow, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    keep(flow, 30)
    for number in range(5):
        old_run(flow, 31, number=number)
    told: list[int] = []
    list(retention.clean_up(told.append, stopped=lambda: len(told) == 2))
    assert (told, Run.objects.count()) == ([2, 4], 1)


def test_what_was_deleted_is_recorded_without_contents(flow):
    keep(flow, 30)
    old_run(flow, 31)
    clean_up()
    change = Change.objects.get(action=retention.ACTION)
    assert (change.entity, change.by) == (flow.entity, None)
    assert set(json.loads(change.after)) == {"runs", "finished_before", "keep_runs_days"}


def test_runs_are_kept_as_long_as_an_idempotency_key_may_ask_for_them(flow):
    with pytest.raises(ValidationError, match="greater than or equal to 3"):
        keep(flow, 2)


def test_the_command_counts_first_and_deletes_then(flow):
    keep(flow, 30)
    old_run(flow, 31)

    def told(*arguments: str) -> list[dict[str, object]]:
        out = io.StringIO()
        call_command("retention", *arguments, stdout=out)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    assert told("--dry-run") == [{"entity": "acme", "keep_runs_days": 30, "due": 1}]
    assert told("--entity", "acme") == [{"entity": "acme", "deleted": 1}]
    assert told() == []


def test_the_first_id_of_a_moment_lies_between_the_ids_before_and_after():
    before = timezone.now() - timedelta(milliseconds=2)
    made = new_run_id()
    assert first_id_at(before) < made < first_id_at(timezone.now() + timedelta(milliseconds=2))

"""A database that goes away in the middle of a run: nothing is lost, nothing done twice, nothing taken for a bug."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from flows import commits, contents, runs
from flows.engine.protocols import Answer
from flows.models import Effect, Run, RunState, Segment
from tests.flows.hosting import ScriptedDoor, admitted, codes, lose_lease, posting_flow, use_door

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_doors")]

AWAY = OperationalError("server closed the connection unexpectedly")


class LostCommits:
    """Lets the writer's COMMITs happen, and loses the answer of some: the n-th of them, or all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lost: int | None) -> None:
        self.seen, really = 0, BaseDatabaseWrapper._commit

        def commit(connection: BaseDatabaseWrapper) -> None:
            really(connection)
            if threading.current_thread().name != "commit":
                return
            self.seen += 1
            if lost == self.seen or (lost is None and self.seen % 2):
                raise AWAY

        monkeypatch.setattr(BaseDatabaseWrapper, "_commit", commit)


@pytest.mark.parametrize("lost", [1, 2, 3, None])
def test_a_commit_whose_answer_is_lost_is_done_once(lost, monkeypatch):
    wanted, door = admitted(posting_flow(calls=2)), ScriptedDoor(Answer(201), Answer(202))
    commits = LostCommits(monkeypatch, lost)
    run = runs.run_now(wanted, deadline_seconds=60, door=door)
    assert commits.seen >= 4
    assert (run.state, codes(run), len(door.calls)) == (RunState.SUCCEEDED, [201, 202], 2)
    assert (Run.objects.count(), Segment.objects.count(), Effect.objects.count()) == (1, 3, 2)


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5])
def test_an_accepted_run_is_done_once_though_answers_of_commits_are_lost(lost, monkeypatch):
    wanted, door = admitted(posting_flow(calls=2), is_async=True), use_door(ScriptedDoor(Answer(201), Answer(202)))
    LostCommits(monkeypatch, lost)
    run = runs.accept(wanted)
    runs.resume(run.pk)
    lose_lease(run.pk)  # where the claim's own answer was lost
    runs.resume(run.pk)
    run = Run.objects.get()
    assert (run.state, codes(run), len(door.calls)) == (RunState.SUCCEEDED, [201, 202], 2)


def test_what_is_written_with_a_run_is_written_once(monkeypatch):
    wanted, written = admitted(posting_flow(), is_async=True), []
    LostCommits(monkeypatch, 1)
    run = runs.accept(wanted, also=lambda run: written.append(run.pk))
    assert (Run.objects.get().pk, written) == (run.pk, [run.pk])


def test_a_pure_synchronous_run_is_kept_once(monkeypatch):
    wanted = admitted(posting_flow(calls=0))
    LostCommits(monkeypatch, 1)
    assert runs.run_now(wanted, deadline_seconds=60).state == RunState.SUCCEEDED
    assert Run.objects.count() == 1


def test_a_run_is_not_failed_by_a_database_that_is_away_in_a_step():
    run = runs.accept(admitted(posting_flow(calls=2), is_async=True))
    use_door(ScriptedDoor(Answer(201), AWAY))  # as where the door looks up a secret
    with pytest.raises(OperationalError):
        runs.resume(run.pk)
    assert Run.objects.get().state == RunState.RUNNING
    lose_lease(run.pk)
    Effect.objects.filter(key__endswith=":2:0").update(repeat="idempotency_key")
    use_door(ScriptedDoor(Answer(202)))
    assert codes(runs.resume(run.pk)) == [201, 202]


def test_a_run_is_not_failed_by_a_database_that_is_away_for_long(monkeypatch):
    run = runs.accept(admitted(posting_flow(), is_async=True))

    def gone(*_: object) -> None:
        raise AWAY

    def go_away(call: object) -> Answer:
        monkeypatch.setattr(commits, "PATIENCE_SECONDS", 0)
        monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", gone)
        monkeypatch.setattr(BaseDatabaseWrapper, "_commit", gone)
        return Answer(201)

    use_door(ScriptedDoor(go_away))
    with pytest.raises(OperationalError):
        runs.resume(run.pk)
    monkeypatch.undo()
    assert Run.objects.get().state == RunState.RUNNING
    lose_lease(run.pk)
    assert runs.resume(run.pk).state == RunState.IN_DOUBT


def test_a_plan_that_cannot_be_read_just_now_fails_no_run(monkeypatch):
    run = runs.accept(admitted(posting_flow(), is_async=True))

    def gone(sha256: str) -> None:
        raise AWAY

    with monkeypatch.context() as patch:
        patch.setattr(contents, "plan_of", gone)
        with pytest.raises(OperationalError):
            runs.resume(run.pk)
    lose_lease(run.pk)
    use_door(ScriptedDoor())
    assert runs.resume(run.pk).state == RunState.SUCCEEDED


def test_three_workers_that_get_the_same_hint_at_once_do_its_run_once(caplog):
    run_id = runs.accept(admitted(posting_flow(), is_async=True)).pk
    door = use_door(ScriptedDoor())
    caplog.clear()
    threads = [threading.Thread(target=runs.resume, args=[run_id]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    run = Run.objects.get()
    assert (run.state, run.attempt, run.fence, len(door.calls)) == (RunState.SUCCEEDED, 0, 1, 1)
    assert not [record for record in caplog.records if record.name != "flows.hints" and record.levelname != "INFO"]

"""Runs in the database: when they are written, how they go on in another process, what becomes of their effects."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from flows import contents, runs, triggers
from flows.claims import MAX_CLAIMS
from flows.effects import _replay
from flows.engine.errors import FlowError, NodeError
from flows.engine.protocols import Answer
from flows.engine.strictjson import loads
from flows.models import Content, Effect, EffectState, Membership, Role, Run, RunState, Segment
from tests.flows.hosting import Crash, ScriptedDoor, admitted, codes, lose_lease, posting_flow, use_door

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_doors")]


def crash_in(flow, door) -> Run:
    """A durable run whose process dies within a call; its lease is over."""
    with pytest.raises(Crash):
        runs.run_now(admitted(flow), deadline_seconds=60, door=door, also=lambda run: None)
    run = Run.objects.get()
    lose_lease(run.pk)
    return run


def test_a_run_without_effects_is_one_row_written_at_its_end(django_assert_num_queries):
    wanted = admitted(posting_flow(calls=0))
    with django_assert_num_queries(3):  # a savepoint, the INSERT, its release
        run = runs.run_now(wanted, deadline_seconds=5, door=ScriptedDoor())
    run.refresh_from_db()
    assert (run.state, run.finished_at is None, Segment.objects.count()) == (RunState.SUCCEEDED, False, 0)
    assert [step["type"] for step in runs.story(run)] == ["start", "api_end"]


def test_a_safe_call_needs_no_effect():
    run = runs.run_now(admitted(posting_flow(method="GET", repeat="safe")), deadline_seconds=60, door=ScriptedDoor())
    assert (run.state, codes(run), Effect.objects.count()) == (RunState.SUCCEEDED, [200], 0)


def test_an_effect_is_in_the_database_before_it_is_tried():
    seen = []

    def look(call):
        effect = Effect.objects.get()
        seen.append((effect.key == call.key, effect.state, effect.run.state))
        return Answer(201)

    run = runs.run_now(admitted(posting_flow()), deadline_seconds=60, door=ScriptedDoor(look))
    assert seen == [(True, EffectState.STARTED, RunState.RUNNING)]
    effect = Effect.objects.get()
    assert (effect.key, effect.state) == (f"{run.pk}:1:0", EffectState.DONE)
    assert (run.state, codes(run)) == (RunState.SUCCEEDED, [201])
    assert [step["number"] for step in runs.story(run)] == [1, 2, 3]


def test_an_accepted_run_waits_for_a_worker_and_is_carried_out_once():
    run = runs.accept(admitted(posting_flow(), is_async=True))
    assert Run.objects.get().state == RunState.QUEUED
    door = use_door(ScriptedDoor())
    assert runs.resume(run.pk).state == RunState.SUCCEEDED
    assert runs.resume(run.pk) is None
    assert len(door.calls) == 1


def test_a_finished_call_is_not_made_again_when_its_step_is_done_again():
    flow = posting_flow(calls=2)
    run = crash_in(flow, ScriptedDoor(Answer(201), Crash()))
    Effect.objects.filter(key__endswith=":2:0").delete()  # the crash came before the second call's row was written
    door = use_door(ScriptedDoor(Answer(202)))
    done = runs.resume(run.pk)
    assert (done.state, codes(done)) == (RunState.SUCCEEDED, [201, 202])
    assert [call.key for call in door.calls] == [f"{run.pk}:2:0"]


def test_a_finished_call_is_replayed_with_its_note():
    run = runs.run_now(admitted(posting_flow()), deadline_seconds=60, door=ScriptedDoor(Answer(200, note="No JSON.")))
    assert _replay(Effect.objects.get().outcome) == Answer(200, note="No JSON.")
    told = runs.story(run)[1]
    assert (told["calls"][0]["note"], told["error"]) == ("No JSON.", {"code": "bad_answer", "message": "No JSON."})


def test_an_outcome_from_before_there_were_notes_is_replayed():
    assert _replay('{"code":200,"headers":{},"data":null}') == Answer(200)


def test_a_call_of_unknown_outcome_is_not_sent_again_in_silence():
    run = crash_in(posting_flow(), ScriptedDoor(Crash()))
    door = use_door(ScriptedDoor())
    assert runs.resume(run.pk).state == RunState.IN_DOUBT
    assert door.calls == []
    assert Effect.objects.get().state == EffectState.IN_DOUBT
    assert runs.resume(run.pk) is None


@pytest.mark.parametrize(("sent", "calls"), [(True, 0), (False, 1)])
def test_a_person_settles_what_is_in_doubt(sent, calls):
    run = crash_in(posting_flow(), ScriptedDoor(Crash()))
    door = use_door(ScriptedDoor())
    runs.resume(run.pk)
    ana = User.objects.get(username="ana")
    runs.settle(Effect.objects.get(), sent=sent, by=ana)
    assert Effect.objects.get().settled_by == ana
    assert runs.resume(run.pk).state == RunState.SUCCEEDED
    assert len(door.calls) == calls
    with pytest.raises(FlowError, match="Nothing is in doubt"):
        runs.settle(Effect.objects.get(), sent=sent, by=ana)


@pytest.mark.parametrize("repeat", ["idempotency_key", "safe"])
def test_a_call_that_may_be_repeated_is_sent_again_with_the_same_key(repeat):
    first = ScriptedDoor(Crash())
    run = crash_in(posting_flow(repeat=repeat), first)
    again = use_door(ScriptedDoor())
    assert runs.resume(run.pk).state == RunState.SUCCEEDED
    assert [call.key for call in again.calls] == [call.key for call in first.calls]
    assert again.calls == first.calls


def test_a_failed_call_leaves_by_its_exit_and_its_outcome_is_kept():
    door = ScriptedDoor(NodeError("Too slow.", code="timed_out"))
    run = runs.run_now(admitted(posting_flow()), deadline_seconds=60, door=door)
    assert (run.state, codes(run)) == (RunState.SUCCEEDED, [None])
    assert loads(Effect.objects.get().outcome)["error"] == "timed_out"


def test_a_call_that_might_not_end_in_time_is_handed_to_a_worker_unbegun():
    flow = posting_flow(timeout_seconds=10)
    door = use_door(ScriptedDoor())
    run = runs.run_now(admitted(flow), deadline_seconds=5, door=door)
    assert (run.state, run.durable, door.calls, Effect.objects.count()) == (RunState.QUEUED, True, [], 0)
    done = runs.resume(run.pk)
    assert (done.state, codes(done)) == (RunState.SUCCEEDED, [200])
    assert [step["position"] for step in runs.story(done)] == [0, 1, 2]


def test_a_run_past_its_deadline_goes_on_in_a_worker():
    run = runs.run_now(admitted(posting_flow(calls=0)), deadline_seconds=0, door=ScriptedDoor())
    assert run.state == RunState.QUEUED
    assert runs.resume(run.pk).state == RunState.SUCCEEDED


def test_a_synchronous_run_whose_process_died_fails_as_interrupted():
    flow = posting_flow()
    with pytest.raises(Crash):
        runs.run_now(admitted(flow), deadline_seconds=60, door=ScriptedDoor(Crash()))
    run = Run.objects.get()
    lose_lease(run.pk)
    done = runs.resume(run.pk)
    assert (done.state, loads(done.error)["code"]) == (RunState.FAILED, "interrupted")


def crash_at_every_claim(run: Run) -> ScriptedDoor:
    """Workers die of the run until it isn't claimed any more."""
    door = use_door(ScriptedDoor(*[Crash() for _ in range(2 * MAX_CLAIMS)]))
    for _ in range(MAX_CLAIMS):
        with pytest.raises(Crash):
            runs.resume(run.pk)
        lose_lease(run.pk)
    return door


def test_a_run_is_dead_after_exactly_five_claims_without_a_checkpoint():
    run = runs.accept(admitted(posting_flow(method="GET", repeat="safe"), is_async=True))
    door = crash_at_every_claim(run)
    dead = runs.resume(run.pk)
    assert (dead.state, dead.attempt, len(door.calls)) == (RunState.DEAD, MAX_CLAIMS, MAX_CLAIMS)
    assert loads(dead.error)["code"] == "dead"
    assert runs.resume(run.pk) is None
    assert len(door.calls) == MAX_CLAIMS


def test_a_run_in_its_last_claim_is_not_given_up_while_its_lease_holds():
    run = runs.accept(admitted(posting_flow(), is_async=True))
    Run.objects.update(state=RunState.RUNNING, attempt=MAX_CLAIMS, wake_at=timezone.now() + timedelta(seconds=9))
    assert runs.resume(run.pk) is None
    assert Run.objects.get().state == RunState.RUNNING


def test_owners_are_told_once_of_a_run_that_was_given_up(mailoutbox, django_capture_on_commit_callbacks):
    flow = posting_flow()
    Membership.objects.update(role=Role.OWNER)
    run = runs.accept(admitted(flow, is_async=True))
    Run.objects.update(state=RunState.RUNNING, attempt=MAX_CLAIMS)
    lose_lease(run.pk)
    with django_capture_on_commit_callbacks(execute=True):
        runs.resume(run.pk)
        runs.resume(run.pk)
    assert [mail.subject for mail in mailoutbox] == [f"A run of {flow} was given up"]
    assert Run.objects.get().wake_at is None


@pytest.mark.parametrize("state", [RunState.DEAD, RunState.IN_DOUBT])
def test_owners_are_told_though_the_process_that_would_tell_them_died(
    state, mailoutbox, django_capture_on_commit_callbacks
):
    run = runs.accept(admitted(posting_flow(), is_async=True))
    Membership.objects.update(role=Role.OWNER)
    Run.objects.update(state=state, wake_at=timezone.now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert runs.resume(run.pk) is None
        assert runs.resume(run.pk) is None
    assert len(mailoutbox) == 1
    run.refresh_from_db()
    assert (run.state, run.wake_at) == (state, None)


def test_a_zombie_writes_nothing_and_another_worker_finishes():
    flow = posting_flow(calls=2)
    run_id = runs.accept(admitted(flow, is_async=True)).pk
    rescuer = ScriptedDoor()

    def sleep_past_the_lease(call):
        lose_lease(run_id)
        use_door(rescuer)
        Effect.objects.update(state=EffectState.DONE, outcome='{"code":201,"headers":{},"data":null}')
        assert runs.resume(run_id).state == RunState.SUCCEEDED
        return Answer(500)

    use_door(ScriptedDoor(sleep_past_the_lease))
    assert runs.resume(run_id) is None
    run = Run.objects.get()
    assert (run.state, codes(run)) == (RunState.SUCCEEDED, [201, 200])


def test_a_bug_ends_the_run_with_a_story_and_a_code(caplog):
    door = ScriptedDoor(ZeroDivisionError("a bug"))
    run = runs.run_now(admitted(posting_flow(method="GET", repeat="safe")), deadline_seconds=60, door=door)
    assert (run.state, loads(run.error)["code"]) == (RunState.FAILED, "CT21")
    assert "a bug" not in run.error
    assert "a bug" in caplog.text


def test_a_run_whose_content_was_changed_fails_at_once():
    run = runs.accept(admitted(posting_flow(), is_async=True))
    door = use_door(ScriptedDoor())
    with triggers.lifted():
        Content.objects.update(text="{}")
    contents.forget()
    done = runs.resume(run.pk)
    assert (done.state, loads(done.error)["code"], door.calls) == (RunState.FAILED, "content_refused", [])


def test_a_payload_as_deep_as_any_may_be_is_read_back():
    payload: object = "bottom"
    for _ in range(63):
        payload = [payload]
    run = runs.accept(admitted(posting_flow(), is_async=True, payload=payload))
    use_door(ScriptedDoor())
    assert runs.resume(run.pk).state == RunState.SUCCEEDED


def test_a_cancelled_run_goes_no_further():
    run = runs.accept(admitted(posting_flow(), is_async=True))
    runs.cancel(run)
    assert runs.resume(run.pk) is None
    assert Run.objects.get().state == RunState.CANCELLED
    with pytest.raises(FlowError, match="ended already"):
        runs.cancel(run)


def test_a_worker_whose_run_was_cancelled_writes_nothing_more():
    run_id = runs.accept(admitted(posting_flow(calls=2), is_async=True)).pk

    def cancel_meanwhile(call):
        runs.cancel(Run.objects.get())
        return Answer(200)

    door = use_door(ScriptedDoor(cancel_meanwhile))
    assert runs.resume(run_id) is None
    assert (Run.objects.get().state, len(door.calls)) == (RunState.CANCELLED, 1)

"""Runs with sensitive fields: the flow and its calls get the true values, whatever is kept shows masks."""

from __future__ import annotations

import json
import logging

import pytest

from flows import contents, drafts, runs, sensitive
from flows.engine.errors import NodeError
from flows.engine.protocols import Answer
from flows.engine.strictjson import stored
from flows.known_secrets import cleaned
from flows.masking import MASK
from flows.models import Effect, EffectState, Run, RunState, Segment
from flows.vault import SecretUnreadable
from tests.flows.hosting import Crash, ScriptedDoor, admitted, lose_lease, posting_flow, use_door
from tests.flows.paying import CARD, CVV, NAME, PAYLOAD, echo, kept, leaks, paying_flow, sealed_parts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_doors")]


def test_a_run_that_only_answers_is_still_one_row_and_shows_masks(django_assert_num_queries):
    wanted = admitted(paying_flow(calls=0), payload=PAYLOAD)
    with django_assert_num_queries(3):  # a savepoint, the INSERT, its release
        run = runs.run_now(wanted, deadline_seconds=5, door=ScriptedDoor())
    assert run.state == RunState.SUCCEEDED
    run.refresh_from_db()
    assert leaks(kept()) == []
    assert stored(run.request)["payload"] == {"card": MASK, "cvv": MASK, "who": MASK, "order": "A-7"}
    assert stored(run.answer)["body"] == {"card": MASK, "text": f"for {MASK}: {MASK}", "order": "A-7"}
    told = {"card": CARD, "text": f"for {NAME}: {CVV}", "order": "A-7"}
    assert sensitive.answer_of(run) == {"status": 200, "headers": [], "body": told}


def test_an_answer_without_sensitive_values_is_kept_openly():
    run = runs.run_now(admitted(paying_flow(calls=0, end={"ok": True}), payload=PAYLOAD), deadline_seconds=5)
    assert (run.sealed, stored(run.answer)["body"]) == ("", {"ok": True})


def test_a_run_without_marked_values_is_kept_as_it_is():
    run = runs.run_now(admitted(paying_flow(calls=0, end={}), payload={"order": "A-7"}), deadline_seconds=5)
    assert (run.sealed, stored(run.request)["payload"]) == ("", {"order": "A-7"})


def test_the_service_gets_the_true_values_and_the_trace_masks():
    door = ScriptedDoor(echo)
    run = runs.run_now(admitted(paying_flow(), payload=PAYLOAD), deadline_seconds=60, door=door)
    assert door.calls[0].body["card"] == CARD
    assert (run.state, leaks(kept())) == (RunState.SUCCEEDED, [])
    sent = next(step for step in runs.story(run) if step["type"] == "api_integration")
    assert sent["in"]["body"] == {"card": MASK, "text": f"for {MASK}: {MASK}", "order": "A-7"}
    assert sent["out"]["headers"] == {"x-echo": MASK, "x-encoded": MASK}
    assert (sent["out"]["code"], sent["out"]["data"]["deep"]) == (200, [f"x{MASK}x", MASK])
    effect = Effect.objects.get()
    assert stored(effect.request)["body"]["card"] == MASK
    assert stored(effect.outcome)["headers"]["x-echo"] == MASK


@pytest.mark.parametrize("repeat", ["idempotency_key", "never"])
def test_a_run_goes_on_in_another_process_with_the_true_values(repeat):
    flow = paying_flow(calls=2, repeat=repeat)
    crashing = ScriptedDoor(echo, Crash("here"))
    with pytest.raises(Crash):
        runs.run_now(admitted(flow, payload=PAYLOAD), deadline_seconds=60, door=crashing, also=lambda run: None)
    run = Run.objects.get()
    assert run.sealed != ""
    assert leaks(kept()) == []
    lose_lease(run.pk)
    sensitive._fields_of.clear()
    contents.forget()
    door = use_door(ScriptedDoor(echo))
    run = runs.resume(run.pk)
    if repeat == "never":
        assert (run.state, leaks(kept())) == (RunState.IN_DOUBT, [])
        runs.settle(Effect.objects.get(state=EffectState.IN_DOUBT), sent=False, by=flow.changed_by)
        run = runs.resume(run.pk)
    assert door.calls == [crashing.calls[1]]
    assert (run.state, leaks(kept())) == (RunState.SUCCEEDED, [])
    assert sensitive.answer_of(run)["body"]["card"] == CARD
    assert sealed_parts() == 0


def test_a_queued_run_is_sealed_until_a_worker_takes_it():
    run = runs.accept(admitted(paying_flow(calls=0), is_async=True, payload=PAYLOAD, query={"card": CARD}))
    assert leaks(kept()) == []
    assert stored(run.request)["query"] == {"card": MASK}
    run = runs.resume(run.pk)
    assert (run.state, leaks(kept())) == (RunState.SUCCEEDED, [])
    assert sensitive.answer_of(run)["body"]["card"] == CARD


def test_a_failure_that_quotes_a_value_is_kept_masked():
    fail = NodeError(f"No card {CARD} of {NAME}", code="no_card", hint=f"Ask {NAME}.")
    flow = paying_flow()
    nodes = json.loads(flow.draft)
    nodes[1]["exits"] = {"yes": 3}
    file = {"format": 1, "slug": flow.slug, "name": flow.name, "nodes": nodes}
    flow = drafts.import_file(flow.entity, json.dumps(file), by=flow.changed_by)
    run = runs.run_now(admitted(flow, payload=PAYLOAD), deadline_seconds=60, door=ScriptedDoor(fail))
    assert (run.state, leaks(kept())) == (RunState.FAILED, [])
    assert stored(run.error)["code"] == "CT04"
    assert runs.story(run)[-1]["error"] == {
        "code": "no_card",
        "message": f"No card {MASK} of {MASK}",
        "hint": f"Ask {MASK}.",
    }


def test_the_log_of_a_run_shows_masks(caplog):
    lines = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(cleaned(logging.Formatter().format(record)))

    handler = Handler()
    logging.getLogger("flows").addHandler(handler)
    try:
        bug = ScriptedDoor(ValueError(f"bug with {CARD} of {NAME!r}"))
        run = runs.run_now(admitted(paying_flow(), payload=PAYLOAD), deadline_seconds=60, door=bug)
    finally:
        logging.getLogger("flows").removeHandler(handler)
    assert run.state == RunState.FAILED
    assert "ValueError: bug with" in "".join(lines)
    assert leaks("".join(lines)) == []


def test_ending_a_run_from_outside_leaves_nothing_sealed():
    flow, crashing = paying_flow(calls=2), ScriptedDoor(echo, Crash("here"))
    with pytest.raises(Crash):
        runs.run_now(admitted(flow, payload=PAYLOAD), deadline_seconds=60, door=crashing, also=lambda run: None)
    assert sealed_parts() > 0
    run = runs.cancel(Run.objects.get())
    assert (run.state, run.sealed, sealed_parts(), leaks(kept())) == (RunState.CANCELLED, "", 0, [])


def test_a_sealed_request_opens_for_its_own_run_alone():
    flow = paying_flow(calls=0)
    one, other = (runs.accept(admitted(flow, is_async=True, payload=PAYLOAD)) for _ in range(2))
    Run.objects.filter(pk=one.pk).update(sealed=other.sealed)
    with pytest.raises(SecretUnreadable):
        runs.resume(one.pk)


def test_marks_of_the_whole_payload_hide_a_query_too():
    schema = {"type": "object", "x-sensitive": True}
    query = {"card": CARD}
    wanted = admitted(paying_flow(calls=0, schema=schema, end={"c": "{{ query.card }}"}), payload=query, query=query)
    run = runs.run_now(wanted, deadline_seconds=5, door=ScriptedDoor())
    assert stored(run.request)["query"] == {"card": MASK}
    assert (leaks(kept()), sensitive.answer_of(run)["body"]) == ([], {"c": CARD})


def test_a_token_of_ours_in_a_request_is_not_kept():
    token = "cft_abcdefgh_" + "A" * 43
    run = runs.accept(admitted(posting_flow(calls=0), is_async=True, payload={"t": [token]}, query={"token": token}))
    assert stored(run.request)["payload"] == {"t": [f"cft_abcdefgh_{MASK}"]}
    assert token not in kept()


def test_what_secret_names_name_is_in_no_trace():
    flow = posting_flow(calls=1)
    answer = Answer(200, {"Set-Cookie": "hush"}, {"access_token": "hush", "n": 1})
    run = runs.run_now(admitted(flow), deadline_seconds=60, door=ScriptedDoor(answer))
    out = next(step for step in runs.story(run) if step["type"] == "api_integration")["out"]
    assert (out["headers"], out["data"]) == ({"Set-Cookie": MASK}, {"access_token": MASK, "n": 1})


def test_the_tables_hold_no_other_text_of_a_run():
    """Where a column is added to these tables, its texts belong to what is kept masked or sealed."""
    columns = {
        model: [f.name for f in model._meta.fields if f.get_internal_type() == "TextField"]
        for model in (Run, Segment, Effect)
    }
    assert columns == {
        Run: ["request", "sealed", "answer", "error", "trace"],
        Segment: ["state", "steps"],
        Effect: ["request", "outcome"],
    }

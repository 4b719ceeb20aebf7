"""What steps make of sensitive fields, wherever the run enters and into whatever flow it jumps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from flows import contents, drafts, runs, sensitive
from flows.engine.strictjson import stored
from flows.masked_steps import MESSAGE_HIDDEN
from flows.masking import MASK
from flows.models import Flow, Run, RunState
from tests.flows.hosting import Crash, ScriptedDoor, admitted, lose_lease, posting_flow, use_door
from tests.flows.paying import CARD, PAYLOAD, echo, kept, leaks, paying_flow, sealed_parts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_doors")]

MARKED = {"payload_schema": {"properties": {"hush": {"x-sensitive": True}}}}


def flow_of(*nodes: dict[str, Any], slug: str = "steps", beside: Flow | None = None, start: Any = MARKED) -> Flow:
    """start → the nodes, each leading to the next by `yes` and `no` unless it says otherwise."""
    beside = beside or posting_flow()
    made: list[dict[str, Any]] = [{"number": 1, "type": "start", "exits": {"next": 2}, "settings": start}]
    for number, node in enumerate(nodes, 2):
        exits = {} if node["type"] == "api_end" else {"yes": number + 1, "no": number + 1}
        made.append({"number": number, "exits": exits, **node})
    file = {"format": 1, "slug": slug, "name": slug, "nodes": made}
    return drafts.import_file(beside.entity, json.dumps(file), by=beside.changed_by)


def node(kind: str, **settings: Any) -> dict[str, Any]:
    return {"type": kind, "settings": settings}


def run_with(flow: Flow, hush: Any, **more: Any) -> tuple[Run, dict[str, Any]]:
    """The run, and its steps by type."""
    wanted = admitted(flow, payload={"hush": hush, "order": "A-7"})
    run = runs.run_now(wanted, deadline_seconds=60, door=ScriptedDoor(echo), **more)
    run.refresh_from_db()
    return run, {step["type"]: step for step in runs.story(run)}


FORMAT = node("number_format", value="{{ payload.hush }}", pattern="#,##0.00")
END = node("api_end", body={"told": "{{ number_format_2.result }}", "order": "{{ payload.order }}"})
SPLIT = node("regular_expression", value="{{ payload.hush }}", pattern="(.{4})(.*)")


def test_marks_count_wherever_a_run_enters():
    wanted = replace(admitted(paying_flow(calls=1), payload=PAYLOAD), step=2)
    run = runs.run_now(wanted, deadline_seconds=60, door=ScriptedDoor(echo))
    assert (run.state, leaks(kept())) == (RunState.SUCCEEDED, [])
    assert stored(run.request)["payload"]["order"] == "A-7"


def test_a_schema_that_cannot_be_used_hides_the_payload():
    bad = {"payload_schema": {"properties": 5, "$defs": {"a": {"x-sensitive": True}}}}
    wanted = replace(admitted(flow_of(node("api_end", body={}), start=bad), payload=PAYLOAD), step=2)
    run = runs.run_now(wanted, deadline_seconds=60)
    assert stored(run.request)["payload"] == MASK


@pytest.mark.parametrize("is_committed_first", [False, True])
@pytest.mark.parametrize("is_marked", [False, True])
def test_a_jump_hides_what_the_other_flow_marks(is_committed_first, is_marked):
    paying = paying_flow(calls=1)
    start: Any = {"payload_schema": {"properties": {"cvv": {"x-sensitive": True}}}} if is_marked else {}
    setter = node("set_variable", assignments=[{"name": "n", "value": 1}]) | {
        "exits": {"yes": {"flow": paying.slug, "step": 2}}
    }
    flow = flow_of(setter, beside=paying, start=start)
    also = {"also": lambda run: None} if is_committed_first else {}
    run = runs.run_now(admitted(flow, payload=PAYLOAD), deadline_seconds=60, door=ScriptedDoor(echo), **also)
    assert (run.state, leaks(kept()), sealed_parts()) == (RunState.SUCCEEDED, [], 0)
    run.refresh_from_db()
    assert stored(run.request)["payload"] == {"card": MASK, "cvv": MASK, "who": MASK, "order": "A-7"}
    assert sensitive.answer_of(run)["body"]["card"] == CARD


def test_a_jump_hides_marked_booleans_of_the_request_too():
    other = flow_of(node("api_end", body={}), slug="other")
    setter = node("set_variable", assignments=[{"name": "n", "value": 1}])
    setter |= {"exits": {"yes": {"flow": "other", "step": 2}}}
    start: Any = {"payload_schema": {"properties": {"order": {"x-sensitive": True}}}}
    run, _ = run_with(flow_of(setter, beside=other, start=start), True)
    assert stored(run.request)["payload"] == {"hush": MASK, "order": MASK}


def test_a_run_that_jumped_goes_on_in_another_process():
    paying = paying_flow(calls=2)
    setter = node("set_variable", assignments=[{"name": "n", "value": 1}]) | {
        "exits": {"yes": {"flow": paying.slug, "step": 2}}
    }
    flow = flow_of(setter, beside=paying, start={})
    door = ScriptedDoor(echo, Crash("here"))
    with pytest.raises(Crash):
        runs.run_now(admitted(flow, payload=PAYLOAD), deadline_seconds=60, door=door, also=lambda run: None)
    assert (leaks(kept()), Run.objects.get().sealed != "") == ([], True)
    run = Run.objects.get()
    lose_lease(run.pk)
    contents.forget()
    use_door(ScriptedDoor(echo))
    Run.objects.get().effects.filter(state="begun").update(repeat="safe")
    runs.resume(run.pk)
    assert leaks(kept()) == []


def test_what_a_step_makes_of_a_value_is_hidden_then_and_later():
    run, steps = run_with(flow_of(FORMAT, END), "73519.25")
    assert "73,519" not in kept()
    assert (steps["number_format"]["out"], steps["number_format"]["exit"]) == ({"result": MASK}, "yes")
    assert steps["api_end"]["out"] == {"status": 200, "body": {"told": MASK, "order": "A-7"}}
    assert stored(run.answer)["body"] == {"told": MASK, "order": "A-7"}
    assert sensitive.answer_of(run)["body"]["told"] == "73,519.25"


def test_groups_that_cut_a_value_in_two_are_hidden():
    end = node("api_end", body="{{ regular_expression_2.groups[0] }}")
    run, steps = run_with(flow_of(SPLIT, end), "hidden-words")
    assert run.state == RunState.SUCCEEDED
    assert steps["regular_expression"]["out"] == {"groups": [MASK, MASK]}
    assert stored(run.answer)["body"] == MASK


def test_what_was_made_stays_hidden_in_states_and_calls():
    call = node("api_integration", endpoint="orders", body={"a": "{{ regular_expression_2.groups[1] }}"})
    run, steps = run_with(flow_of(SPLIT, call, node("api_end", body={})), "hide-otherhalf")
    assert "otherhalf" not in kept()
    assert steps["api_integration"]["out"]["code"] == 200


def test_what_a_step_passes_on_stays_readable():
    setter = node(
        "set_variable",
        assignments=[{"name": "kept", "value": {"a": "{{ payload.hush }}", "b": "{{ payload.order }}"}}],
    )
    _, steps = run_with(flow_of(setter, node("api_end", body={})), "hidden-words")
    assert steps["set_variable"]["out"]["kept"] == {"a": MASK, "b": "A-7"}


@pytest.mark.parametrize("has_exit", [False, True])
def test_a_message_of_a_step_that_read_a_value_is_hidden(has_exit):
    failing = FORMAT | ({} if has_exit else {"exits": {"yes": 3}})
    run, steps = run_with(flow_of(failing, node("api_end", body={})), "1e999999999123")
    assert steps["number_format"]["error"] == {
        "code": steps["number_format"]["error"]["code"],
        "message": MESSAGE_HIDDEN,
    }
    assert "999999999" not in kept()
    if not has_exit:
        assert stored(run.error) == {"code": "CT04", "status": 500, "message": MESSAGE_HIDDEN, "hint": ""}


def test_a_message_of_a_value_that_could_not_be_filled_in_is_hidden():
    end = node("api_end", body="{{ payload.hush | parse_json }}")
    run, _ = run_with(flow_of(end), '{"JSONKEYSECRET889": 1, "JSONKEYSECRET889": 2}')
    assert "JSONKEYSECRET" not in kept()
    assert (run.state, stored(run.error)["message"]) == (RunState.FAILED, MESSAGE_HIDDEN)


def test_a_run_that_makes_too_much_is_hidden_altogether(monkeypatch):
    monkeypatch.setattr(sensitive, "MAX_WIDENED", 0)
    run, _ = run_with(flow_of(FORMAT, END), "73519.25")
    assert stored(run.answer)["body"] == {MASK: MASK}

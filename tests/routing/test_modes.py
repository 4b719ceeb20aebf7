"""Pausing, draining and opening a route: who may, what callers get, and that no accepted call stays behind."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from flows import holding, runs
from flows.claims import queued
from flows.models import Change, Run, RunState
from routing import modes
from routing.frontdoor import FrontDoor
from routing.models import Mode, Route
from routing.routes import remove_route
from tests.routing.makers import deploy, make_flow, make_house, make_route, person
from tests.routing.test_frontdoor import call, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def entity():
    return make_house()


@pytest.fixture
def sync(entity):
    return make_route(deploy(make_flow(entity)))


@pytest.fixture
def later(entity):
    return make_route(deploy(make_flow(entity)), is_async=True)


def pause(route):
    return modes.pause(route, by=person("approver"))


def drain(route):
    return modes.drain(route, by=person("approver"))


def open_again(route):
    return modes.open_again(route, by=person("approver"))


def waiting_for_a_worker():
    """Runs that a worker would find, as ids."""
    return set(queued(10))


def test_a_paused_route_refuses_synchronous_calls(sync):
    pause(sync[0])
    answer = call(*sync)
    problem(answer, 503, "route_paused")
    assert int(answer["Retry-After"]) > 0
    assert not Run.objects.exists()
    open_again(sync[0])
    assert call(*sync).status_code == 200


def test_a_paused_route_keeps_asynchronous_calls_until_it_is_opened(later):
    route, token = later
    assert call(route, token).status_code == 202
    pause(route)
    assert call(route, token).status_code == 202
    assert (waiting_for_a_worker(), holding.held_count(route.pk)) == (set(), 2)
    assert all(runs.resume(run.pk) is None for run in Run.objects.all())
    open_again(route)
    assert waiting_for_a_worker() == set(Run.objects.values_list("pk", flat=True))
    assert {runs.resume(run.pk).state for run in Run.objects.all()} == {RunState.SUCCEEDED}


def test_a_draining_route_finishes_what_it_has_accepted_and_takes_nothing_new(later):
    route, token = later
    pause(route)
    call(route, token)
    drain(route)
    assert waiting_for_a_worker() == {Run.objects.get().pk}
    answer = call(route, token)
    problem(answer, 503, "route_draining")
    assert int(answer["Retry-After"]) > 0
    assert Run.objects.count() == 1


def test_a_draining_route_refuses_synchronous_calls(sync):
    drain(sync[0])
    problem(call(*sync), 503, "route_draining")
    assert not Run.objects.exists()


def test_other_routes_of_the_same_flow_go_on(sync):
    other = make_route(sync[0].flow)
    pause(sync[0])
    assert call(*other).status_code == 200


@pytest.mark.parametrize("stop", [pause, drain])
def test_status_and_calls_that_come_again_are_answered_in_every_mode(sync, stop):
    route, token = sync
    first = call(route, token, Idempotency_Key="k")
    stop(route)
    again = call(route, token, Idempotency_Key="k")
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (200, first.content, "true")
    assert call(route, token, "", method="GET", path=f"/runs/{first['X-Run-Id']}").status_code == 200
    assert call(route, token, Idempotency_Key="new").status_code == 503
    assert Run.objects.count() == 1


def test_the_checks_before_come_before(sync):
    """Who may not call isn't told in which mode the route is; a refused key stays free."""
    route, token = sync
    drain(route)
    problem(call(route, "wrong"), 401, "token_refused")
    problem(call(route, token, "{"), 400, "bad_json")
    problem(call(route, token, Idempotency_Key="k"), 503, "route_draining")
    open_again(route)
    assert "Idempotent-Replayed" not in call(route, token, Idempotency_Key="k")


def test_who_may_not_manage_the_route_may_not_change_its_mode(sync):
    for change in modes.pause, modes.drain, modes.open_again:
        with pytest.raises(PermissionDenied):
            change(sync[0], by=person("builder"))
    assert Route.objects.get().mode == Mode.OPEN


def test_a_change_is_recorded_once(sync):
    route = sync[0]
    for _ in range(2):
        pause(route)
    change = Change.objects.filter(subject=f"route:{route.pk}", after='{"mode":"paused"}').get()
    assert (change.before, change.by) == ('{"mode":"open"}', person("approver"))


def test_who_saw_another_mode_is_asked_to_look_again(sync):
    seen = Route.objects.get()
    drain(sync[0])
    with pytest.raises(ValidationError, match="Look at it again"):
        pause(seen)
    assert Route.objects.get().mode == Mode.DRAINING


def test_a_call_that_is_accepted_while_the_route_is_opened_does_not_stay_behind(later, monkeypatch):
    route, token = later
    pause(route)
    accept = runs.accept

    def opened_meanwhile(*args, **kwargs):
        open_again(Route.objects.get(pk=route.pk))
        return accept(*args, **kwargs)

    monkeypatch.setattr(runs, "accept", opened_meanwhile)
    assert call(route, token).status_code == 202
    assert waiting_for_a_worker() == {Run.objects.get().pk}


def test_what_a_killed_process_has_left_is_put_right(later):
    route, token = later
    call(route, token)
    Route.objects.update(mode=Mode.PAUSED)
    modes.tidy()
    assert (waiting_for_a_worker(), holding.held_count(route.pk)) == (set(), 1)
    Route.objects.update(mode=Mode.OPEN)
    modes.tidy()
    assert holding.held_count(route.pk) == 0


def test_runs_that_a_removed_route_has_kept_go_on(later):
    route, token = later
    pause(route)
    call(route, token)
    remove_route(route, by=person("approver"))
    modes.tidy()
    assert waiting_for_a_worker() == {Run.objects.get().pk}


def test_a_full_queue_refuses_and_keeps_nothing(later, monkeypatch):
    def full(*args, **kwargs):
        raise runs.QueueFull("full")

    monkeypatch.setattr(runs, "accept", full)
    answer = call(*later, Idempotency_Key="k")
    problem(answer, 503, "queue_full")
    assert int(answer["Retry-After"]) > 0
    assert not Run.objects.exists()


def test_a_route_with_its_number_of_calls_at_work_refuses_the_next_one(sync, monkeypatch):
    """The second call comes while the first one is worked on."""
    Route.objects.update(concurrency=1)
    answers, first = [], FrontDoor._run

    def meanwhile(door, request):
        if not answers:
            answers.append(None)
            answers.append(call(*sync))
        return first(door, request)

    monkeypatch.setattr(FrontDoor, "_run", meanwhile)
    assert call(*sync).status_code == 200
    problem(answers[1], 503, "busy")
    assert int(answers[1]["Retry-After"]) > 0
    assert Run.objects.count() == 1

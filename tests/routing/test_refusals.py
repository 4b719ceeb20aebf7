"""Refused calls: what is kept of them, how much at most, and never a token."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from flows import commits
from routing import refusals
from routing.explained import EXPLAINED, explained
from routing.models import Refusal, Route
from routing.problem import PROBLEMS, Problem, of_run
from routing.routes import change_route, remove_route
from tests.routing.makers import deploy, make_flow, make_house, make_route, person

HERE = "192.0.2.1"


@pytest.fixture(autouse=True)
def empty_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_book", refusals._Book())


@pytest.fixture
def called(db: None) -> tuple[Route, str]:
    return make_route(deploy(make_flow(make_house())), allow="192.0.2.0/24")


def call(route_id: str, token: str = "", data: str = '{"total": 1}', method: str = "POST", **meta: Any) -> int:
    client = Client(raise_request_exception=False, **{"REMOTE_ADDR": HERE, **meta})
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.generic(method, f"/dynamic/{route_id}", data, "application/json", headers=headers).status_code


def kept(*fields: str) -> list[Any]:
    refusals.flush()
    return list(Refusal.objects.order_by("id").values_list(*fields, flat=len(fields) == 1))


def test_each_rule_that_refuses_leaves_a_row(called: tuple[Route, str]) -> None:
    route, token = called
    assert call(route.pk, token, REMOTE_ADDR="198.51.100.9") == 403
    assert call(route.pk, token, method="PUT") == 405
    assert call(route.pk) == 401
    assert call(route.pk, token[:-1] + ("A" if token[-1] != "A" else "B")) == 401
    assert call(route.pk, token, data="{") == 400
    assert call(route.pk, token, data="{}") == 422
    assert call(route.pk, token) == 200
    assert kept("code", "method", "address") == [
        ("address_refused", "POST", "198.51.100.9"),
        ("method_not_allowed", "PUT", HERE),
        ("token_required", "POST", HERE),
        ("token_refused", "POST", HERE),
        ("bad_json", "POST", HERE),
        ("payload_refused", "POST", HERE),
    ]


def test_a_row_tells_the_token_by_its_beginning_alone(called: tuple[Route, str]) -> None:
    route, token = called
    call(route.pk, token, method="PUT")
    call(route.pk, token + "x")
    call(route.pk, f"{token[:20]} {token[20:]}")
    call(route.pk, "something of theirs")
    assert kept("token_prefix") == [token[:12], token[:12], token[:12], ""]
    rows = json.dumps(list(Refusal.objects.values()), default=str)
    assert token[13:] not in rows
    assert token[13:20] not in rows
    assert "something of theirs" not in rows


def test_the_address_is_told_as_it_was_seen_forwarded_and_counted(
    called: tuple[Route, str], settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    spoofed = "192.0.2.1, 198.51.100.9"
    assert call(called[0].pk, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=spoofed) == 403
    assert call(called[0].pk, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="y" * 300 + "\x07nobody") == 403
    first, second = kept("seen", "forwarded", "address")
    assert first == ("10.0.0.1", spoofed, "198.51.100.9")
    assert second == ("10.0.0.1", "y" * 193 + "�nobody", "")


def test_a_route_that_is_switched_off_has_its_refusals_and_one_that_is_not_there_has_none(
    called: tuple[Route, str],
) -> None:
    route, token = called
    change_route(route, by=person("approver"), is_active=False)
    assert call(route.pk, token) == call("f" * 32, token) == call("x" * 400) == 404
    assert kept("code", "route") == [("route_not_found", route.pk)]


def test_a_run_that_failed_is_no_refusal_and_nothing_deployed_is_one(db: None) -> None:
    route, token = make_route(make_flow(make_house()))
    refusals.note(route.pk, {}, of_run("CT21", "failed", run_id="x"))
    assert call(route.pk, token) == 503
    assert kept("code") == ["not_deployed"]


def test_floods_are_kept_short_and_leave_room_for_others(called: tuple[Route, str]) -> None:
    route, refused = called[0], Problem("address_refused")
    for number in range(refusals.PER_ROUTE_AND_MINUTE * 2):
        refusals.note(route.pk, {"REMOTE_ADDR": f"198.51.100.{number % 2}"}, refused)
    refusals.note(route.pk, {"REMOTE_ADDR": "198.51.100.7"}, refused)
    found = kept("address")
    assert len(found) == 2 * refusals.PER_CALLER_AND_MINUTE + 1
    assert found[-1] == "198.51.100.7"
    for number in range(refusals.PER_ROUTE_AND_MINUTE * 2):
        refusals.note(route.pk, {"REMOTE_ADDR": f"2001:db8::{number:x}"}, refused)
        refusals.note(f"{number:032x}", {"REMOTE_ADDR": f"2001:db8::{number:x}"}, Problem("route_not_found"))
    assert len(kept("pk")) == refusals.PER_ROUTE_AND_MINUTE


def test_of_a_route_the_newest_are_kept_and_of_all_none_that_are_old(
    called: tuple[Route, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "KEPT_PER_ROUTE", 3)
    route = called[0]
    for number in range(5):
        refusals.note(route.pk, {"REMOTE_ADDR": f"198.51.100.{number}"}, Problem("address_refused"))
    assert kept("address") == ["198.51.100.2", "198.51.100.3", "198.51.100.4"]
    old = timezone.now() - refusals.KEPT_FOR - timedelta(minutes=1)
    Refusal.objects.filter(address="198.51.100.3").update(at=old)
    refusals.forget_old()
    assert kept("address") == ["198.51.100.2", "198.51.100.4"]


def test_a_route_that_was_removed_meanwhile_is_passed_over(called: tuple[Route, str]) -> None:
    route = called[0]
    call(route.pk)
    assert kept("code") == ["token_required"]
    call(route.pk)
    remove_route(route, by=person("approver"))
    assert kept("code") == []


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("away")])
def test_what_could_not_be_written_stays_noted_in_its_order(
    called: tuple[Route, str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(write: object) -> int:
        raise error

    call(called[0].pk, REMOTE_ADDR="198.51.100.1")
    call(called[0].pk, REMOTE_ADDR="198.51.100.2")
    with monkeypatch.context() as patch:
        patch.setattr(refusals, "commit", away)
        with pytest.raises(type(error)):
            refusals.flush()
    call(called[0].pk, REMOTE_ADDR="198.51.100.3")
    assert kept("address") == ["198.51.100.1", "198.51.100.2", "198.51.100.3"]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_a_thread_writes_by_itself_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(refusals, "RETRY_SECONDS", 0.01)
    route, _ = make_route(deploy(make_flow(make_house())))
    fails = iter([OperationalError("away"), ValueError("a bug")])

    def sometimes(write: Any) -> Any:
        error = next(fails, None)
        if error is not None:
            raise error
        return commits.commit(write)

    monkeypatch.setattr(refusals, "commit", sometimes)
    for _ in range(3):
        call(route.pk)
        thread = refusals._book._thread
        if thread is not None:
            thread.join()
    assert Refusal.objects.count() == 2  # one came again after the database was away, one went with the bug
    assert refusals._book._thread is None
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_a_process_that_ends_in_order_waits_for_the_last_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of a web server are daemons, and one that they start would be one too."""
    monkeypatch.setattr(refusals, "PERIOD_SECONDS", 0.2)
    route, _ = make_route(deploy(make_flow(make_house())))
    found: list[threading.Thread | None] = []

    def serve() -> None:
        call(route.pk)
        found.append(refusals._book._thread)
        connections.close_all()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    server.join()
    assert found[0] is not None
    assert not found[0].daemon
    found[0].join()
    assert Refusal.objects.count() == 1


def test_every_refusal_is_counted_in_metrics(called: tuple[Route, str], client: Client) -> None:
    def count(code: str) -> float:
        lines = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode().splitlines()
        series = f'chatflow_refused_calls_total{{code="{code}"}} '
        return next((float(line.removeprefix(series)) for line in lines if line.startswith(series)), 0)

    before = count("token_required"), count("route_not_found")
    for _ in range(40):
        call(called[0].pk)
    call("0" * 32)
    assert (count("token_required"), count("route_not_found")) == (before[0] + 40, before[1] + 1)


def test_each_rule_is_explained_by_its_code_or_at_least_by_what_its_caller_was_told() -> None:
    assert EXPLAINED.keys() <= PROBLEMS.keys()
    assert explained("bad_host").why == "Unknown host name."
    assert explained("gone since").why == "gone since"

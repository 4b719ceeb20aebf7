"""Trying an address and a token says what the door would say, and leaves nothing behind."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from routing import refusals
from routing.models import Refusal, Route, Token
from routing.rate import limiter
from routing.routes import change_route
from routing.trying import Trial, attempt
from tests.routing.makers import deploy, make_flow, make_house, make_route, person

pytestmark = pytest.mark.django_db
HERE = "192.0.2.1"


@pytest.fixture(autouse=True)
def empty_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_book", refusals._Book())


@pytest.fixture
def called() -> tuple[Route, str]:
    yesterday = timezone.now().date() - timedelta(days=2)
    allow = f"192.0.2.0/24 # the office\n198.51.100.7 until {yesterday} # the old office"
    return make_route(deploy(make_flow(make_house())), allow=allow)


def at_the_door(route: Route, **tried: str) -> str:
    """The code with which the door refuses the very call that was tried; empty where it lets it in."""
    meta: dict[str, Any] = {"REMOTE_ADDR": tried["address"]}
    if "forwarded" in tried:
        meta["HTTP_X_FORWARDED_FOR"] = tried["forwarded"]
    headers = {"Authorization": f"Bearer {tried['token']}"} if "token" in tried else {}
    client = Client(raise_request_exception=False, **meta)
    method = tried.get("method", route.method)
    answer = client.generic(method, f"/dynamic/{route.pk}", '{"total": 1}', "application/json", headers=headers)
    return "" if answer.status_code == 200 else json.loads(answer.content)["code"]


def tried(route: Route, code: str, told: str, **call: Any) -> Trial:
    """What the trial says, which has to be what the door says."""
    trial = attempt(route, **{"address": HERE, **call})
    assert (trial.problem.code if trial.problem else "") == code
    assert told in trial.looked[-1].found
    assert at_the_door(route, **{"address": HERE, **call}) == code
    return trial


def test_a_call_that_would_be_let_in_is_told_by_what(called: tuple[Route, str]) -> None:
    trial = tried(called[0], "", "Open", token=called[1])
    assert [look.name for look in trial.looked] == ["Route", "Address", "Method", "Token", "Flow", "Mode"]
    assert trial.looked[1].found == "192.0.2.1 is on the allow-list: 192.0.2.0/24 # the office."
    assert trial.explained is None


@pytest.mark.parametrize(
    ("call", "code", "told"),
    [
        ({"address": "203.0.113.9"}, "address_refused", "203.0.113.9 isn't on the allow-list."),
        ({"address": "198.51.100.7"}, "address_refused", "was on the allow-list, and that has ended: 198.51.100.7/32"),
        ({"address": "nonsense"}, "address_refused", "No address could be read in “nonsense”."),
        ({"address": "::ffff:192.0.2.1", "method": "PUT"}, "method_not_allowed", "answers POST; the call is a PUT."),
        ({}, "token_required", "The request has no token."),
        ({"token": "mine"}, "token_refused", "isn't a whole token"),
        ({"token": "cft_aaaaaaaa_" + "A" * 43}, "token_refused", "No token of this route begins with cft_aaaaaaaa."),
    ],
)
def test_the_first_rule_that_refuses_is_told_with_its_reason(
    called: tuple[Route, str], call: dict[str, str], code: str, told: str
) -> None:
    trial = tried(called[0], code, told, **call)
    assert trial.explained
    assert trial.explained.advice


def test_a_token_that_is_of_this_route_and_does_not_open_it_is_told_why(called: tuple[Route, str]) -> None:
    route, text = called
    other = text[:-1] + ("A" if text[-1] != "A" else "B")
    tried(route, "token_refused", "but the rest is another", token=other)
    Token.objects.update(expires_at=timezone.now())
    tried(route, "token_refused", "expired on", token=text)
    Token.objects.update(revoked_at=timezone.now())
    tried(route, "token_refused", "was revoked on", token=text)


def test_the_address_is_found_behind_our_proxies_only(called: tuple[Route, str], settings: Settings) -> None:
    route, text = called
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    call = {"token": text, "forwarded": "203.0.113.9, 192.0.2.7"}
    trial = tried(route, "", "", address="10.0.0.1", **call)
    assert "192.0.2.7 (from X-Forwarded-For, since the peer is in TRUSTED_PROXIES)" in trial.looked[1].found
    trial = tried(route, "", "", **call)
    assert "the peer isn't in TRUSTED_PROXIES" in trial.looked[1].found
    tried(route, "address_refused", "No address could be read", address="10.0.0.1", forwarded="x")


@pytest.mark.parametrize(
    ("mode", "is_async", "code"),
    [("paused", False, "route_paused"), ("draining", True, "route_draining"), ("draining", False, "route_draining")],
)
def test_a_mode_that_refuses_is_told(called: tuple[Route, str], mode: str, is_async: bool, code: str) -> None:
    Route.objects.update(mode=mode, is_async=is_async)
    tried(Route.objects.get(), code, "The mode of the route is", token=called[1])


def test_a_route_that_is_switched_off_and_one_without_a_version_are_told(called: tuple[Route, str]) -> None:
    change_route(called[0], by=person("approver"), is_active=False)
    tried(called[0], "route_not_found", "switched off", token=called[1])
    undeployed, text = make_route(make_flow(called[0].entity, slug="second"))
    tried(undeployed, "not_deployed", "No version of second is deployed.", token=text)


def test_a_trial_leaves_nothing_behind(called: tuple[Route, str]) -> None:
    route, text = called
    change_route(route, by=person("approver"), rate_per_minute=1)
    limiter.cache_clear()
    for token in (text, "wrong"):
        for _ in range(3):
            attempt(route, address=HERE, token=token)
    refusals.flush()
    assert not Refusal.objects.exists()
    assert Token.objects.get().last_used_at is None
    assert at_the_door(route, address=HERE, token=text) == ""

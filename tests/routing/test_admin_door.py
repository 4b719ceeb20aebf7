"""What the page of a route tells and does about who may call it: allow-list, refused calls, trying, modes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from flows.models import Flow, RunState
from routing.allowlist import utc_today
from routing.models import Refusal, Route
from routing.routes import change_route
from tests.admin_world import as_user, text_of, url
from tests.flows.makers import make_entity, make_run
from tests.routing.makers import deploy, make_flow, make_house, make_route, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow() -> Flow:
    return deploy(make_flow(make_house()))


def page(route: Route, name: str, by: str = "approver", *more: Any, **query: str) -> str:
    answer = as_user(by).get(url(route, name, route.pk, *more), query)
    assert answer.status_code == 200
    return text_of(answer)


def refuse(route: Route, address: str, code: str = "address_refused", **values: Any) -> None:
    known = {"at": timezone.now(), "seen": address, "method": "POST"}
    Refusal.objects.create(route=route, code=code, address=address, **{**known, **values})


# --- The form and the allow-list ---------------------------------------------------------------------------------------


def test_the_form_shows_an_entry_a_line_and_the_page_how_each_stands(flow: Flow) -> None:
    today = utc_today()
    over, near = today - timedelta(days=1), today + timedelta(days=1)
    allow = f"10.0.0.1 until {over} # old <b>; 10.0.0.2 until {near}; 10.0.0.3; 10.0.0.4 until {today}"
    text = page(make_route(flow, allow=allow)[0], "change")
    assert f"10.0.0.1/32 until {over} # old &lt;b&gt;\n10.0.0.2/32 until {near}\n10.0.0.3/32\n10.0.0.4" in text
    section = text[text.index("Who may call today") :]
    states = re.findall(r"<td>(ended|may call[^<]*)</td>", section)
    assert states == ["ended", "may call, 1 more day", "may call", "may call, today for the last time"]
    assert f"10.0.0.2/32 may call until {near} (UTC) only." in section


def test_a_plain_list_is_shown_an_entry_a_line_too(flow: Flow) -> None:
    assert ">\n10.0.0.1/32\n10.0.0.2/32</textarea>" in page(make_route(flow, allow="10.0.0.1;10.0.0.2")[0], "change")


def test_limits_and_a_reason_are_typed_into_the_form(flow: Flow) -> None:
    route, _ = make_route(flow)
    typed = {
        "name": "orders",
        "step": 1,
        "method": "GET",
        "get_reason": "It only reads.",
        "allow": "10.0.0.1\n10.0.0.2",
    }
    typed |= {"deadline_seconds": 25, "rate_per_minute": 60, "concurrency": 4, "is_active": "on"}
    assert as_user("approver").post(url(route, "change", route.pk), typed).status_code == 302
    route.refresh_from_db()
    assert (route.rate_per_minute, route.concurrency, route.get_reason) == (60, 4, "It only reads.")
    assert route.allow == "10.0.0.1/32; 10.0.0.2/32"


# --- Refused calls ----------------------------------------------------------------------------------------------------


def test_without_a_refusal_the_page_says_what_it_is_for(flow: Flow) -> None:
    route, _ = make_route(flow)
    assert "No call was refused. When one is, this page says" in page(route, "refusals")
    assert "</a>: none in the last 24 hours" in page(route, "change")


def test_the_page_of_a_route_counts_the_last_day(flow: Flow) -> None:
    route, _ = make_route(flow)
    refuse(route, "198.51.100.1")
    refuse(route, "198.51.100.2")
    refuse(route, "198.51.100.3", at=timezone.now() - timedelta(hours=25))
    text = page(route, "change")
    assert "</a>: 2 in the last 24 hours" in text
    assert url(route, "refusals", route.pk) in text


def test_refused_calls_are_told_with_their_rule_and_what_to_do(flow: Flow) -> None:
    route, token = make_route(flow)
    refuse(route, "198.51.100.1", seen="10.0.0.1", forwarded="<i>198.51.100.1", reason="This route isn't open to it.")
    refuse(route, "198.51.100.2", "token_refused", token_prefix=token[:12])
    refuse(route, "198.51.100.2", "token_refused", token_prefix="cft_aaaaaaaa")
    text = page(route, "refusals", "viewer")
    for told in (
        "No entry of the allow-list holds the caller's address",
        "Look for its beginning among the route's tokens.",
        "seen as 10.0.0.1, forwarded as &lt;i&gt;198.51.100.1",
        "This route isn't open to it.",
        f"<code>{token[:12]}</code>",
        "not of this route",
    ):
        assert told in text
    assert token not in text
    assert text.index("198.51.100.2") < text.index("198.51.100.1<")


def test_refused_calls_are_looked_through_by_rule_and_address(flow: Flow) -> None:
    route, _ = make_route(flow)
    for number in range(60):
        refuse(route, f"198.51.100.{number}", "token_required" if number % 2 else "address_refused")
    rows = r"<code>(198\.51\.100\.\d+)</code> · "
    assert re.findall(rows, page(route, "refusals")) == [f"198.51.100.{number}" for number in range(59, 9, -1)]
    assert len(re.findall(rows, page(route, "refusals", p="2"))) == 10
    assert len(re.findall(rows, page(route, "refusals", p="none"))) == 50
    assert len(re.findall(rows, page(route, "refusals", rule="token_required"))) == 30
    assert re.findall(rows, page(route, "refusals", address=" 100.7")) == ["198.51.100.7"]
    assert "Nothing fits." in page(route, "refusals", rule="token_required", address="100.8\x00")


def test_strangers_see_no_refused_call_and_try_nothing(flow: Flow) -> None:
    route, _ = make_route(flow)
    make_entity("other", other_owner="owner")
    for name in ("refusals", "try"):
        answer = as_user("other_owner").get(url(route, name, route.pk))
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")


# --- Trying -----------------------------------------------------------------------------------------------------------


def tried(route: Route, **typed: str) -> str:
    answer = as_user("viewer").post(url(route, "try", route.pk), {"method": "POST", **typed})
    assert answer.status_code == 200
    return text_of(answer)


def test_a_try_tells_every_check_and_never_the_token(flow: Flow) -> None:
    route, token = make_route(flow, allow="192.0.2.0/24")
    text = tried(route, address="192.0.2.1", token=token)
    assert "It would be let in." in text
    assert token not in text
    assert token[13:] not in text
    text = tried(route, address="203.0.113.9", token=token)
    assert "<strong>It would be refused</strong> with 403 <code>address_refused</code>" in text
    assert "203.0.113.9 isn't on the allow-list." in text
    assert not Refusal.objects.exists()


def test_a_try_without_an_address_is_told_at_its_field(flow: Flow) -> None:
    text = tried(make_route(flow)[0], address="")
    assert "This field is required." in text
    assert "It would be" not in text


def test_the_page_of_refused_calls_leads_to_a_try_of_the_same_address(flow: Flow) -> None:
    route, _ = make_route(flow)
    refuse(route, "198.51.100.1", seen="10.0.0.1", forwarded="198.51.100.1")
    assert "?address=10.0.0.1&amp;forwarded=198.51.100.1" in page(route, "refusals")
    assert 'value="10.0.0.1"' in page(route, "try", address="10.0.0.1", forwarded="198.51.100.1")


# --- Modes ------------------------------------------------------------------------------------------------------------


def test_pausing_says_first_what_it_does_and_then_does_it(flow: Flow) -> None:
    route, _ = make_route(flow, is_async=True)
    make_run(flow, RunState.QUEUED, wake_in_seconds=60, route=route.pk)
    text = page(route, "mode", "approver", "pause")
    assert "Asynchronous calls are accepted and wait until the route is opened." in text
    assert "Runs that wait for the route to open: 0, for a worker: 1; under way: 0." in " ".join(text.split())
    assert Route.objects.get().mode == "open"
    answer = as_user("approver").post(url(route, "mode", route.pk, "pause"), follow=True)
    told = " ".join(text_of(answer).split())
    assert "is paused: asynchronous calls wait, synchronous ones get 503." in told
    assert "Runs that wait for the route to open: 1, for a worker: 0" in told
    assert Route.objects.get().mode == "paused"
    assert 'mode/pause/"' not in told
    as_user("approver").post(url(route, "mode", route.pk, "open"))
    assert Route.objects.get().mode == "open"


def test_the_mode_is_for_those_who_may_manage_the_route(flow: Flow) -> None:
    route, _ = make_route(flow)
    assert "mode/pause/" not in page(route, "change", "builder")
    for send in (as_user("builder").get, as_user("builder").post):
        assert send(url(route, "mode", route.pk, "drain")).status_code == 403
    assert as_user("approver").get(url(route, "mode", route.pk, "close")).status_code == 404
    assert Route.objects.get().mode == "open"


def test_a_list_of_routes_tells_which_are_held_up(flow: Flow) -> None:
    route, _ = make_route(flow)
    Route.objects.update(mode="draining")
    assert "Draining" in text_of(as_user("viewer").get(url(Route, "changelist"), {"mode": "draining"}))
    change_route(route, by=person("approver"), name="still draining")
    assert Route.objects.get().mode == "draining"

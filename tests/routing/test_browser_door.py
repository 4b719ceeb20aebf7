"""A real browser on the pages about who may call a route: nothing bars anybody's way, and the keyboard is enough."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from routing.models import Refusal, Route
from tests.admin_world import World, make_world
from tests.test_browser import barriers, grave, log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "2001:db8:1234:5678:9abc:def0:1234:5678"


def refused(world: World) -> Route:
    """The route of the world, with refused calls that take as much room as they can."""
    for code in ("address_refused", "token_refused", "payload_refused"):
        Refusal.objects.create(
            route=world.route,
            at=timezone.now(),
            code=code,
            reason="The payload doesn't meet the schema of this route. " * 5,
            method="POST",
            seen=LONG,
            forwarded=", ".join([LONG] * 5)[:200],
            address=LONG,
            token_prefix=world.token.prefix,
        )
    return world.route


def test_the_pages_of_a_route_have_no_serious_barrier_by_day_and_by_night(page: Page, live_server: LiveServer) -> None:
    route = refused(make_world())
    log_in(page, live_server, "approver")
    pages = ("change", "refusals", "try", "mode/pause", "mode/drain")
    places = [f"routing/route/{route.pk}/{one}" for one in pages]
    assert barriers(page, live_server, places) == {}
    page.emulate_media(color_scheme="dark")
    assert barriers(page, live_server, places) == {}


def test_a_call_is_tried_and_a_route_paused_with_the_keyboard(page: Page, live_server: LiveServer) -> None:
    route = refused(make_world())
    log_in(page, live_server, "approver")
    page.goto(f"{live_server.url}/admin/routing/route/{route.pk}/refusals/?rule=token_refused")
    page.get_by_role("link", name=f"Try {LONG} again").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Address:")).to_have_value(LONG)
    page.get_by_label("Token:").focus()
    page.keyboard.type("cft_aaaaaaaa")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("It would be refused")
    expect(page.get_by_label("Token:")).to_have_value("")
    assert grave(page) == []
    page.goto(f"{live_server.url}/admin/routing/route/{route.pk}/change/")
    page.get_by_role("link", name=re.compile("^Pause")).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Pause the route").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("is paused: asynchronous calls wait")
    expect(page.locator(".cf-pairs").first).to_contain_text("Paused")

"""A real browser: staff log in to the admin, and take a flow from its file to its first call."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from flows import contents
from flows.models import DynamicApiFlow, Run, Version
from routing.models import Route
from tests.admin_world import make_world
from tests.routing.makers import SCHEMA, end, make_house, start

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def grave(page: Page) -> list[str]:
    """What axe finds wrong with the page, as far as it is serious or critical."""
    violations = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}" for one in violations if one["impact"] in ("serious", "critical")]


def test_staff_log_in_to_the_admin(page: Page, live_server: LiveServer) -> None:
    User.objects.create_superuser("ada", password="a long enough password")
    page.goto(f"{live_server.url}/admin/")
    expect(page).to_have_url(f"{live_server.url}/admin/login/?next=/admin/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#user-tools")).to_contain_text("ada")


def test_the_login_page_has_no_serious_barrier(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/admin/login/")
    assert grave(page) == []


def test_a_wrong_password_is_answered_with_a_sentence(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/admin/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".errornote")).to_be_visible()
    assert grave(page) == []


# --- The walk ---------------------------------------------------------------------------------------------------------


def log_in(page: Page, server: LiveServer, name: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{server.url}/admin/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("long enough password")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#user-tools")).to_contain_text(name)


def open_entry(page: Page, name: str) -> None:
    """Open a list from the first page's menu."""
    page.goto(page.url.split("/admin/")[0] + "/admin/")
    page.locator("#content-main").get_by_role("link", name=name, exact=True).click()


def say(page: Page) -> str:
    return page.locator(".messagelist").inner_text()


def called(url: str, token: str, payload: object) -> tuple[int, object]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(payload).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status, json.load(answer)


def test_a_flow_goes_from_its_file_to_an_answered_call(page: Page, live_server: LiveServer, tmp_path: Path) -> None:
    contents.forget()
    make_house()
    nodes = [start(payload_schema=SCHEMA, sample={"total": 12.5}), end({"sum": "{{ payload.total }}"})]
    file = tmp_path / "sums.json"
    file.write_text(
        json.dumps(
            {"format": 1, "slug": "sums", "name": "Sums", "kind": "dynamic_api", "last_number": 2, "nodes": nodes}
        )
    )

    log_in(page, live_server, "builder")
    open_entry(page, "Dynamic API flows")
    page.get_by_role("link", name="Import a flow file").click()
    page.get_by_label("Flow file").set_input_files(file)
    page.get_by_role("button", name="Import").click()
    assert "Imported Sums" in say(page)
    page.get_by_label("Summary for the approver").fill("Adds sums up.")
    page.get_by_role("button", name="Save and submit").click()
    assert "Submitted as version 1." in say(page)

    log_in(page, live_server, "approver")
    page.get_by_role("link", name="Sums · version 1").click()
    expect(page.locator("#content")).to_contain_text("Adds sums up.")
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Deploy").click()
    assert "is deployed now." in say(page)

    open_entry(page, "Routes")
    page.get_by_role("link", name="Add route").click()
    page.get_by_label("Flow:").select_option(label="Sums (Acme)")
    page.get_by_label("Allow-list").fill("127.0.0.1; ::1")
    page.get_by_role("button", name="Save", exact=True).click()
    assert "Next, make a token for its partner" in say(page)
    path = re.search(r"/dynamic/[0-9a-f]{32}", page.locator("#content").inner_text())
    assert path
    page.get_by_label("Name:").last.fill("Partner")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator(".cf-once h2")).to_have_text("Partner")
    token = page.locator(".cf-once code").inner_text()
    assert grave(page) == []
    page.get_by_role("link", name=re.compile("I have it")).click()
    assert token not in page.content()

    assert called(live_server.url + path[0], token, {"total": 12.5}) == (200, {"sum": 12.5})
    page.get_by_role("link", name="Runs of this route").click()
    page.locator("#result_list tbody th a").click()
    expect(page.locator(".cf-state")).to_contain_text("Succeeded")
    expect(page.locator("#content")).to_contain_text("api_end")


PAGES = ("flows/dynamicapiflow", "flows/version", "flows/run", "flows/membership", "flows/entity", "routing/channel")
PAGES += ("routing/route", "integrations/connection", "integrations/endpoint", "integrations/key")
FORMS = ("flows/dynamicapiflow/import", "flows/dynamicapiflow/add", "routing/route/add", "routing/channel/add")
FORMS += ("integrations/connection/add", "integrations/endpoint/add", "integrations/key/add", "flows/membership/add")


def barriers(page: Page, server: LiveServer, places: list[str]) -> dict[str, list[str]]:
    """What is wrong with which page, for somebody with 1024 pixels."""
    page.set_viewport_size({"width": 1024, "height": 800})
    found = {}
    for place in places:
        page.goto(f"{server.url}/admin/{place}/")
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        found[place] = grave(page) + (["wider than the window"] if wide else [])
    return {place: told for place, told in found.items() if told}


def test_no_page_has_a_serious_barrier(page: Page, live_server: LiveServer) -> None:
    world = make_world()
    log_in(page, live_server, "root")
    rows = [f"{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change" for row in world.rows.values()]
    assert barriers(page, live_server, [*PAGES, *FORMS, *rows]) == {}


def test_our_own_pages_can_be_read_in_the_dark(page: Page, live_server: LiveServer) -> None:
    world = make_world()
    page.emulate_media(color_scheme="dark")
    log_in(page, live_server, "approver")
    assert grave(page) == []
    rows = [row for model, row in world.rows.items() if model in (DynamicApiFlow, Version, Run, Route)]
    places = [f"{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change" for row in rows]
    assert barriers(page, live_server, [*places, "flows/run", "routing/route"]) == {}

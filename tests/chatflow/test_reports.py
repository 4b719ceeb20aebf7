"""Django's error reports: no secret by name or value, in a page, a mail or a repr."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.test import RequestFactory
from django.views.debug import get_exception_reporter_class, technical_500_response

from flows.engine.protocols import Call
from flows.known_secrets import remember
from integrations.door import Login
from integrations.outbound import OutboundRequest

SECRET = "planted<s3cret>&more"
HUSH = "hush"  # a report shows lines of this file too: not even its names stand here


class Awkward:
    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


def report(settings: Any, debug: bool) -> str:
    """The pages that Django makes of a bug with secrets in every place that it shows."""
    settings.DEBUG = debug
    remember(SECRET)
    fields = {"password": f"{HUSH}-field", "name": "ann"}
    headers = {
        "Authorization": f"Bearer {HUSH}-header",
        "Cookie": f"sessionid={HUSH}-cookie",
        "X-Api-Key": f"{HUSH}-key",
    }
    request = RequestFactory().post(f"/admin/x/?token={HUSH}-query", fields, headers=headers)

    def fail() -> None:
        local, password, awkward = {"deep": [SECRET]}, f"{HUSH}-local", Awkward()
        raise ValueError(f"{local} {awkward is None} {password is None}")

    try:
        fail()
    except ValueError:
        told = sys.exc_info()
    page = technical_500_response(request, *told).content.decode()
    mail = get_exception_reporter_class(request)(request, *told, is_email=True).get_traceback_text()
    return page + mail


@pytest.mark.parametrize("debug", [True, False])
def test_a_report_shows_no_secret(settings: Any, debug: bool) -> None:
    text = report(settings, debug)
    assert "ValueError" in text
    assert "Not shown: RuntimeError" in text
    for hidden in (
        SECRET,
        "planted&lt;s3cret",
        *(f"hush{kind}" for kind in ("-field", "-header", "-cookie", "-key", "-local")),
    ):
        assert hidden not in text
    assert "ann" in text


def test_a_query_is_masked_by_the_names_of_its_fields(settings: Any) -> None:
    page = report(settings, True)
    shown = page[page.index('id="get-info"') :]
    assert "hush-query" not in shown[: shown.index("post-info")]


@pytest.mark.parametrize(
    "thing",
    [
        Login(headers=(("Authorization", SECRET),), secrets=(SECRET,)),
        OutboundRequest("GET", f"https://x.example/?key={SECRET}", (("X-Key", SECRET),), SECRET.encode()),
        Call("shop", "POST", f"/{SECRET}", (("q", SECRET),), (("h", SECRET),), {"b": SECRET}),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_goes_out_does_not_print_itself(thing: Any) -> None:
    assert "planted" not in f"{thing} {thing!r}"

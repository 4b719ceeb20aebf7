"""Refusals are problem documents, whoever makes them: the front door, DRF or Django, with DEBUG and without."""

import json
import re

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.db import OperationalError
from django.http import Http404, HttpResponse
from django.http.request import UnreadablePostError
from django.test import Client, override_settings
from django.urls import include, path
from rest_framework import exceptions as drf
from rest_framework.views import APIView

from routing.errors import NoNegotiation
from routing.problem import PROBLEMS, Answer, Problem, of_run, response

pytestmark = pytest.mark.pure

RAISED = {
    "problem": Problem("rate_limited", "Slower, please.", headers={"Retry-After": "7"}),
    "http404": Http404("secret"),
    "denied": PermissionDenied("secret"),
    "big": RequestDataTooBig("secret"),
    "fields": TooManyFieldsSent("secret"),
    "unreadable": UnreadablePostError("secret"),
    "parse": drf.ParseError("secret"),
    "media": drf.UnsupportedMediaType("secret"),
    "throttled": drf.Throttled(3),
    "api": drf.APIException("secret"),
    "away": OperationalError("secret"),
    "bug": ZeroDivisionError("secret"),
}


class Raising(APIView):
    content_negotiation_class = NoNegotiation

    def get(self, request, name):
        raise RAISED[name]


def page(request, name):
    if name == "answer":
        return Answer("<p>a flow's own</p>", status=404, content_type="text/html")
    if name == "fields":
        request.POST.get("x")
    return HttpResponse("<html>not ours</html>", status=int(name))


urlpatterns = [
    path("dynamic/drf/<name>", Raising.as_view()),
    path("dynamic/django/<name>", page),
    path("admin/<name>", page),
    path("", include("routing.urls")),
]


@pytest.fixture(params=[False, True], ids=["production", "debug"])
def client(request):
    with override_settings(ROOT_URLCONF=__name__, DEBUG=request.param):
        yield Client(raise_request_exception=False)


def document(answer, status, code):
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer["Cache-Control"] == "no-store"
    found = json.loads(answer.content)
    assert (found["status"], found["code"], found["title"]) == (status, code, PROBLEMS[code].title)
    assert found["type"] == f"{django_settings.PUBLIC_URL}/problems/{code}"
    assert found["detail"]
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content
    return found


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("problem", 429, "rate_limited"),
        ("http404", 404, "not_found"),
        ("denied", 403, "forbidden"),
        ("big", 413, "too_large"),
        ("fields", 400, "bad_request"),
        ("unreadable", 400, "bad_body"),
        ("parse", 400, "bad_request"),
        ("media", 415, "unsupported_media_type"),
        ("throttled", 429, "rate_limited"),
        ("api", 500, "server_error"),
        ("away", 503, "unavailable"),
        ("bug", 500, "server_error"),
    ],
)
def test_what_a_view_raises_is_a_problem_document(client, name, status, code):
    document(client.get(f"/dynamic/drf/{name}"), status, code)


def test_a_wrong_method_names_the_right_ones(client):
    answer = client.put("/dynamic/drf/bug")
    document(answer, 405, "method_not_allowed")
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("/dynamic/drf/problem?format=xml", {}),
        ("/dynamic/drf/problem", {"Accept": "text/html"}),
        ("/dynamic/drf/problem", {"Accept": "nonsense;;,/"}),
    ],
)
def test_nobody_negotiates(client, address, headers):
    document(client.get(address, headers=headers), 429, "rate_limited")


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/dynamic/django/400", 400, "bad_request"),
        ("/dynamic/django/403", 403, "forbidden"),
        ("/dynamic/django/418", 418, "bad_request"),
        ("/dynamic/django/500", 500, "server_error"),
        ("/dynamic/django/502", 502, "server_error"),
        ("/dynamic/nowhere/at/all", 404, "not_found"),
        ("/dynamic/drf/problem/", 404, "not_found"),
        ("/dynamic/", 404, "not_found"),
        ("/dynamic", 404, "not_found"),
        ("/dynamic/%ff%00", 404, "not_found"),
        ("/problems/nonsense", 404, "not_found"),
        ("/%2Fdynamic/drf/problem", 404, "not_found"),
        ("/Dynamic/drf/problem", 404, "not_found"),
        ("/partner/made-up/openapi.json", 404, "not_found"),
        ("/Healthz/", 404, "not_found"),
        ("/./dynamic/drf/problem", 404, "not_found"),
        ("/dynamik/drf/problem", 404, "not_found"),
        ("/%00", 404, "not_found"),
    ],
)
def test_what_django_answers_is_a_problem_document(client, address, status, code):
    answer = client.get(address)
    found = json.loads(answer.content)
    assert (answer.status_code, found["status"], found["code"]) == (status, status, code)


@pytest.mark.parametrize("address", ["/partner/made-up/", "/partner/made-up/openapi.json", "/problems"])
def test_a_wrong_method_beside_the_door_is_a_problem(client, address):
    answer = client.post(address)
    document(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"


def test_an_unknown_host_is_a_problem(client):
    document(client.get("/dynamic/x", headers={"Host": "evil.example"}), 400, "bad_host")


def test_too_many_fields_are_a_problem(client):
    fields = "&".join(["x=1"] * 2000)
    answer = client.post("/dynamic/django/fields", fields, content_type="application/x-www-form-urlencoded")
    document(answer, 400, "bad_request")


def test_an_answer_of_the_front_door_passes_as_it_is(client):
    assert client.get("/dynamic/django/answer").content == b"<p>a flow's own</p>"


@pytest.mark.parametrize(
    ("method", "path"), [("CONNECT", ""), ("POST", "/"), ("PUT", "/admin/404"), ("DELETE", "/static/x")]
)
def test_what_no_browser_asks_is_answered_with_a_problem(client, method, path):
    answer = client.generic(method, path)
    assert (answer.status_code // 100, answer["Content-Type"]) == (4, "application/problem+json")


def test_other_pages_keep_their_errors(client):
    assert client.get("/admin/404").content == b"<html>not ours</html>"


def test_the_type_of_every_problem_can_be_looked_up(client):
    for code, row in PROBLEMS.items():
        address = response(Problem(code)).content
        page = client.get(json.loads(address)["type"].removeprefix(django_settings.PUBLIC_URL)).json()
        assert (page["code"], page["status"], page["title"]) == (code, row.status, row.title)
        assert page["what_to_do"]
    assert [each["code"] for each in client.get("/problems").json()["problems"]] == list(PROBLEMS)


def test_every_problem_speaks_in_sentences():
    for code, row in PROBLEMS.items():
        assert re.fullmatch(r"[a-z_]+|CT\d\d", code)
        assert 400 <= row.status < 600
        assert row.advice.endswith(".")
        assert not row.title.endswith(".")


def test_the_problem_of_a_run_names_the_run_and_keeps_its_status():
    failed = of_run("CT51", "No way out for a 503.", run_id="r1", status=502)
    assert failed.document()["run_id"] == "r1"
    assert of_run("some_node_code", "It failed.", run_id="r1").code == "CT21"


def test_what_quotes_the_body_is_told_to_the_caller_and_kept_by_nobody() -> None:
    problem = Problem("bad_json", "The key '4111-1111' is there twice in one object.")
    assert (problem.detail, problem.reason) == ("The key '4111-1111' is there twice in one object.", "Not valid JSON")
    assert Problem("too_large", "It is too large.").reason == "It is too large."

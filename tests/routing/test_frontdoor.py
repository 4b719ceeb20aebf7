"""The front door, from the request to the answer: its checks in their order, both toggles, and keys that come again."""

import io
import json
import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client

from flows import lifecycle, runs
from flows.models import Content, Environment, Run, RunState
from routing.models import IdempotencyRecord, Route
from routing.rate import limiter
from routing.replays import KEPT_FOR, forget_old
from routing.route_tokens import create_token, revoke_token
from routing.routes import change_route, create_route, remove_route
from tests.routing.makers import SCHEMA, deploy, end, make_flow, make_house, make_route, person, start

JSON = "application/json"
GOOD = '{"total": 129.90}'


@pytest.fixture
def entity(db):
    return make_house()


@pytest.fixture
def called(entity):
    """A deployed flow behind a POST route."""
    return make_route(deploy(make_flow(entity)))


def call(route, token="", data=GOOD, *, method="POST", content_type=JSON, path="", address="192.0.2.1", **headers):
    """One request; headers by their name with `_` for `-`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    client = Client(raise_request_exception=False, REMOTE_ADDR=address)
    return client.generic(method, f"/dynamic/{getattr(route, 'pk', route)}{path}", data, content_type, headers=sent)


def problem(answer, status, code):
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    document = json.loads(answer.content)
    assert (document["status"], document["code"]) == (status, code)
    return document


# --- Synchronous -------------------------------------------------------------------------------------------------------


def test_a_call_gets_the_answer_of_the_flow_in_exact_decimals(called):
    answer = call(*called)
    assert (answer.status_code, answer.content) == (200, b'{"total":129.90}')
    run = Run.objects.get()
    assert answer["X-Run-Id"] == str(run.pk)
    assert answer["Cache-Control"] == "no-store"
    assert "Allow" not in answer
    assert (run.state, run.route, run.version.number) == (RunState.SUCCEEDED, called[0].pk, 1)
    assert called[1].startswith(run.token_prefix)


def test_status_headers_and_text_are_those_of_the_end_node(entity):
    headers = [
        {"name": "Content-Type", "value": "text/plain; charset=utf-8"},
        {"name": "X-Note", "value": "{{ payload.a }}"},
    ]
    flow = make_flow(entity, start(), end("Grüße {{ payload.a }}", status=418, headers=headers))
    answer = call(*make_route(deploy(flow)), '{"a": "ok"}')
    assert (answer.status_code, answer.content.decode()) == (418, "Grüße ok")
    assert (answer["Content-Type"], answer["X-Note"]) == ("text/plain; charset=utf-8", "ok")


def test_an_answer_without_content_has_none(entity):
    answer = call(*make_route(deploy(make_flow(entity, start(), end({"a": 1}, status=204)))))
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_flow_reads_payload_query_and_headers_but_no_credentials(entity):
    body = {
        "q": "{{ query.a }}",
        "all": "{{ query_all.a }}",
        "h": "{{ headers.x_shop }}",
        "secret": "{{ headers.authorization }}",
        "route": "{{ route.id }}",
        "payload": "{{ payload }}",
    }
    route, token = make_route(deploy(make_flow(entity, start(), end(body))))
    answer = call(
        route, token, "x=1&y=%C3%A4", content_type="application/x-www-form-urlencoded", path="?a=1&a=2", X_Shop="7"
    )
    assert answer.json() == {
        "q": "2",
        "all": ["1", "2"],
        "h": "7",
        "secret": None,
        "route": route.pk,
        "payload": {"x": "1", "y": "ä"},
    }
    assert token not in Run.objects.get().request


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_without_a_body_the_query_is_the_payload(entity, method):
    route, token = make_route(deploy(make_flow(entity, start(), end("{{ payload }}"))), method=method)
    assert call(route, token, "", method=method, path="?a=1&b=").json() == {"a": "1", "b": ""}


def test_a_failed_run_is_a_problem_with_its_run_and_without_what_went_wrong_inside(entity):
    inside = {"number": 2, "type": "calculate", "settings": {"expression": "1 / 0"}, "exits": {"yes": 3, "no": 3}}
    jump = {"number": 3, "type": "is_null", "settings": {"value": 1}, "exits": {"yes": {"flow": "gone", "step": 1}}}
    jump["exits"]["no"] = {"flow": "gone", "step": 1}
    lost = {"number": 4, "type": "api_end", "settings": {}, "exits": {}}
    other = deploy(make_flow(entity, start(), end(), slug="gone"))
    route, token = make_route(deploy(make_flow(entity, start(), inside, jump, lost)))
    lifecycle.perform("retire", other.versions.get(), by=person("approver"))
    answer = call(route, token)
    document = problem(answer, 500, "CT04")
    assert document["run_id"] == answer["X-Run-Id"] == str(Run.objects.get(flow=route.flow).pk)
    assert "gone" not in document["detail"]


def without_time(route):
    """The deadline comes before the first step."""
    Route.objects.filter(pk=route.pk).update(deadline_seconds=0)


def test_at_the_deadline_the_run_goes_on_in_a_worker(called):
    route, token = called
    without_time(route)
    answer = call(route, token)
    run = Run.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "run_id": str(run.pk), "status_url": answer["Location"]}
    assert (run.state, run.durable) == (RunState.QUEUED, True)
    status = Client(REMOTE_ADDR="192.0.2.1", headers={"X-API-Token": token})
    assert status.get(answer["Location"]).json()["state"] == "queued"
    runs.resume(run.pk)
    late = status.get(answer["Location"]).json()
    assert (late["state"], late["answer"]["status"], late["answer"]["body"]) == ("succeeded", 200, {"total": 129.9})


# --- Asynchronous ------------------------------------------------------------------------------------------------------


def test_an_asynchronous_call_is_accepted_and_never_gets_a_result(entity):
    route, token = make_route(deploy(make_flow(entity)), is_async=True)
    answer = call(route, token)
    run = Run.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "run_id": str(run.pk), "status_url": answer["Location"]}
    assert answer["Location"] == f"http://testserver/dynamic/{route.pk}/runs/{run.pk}"
    runs.resume(run.pk)
    status = Client(headers={"Authorization": f"Bearer {token}"}).get(answer["Location"])
    assert (status.json()["state"], "answer" in status.json()) == ("succeeded", False)


# --- Refusals, in their order ------------------------------------------------------------------------------------------

BAD = {"data": "x" * (1024 * 1024 + 1), "content_type": "text/html", "Idempotency_Key": "a b"}


def test_each_check_comes_before_the_next_one(called):
    """One request that is wrong in every way, put right one thing at a time."""
    route, token = called
    change_route(route, by=person("approver"), allow="203.0.113.0/24", rate_per_minute=1)
    limiter.cache_clear()
    assert call(route, token, address="203.0.113.9").status_code == 200
    problem(call("0" * 32, "wrong", method="PUT", **BAD), 404, "route_not_found")
    problem(call(route, "wrong", method="PUT", **BAD), 403, "address_refused")
    for method in "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW", "post", "Post":
        answer = call(route, "wrong", method=method, address="203.0.113.9", **BAD)
        assert (answer.status_code, answer["Allow"]) == (405, "POST")
    answer = call(route, "", address="203.0.113.9", **BAD)
    problem(answer, 401, "token_required")
    assert answer["WWW-Authenticate"] == 'Bearer realm="chatflow"'
    answer = call(route, "wrong", address="203.0.113.9", **BAD)
    problem(answer, 401, "token_refused")
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]
    answer = call(route, token, address="203.0.113.9", **BAD)
    problem(answer, 429, "rate_limited")
    assert 1 <= int(answer["Retry-After"]) <= 60
    change_route(route, by=person("approver"), allow="203.0.113.0/24", rate_per_minute=None)
    problem(call(route, token, address="203.0.113.9", **BAD), 413, "too_large")
    problem(call(route, token, address="203.0.113.9", **BAD | {"data": "{"}), 415, "unsupported_media_type")
    wrong = {"content_type": JSON, "Idempotency_Key": "a b", "address": "203.0.113.9"}
    problem(call(route, token, "{", **wrong), 400, "bad_json")
    document = problem(call(route, token, '{"total": "1"}', **wrong), 422, "payload_refused")
    assert document["errors"] == [{"pointer": "/total", "message": "must be of type number"}]
    problem(call(route, token, GOOD, **wrong), 400, "bad_idempotency_key")
    assert Run.objects.count() == 1


ODD = [
    ("POST", '{"a":1e999}', JSON, {}),
    ("POST", "[" * 100_000, JSON, {}),
    ("POST", '{"a":"\\u0000"}', JSON, {}),
    ("POST", '{"\\u0000":1}', JSON, {}),
    ("POST", '{"a":"\\ud800"}', JSON, {}),
    ("POST", '{"a":1,"a":2}', JSON, {}),
    ("POST", "9" * 5000, JSON, {}),
    ("POST", b"\xff\xfe", JSON, {}),
    ("POST", "{} {}", JSON, {}),
    ("POST", "", JSON, {}),
    ("POST", "null", JSON, {}),
    ("POST", "[]", JSON, {}),
    ("POST", GOOD, JSON, {"path": "?q=%00"}),
    ("POST", GOOD, JSON, {"path": "?q=%ff"}),
    ("POST", GOOD, JSON, {"path": "?" + "&".join(["a=1"] * 1500)}),
    ("POST", "a=%00", "application/x-www-form-urlencoded", {}),
    ("POST", "&".join(["a=1"] * 1500), "application/x-www-form-urlencoded", {}),
    ("POST", "--x--", "multipart/form-data; boundary=x", {}),
    ("POST", GOOD, "application/json; charset=utf-7", {}),
    ("POST", GOOD, ";;;", {}),
    ("POST", GOOD, "application/json; a=b, text/html", {}),
    ("POST", GOOD, JSON, {"Content_Encoding": "gzip"}),
    ("POST", GOOD, JSON, {"Content_Encoding": "nonsense"}),
    ("POST", GOOD, JSON, {"Transfer_Encoding": "gzip, chunked"}),
    ("POST", GOOD, JSON, {"Transfer_Encoding": "identity"}),
    ("POST", GOOD, JSON, {"Idempotency_Key": "x" * 300}),
    ("POST", GOOD, JSON, {"Host": "evil.example"}),
]


@pytest.mark.parametrize("sandbox", [False, True])
@pytest.mark.parametrize("number", range(len(ODD)))
def test_odd_requests_get_their_own_4xx_and_leave_no_row(entity, number, sandbox):
    method, data, content_type, more = ODD[number]
    environment = Environment.SANDBOX if sandbox else Environment.PRODUCTION
    flow = make_flow(entity)
    route, token = _sandbox_route(flow) if sandbox else make_route(deploy(flow))
    contents = Content.objects.count()
    answer = call(route, token, data, method=method, content_type=content_type, **more)
    assert route.environment == environment
    assert 400 <= answer.status_code < 500
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["detail"]
    assert not Run.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert Content.objects.count() == contents


def test_a_form_that_was_cut_off_leaves_no_run(entity):
    """A web server hands over what came before the connection broke, and then says that this was all."""
    route, token = make_route(deploy(make_flow(entity, start(), end("{{ payload }}"))))
    unnamed = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    sent = {"HTTP_AUTHORIZATION": f"Bearer {token}", "REMOTE_ADDR": "192.0.2.1", **unnamed}

    def cut_off(data, content_type):
        stream = {"wsgi.input": io.BytesIO(data)}
        return Client().post(f"/dynamic/{route.pk}", data, content_type=content_type, **sent, **stream)

    problem(cut_off(b"h=x&b=amount%3D100", "application/x-www-form-urlencoded"), 411, "length_required")
    problem(cut_off(b"100", JSON), 411, "length_required")
    problem(cut_off(b'{"a": 10', JSON), 400, "bad_json")
    assert not Run.objects.exists()
    assert cut_off(b'{"a": 100}', JSON).json() == {"a": 100}


def _sandbox_route(flow):
    route = create_route(flow, by=person("builder"), environment="sandbox", allow="0.0.0.0/0")
    return route, create_token(route, by=person("builder"))[1]


@pytest.mark.parametrize(
    "path", ["/", "//", "/runs", "/runs/", "/runs/x", "/runs/00000000-0000-0000-0000-000000000000/"]
)
def test_addresses_beside_a_route_are_not_found(called, path):
    problem(call(*called, path=path), 404, "not_found")


@pytest.mark.parametrize("more", [{"path": "?format=xml"}, {"Accept": "text/html"}, {"Accept": "application/xml"}])
def test_nobody_negotiates_the_form_of_an_answer(called, more):
    assert call(*called, **more).json() == {"total": 129.9}
    problem(call(called[0], "", **more), 401, "token_required")


def test_a_change_holds_on_the_next_request(called):
    route, token = called
    approver = person("approver")
    assert call(route, token).status_code == 200
    revoke_token(route.tokens.get(), by=approver)
    problem(call(route, token), 401, "token_refused")
    token = create_token(route, by=approver)[1]
    change_route(route, by=approver, allow="")
    problem(call(route, token), 403, "address_refused")
    change_route(route, by=approver, allow="192.0.2.1")
    assert call(route, token).status_code == 200
    lifecycle.perform("retire", route.flow.versions.get(), by=approver)
    assert problem(call(route, token), 503, "not_deployed")
    change_route(route, by=approver, is_active=False)
    problem(call(route, token), 404, "route_not_found")
    remove_route(route, by=approver)
    problem(call(route, token), 404, "route_not_found")


def test_a_token_opens_its_own_route_only(entity):
    flow = deploy(make_flow(entity))
    (one, _), (_, others) = make_route(flow), make_route(flow)
    problem(call(one, others), 401, "token_refused")


def test_the_address_is_that_behind_the_trusted_proxies(called, settings):
    route, token = called
    change_route(route, by=person("approver"), allow="203.0.113.9")
    problem(call(route, token, address="10.0.0.1", X_Forwarded_For="203.0.113.9"), 403, "address_refused")
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert call(route, token, address="10.0.0.1", X_Forwarded_For="203.0.113.9").status_code == 200
    problem(call(route, token, address="10.0.0.1", X_Forwarded_For="203.0.113.9, 198.51.100.1"), 403, "address_refused")


# --- Status ------------------------------------------------------------------------------------------------------------


def test_the_status_takes_the_same_address_and_token_and_a_get(called):
    route, token = called
    call(route, token)
    path = f"/runs/{Run.objects.get().pk}"
    problem(call(route, "", "", method="GET", path=path), 401, "token_required")
    problem(call(route, token, "", method="POST", path=path), 405, "method_not_allowed")
    assert call(route, token, "", method="GET", path=path).json()["state"] == "succeeded"
    change_route(route, by=person("approver"), allow="203.0.113.9")
    problem(call(route, token, "", method="GET", path=path), 403, "address_refused")


def test_a_run_is_told_by_its_own_route_only(entity):
    flow = deploy(make_flow(entity))
    (one, token), (other, others) = make_route(flow), make_route(flow)
    call(one, token)
    path = f"/runs/{Run.objects.get().pk}"
    problem(call(other, others, "", method="GET", path=path), 404, "run_not_found")
    problem(call(one, token, "", method="GET", path="/runs/00000000-0000-0000-0000-000000000000"), 404, "run_not_found")


# --- Idempotency-Key ---------------------------------------------------------------------------------------------------


def test_the_same_key_and_request_run_once_and_get_the_same_answer(called):
    first = call(*called, Idempotency_Key='"k1"')
    again = call(*called, Idempotency_Key="k1")
    assert (first.content, first["X-Run-Id"]) == (again.content, again["X-Run-Id"])
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Run.objects.count() == 1
    assert call(*called, Idempotency_Key="k2")["X-Run-Id"] != first["X-Run-Id"]


def test_the_same_key_with_another_request_is_refused(called):
    call(*called, Idempotency_Key="k")
    problem(call(*called, '{"total": 1}', Idempotency_Key="k"), 422, "idempotency_key_reused")
    assert Run.objects.count() == 1


def test_a_key_belongs_to_its_route(entity):
    flow = deploy(make_flow(entity))
    for route, token in make_route(flow), make_route(flow):
        assert "Idempotent-Replayed" not in call(route, token, Idempotency_Key="k")
    assert Run.objects.count() == 2


def test_a_refused_request_leaves_its_key_free(called):
    problem(call(*called, '{"total": "x"}', Idempotency_Key="k"), 422, "payload_refused")
    assert call(*called, Idempotency_Key="k").status_code == 200


def test_a_key_of_an_asynchronous_call_gets_the_same_202(entity):
    route, token = make_route(deploy(make_flow(entity)), is_async=True)
    first, again = (call(route, token, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content) == (202, again.content)
    assert again["Idempotent-Replayed"] == "true"


def test_a_key_whose_run_is_going_on_waits_for_the_flows_answer(called):
    without_time(called[0])
    late = call(*called, Idempotency_Key="k")
    assert late.status_code == 202
    running = call(*called, Idempotency_Key="k")
    assert problem(running, 409, "request_in_progress")["run_id"] == late["X-Run-Id"]
    runs.resume(Run.objects.get().pk)
    replayed = call(*called, Idempotency_Key="k")
    assert (replayed.status_code, replayed["Idempotent-Replayed"]) == (200, "true")


def test_a_key_is_kept_for_72_hours(called):
    call(*called, Idempotency_Key="k")
    IdempotencyRecord.objects.update(created_at=IdempotencyRecord.objects.get().created_at - KEPT_FOR)
    assert "Idempotent-Replayed" not in call(*called, Idempotency_Key="k")
    assert Run.objects.count() == 2
    IdempotencyRecord.objects.update(created_at=IdempotencyRecord.objects.get().created_at - KEPT_FOR - timedelta(1))
    assert (forget_old(), forget_old()) == (1, 0)
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_moment_runs_once():
    route, token = make_route(deploy(make_flow(make_house())))
    answers, barrier = [], threading.Barrier(6)

    def knock():
        barrier.wait()
        answers.append(call(route, token, Idempotency_Key="k"))
        connections.close_all()

    threads = [threading.Thread(target=knock) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Run.objects.count() == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert any(answer.status_code == 200 for answer in answers)


def test_a_route_without_a_schema_takes_any_json(entity):
    route, token = make_route(deploy(make_flow(entity, start(), end("{{ payload }}"))))
    for text in "null", "[1]", '"x"', "12345678901234567890.123":
        assert call(route, token, text).content.decode() == text


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("more", [{}, {"Idempotency_Key": "k"}])
def test_a_draft_is_stored_with_the_first_run_of_it(entity, is_async, more):
    flow = make_flow(entity)
    route = create_route(flow, by=person("builder"), environment="sandbox", allow="0.0.0.0/0", is_async=is_async)
    token = create_token(route, by=person("builder"))[1]
    problem(call(route, token, '{"total": "x"}', **more), 422, "payload_refused")
    assert not Content.objects.exists()
    assert call(route, token, **more).status_code == (202 if is_async else 200)
    assert Run.objects.get().content == Content.objects.get()
    call(route, token)
    assert (Run.objects.count(), Content.objects.count()) == (2, 1)


def test_a_sandbox_route_runs_the_draft_and_says_what_went_wrong(entity):
    route, token = _sandbox_route(make_flow(entity, start(), end("draft")))
    assert call(route, token).json() == "draft"
    assert Run.objects.get().version is None
    make_flow(
        entity, start(payload_schema=SCHEMA), {"number": 2, "type": "is_null", "settings": {"value": 1}, "exits": {}}
    )
    document = problem(call(route, token), 500, "CT04")
    assert document["detail"] != ""

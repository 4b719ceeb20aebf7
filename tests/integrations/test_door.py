"""The door: what arrives at the service, what comes back, and where no secret ever goes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from flows.engine.errors import NodeError
from flows.engine.loop import Finished, advance
from flows.engine.node import End
from flows.engine.plan import compile_content
from flows.engine.protocols import Call
from flows.engine.state import State
from flows.engine.strictjson import loads
from flows.ids import new_run_id
from flows.sealing import seal
from integrations import kept
from integrations.catalog import RealCatalog
from integrations.connections import save_connection
from integrations.door import RealDoor
from integrations.endpoints import save_endpoint
from integrations.models import Secret
from tests.integrations.makers import make_entity, make_flow, node, person
from tests.integrations.servers import Server, answer, echo

pytestmark = pytest.mark.django_db

SECRET = "planted-s3cret"


@pytest.fixture
def server(serve) -> Server:
    return serve(answer(b'{"total": 12.50}', headers=[("Content-Type", "application/json"), ("X-Seen", "yes")]))


def define(server: Server, auth="none", *, environment="production", secret=SECRET, **fields) -> dict[str, Any]:
    """The sealed definitions of a content with one connection, to that server."""
    entity = make_entity()
    connection = {"name": "shop", "production_address": server.url("/v1"), "auth": auth, **fields}
    save_connection(
        entity, by=person("integrator"), **connection, secrets={"production": secret} if auth != "none" else {}
    )
    found = RealCatalog(entity, environment).find("connection", "shop")
    return {"connection": {"shop": found.content}}


def call(method="GET", path="/orders", **fields) -> Call:
    return Call("shop", method, path, key="run:1:0", node="ask", **fields)


def arrived(server: Server, number: int = 0) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers and body of a request, as the service saw it."""
    head, _, body = server.requests[number].partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    return line, {name.lower(): value for name, _, value in (text.partition(": ") for text in lines)}, body


def refusal(wanted: Call, definitions: dict[str, Any]) -> NodeError:
    with pytest.raises(NodeError) as refused:
        RealDoor().call(wanted, definitions)
    assert SECRET not in str(refused.value) + refused.value.hint
    return refused.value


def test_an_answer_comes_back_with_code_headers_and_exact_data(server):
    got = RealDoor().call(call(), define(server))
    assert (got.code, got.data, got.headers["x-seen"], got.pretended) == (
        200,
        {"total": Decimal("12.50")},
        "yes",
        False,
    )
    line, headers, body = arrived(server)
    assert (line, headers["user-agent"], body) == ("GET /v1/orders HTTP/1.1", "Chatflow", b"")
    assert "authorization" not in headers
    assert "idempotency-key" not in headers


def test_basic_authentication_arrives(server):
    RealDoor().call(call(), define(server, "basic", secret="ann:päss:word"))
    assert arrived(server)[1]["authorization"] == "Basic " + b64encode("ann:päss:word".encode()).decode()


def test_a_bearer_token_arrives_and_stands_above_the_endpoints_own(server):
    definitions = define(server, "bearer")
    RealDoor().call(call(headers=(("authorization", "Bearer other"), ("X-Mine", "1"))), definitions)
    headers = arrived(server)[1]
    assert (headers["authorization"], headers["x-mine"]) == (f"Bearer {SECRET}", "1")


def test_an_api_key_arrives_in_its_header(server):
    RealDoor().call(call(), define(server, "api_key_header", auth_name="X-API-Key"))
    assert arrived(server)[1]["x-api-key"] == SECRET


def test_an_api_key_arrives_in_the_query_after_the_endpoints_parameters(server):
    definitions = define(server, "api_key_query", auth_name="key", secret="a&b=c d")
    RealDoor().call(call(query=(("q", "x y"), ("q", "2"), ("key", "forged"))), definitions)
    assert arrived(server)[0] == "GET /v1/orders?q=x%20y&q=2&key=a%26b%3Dc%20d HTTP/1.1"


@pytest.mark.parametrize(
    ("body_type", "body", "sent", "content_type"),
    [
        ("json", {"total": Decimal("12.50")}, b'{"total":12.50}', "application/json"),
        ("form", {"a": ["1", 2], "b": None}, b"a=1&a=2&b=", "application/x-www-form-urlencoded"),
        ("text", "<a>é</a>", "<a>é</a>".encode(), "text/plain; charset=utf-8"),
        ("text", {"a": 1}, b'{"a":1}', "text/plain; charset=utf-8"),
        ("none", None, b"", None),
        ("", None, b"", None),
    ],
)
def test_a_body_arrives_by_its_type(server, body_type, body, sent, content_type):
    RealDoor().call(call("POST", body=body, body_type=body_type), define(server))
    _, headers, arrived_body = arrived(server)
    assert (arrived_body, headers.get("content-type")) == (sent, content_type)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_is_not_safe_carries_its_idempotency_key(server, method):
    RealDoor().call(call(method), define(server))
    assert arrived(server)[1]["idempotency-key"] == "run:1:0"


def test_the_authors_headers_stand_above_our_defaults(server):
    own = (("Content-Type", "application/vnd.api+json"), ("Idempotency-Key", "order-7"), ("User-Agent", "Shop"))
    RealDoor().call(call("POST", body={}, body_type="json", headers=own), define(server))
    headers = arrived(server)[1]
    assert [headers[name.lower()] for name, _ in own] == [value for _, value in own]


def test_an_error_status_is_an_answer(serve):
    server = serve(answer(b"no such order", status="404 Not Found", headers=[("Content-Type", "text/plain")]))
    got = RealDoor().call(call(), define(server))
    assert (got.code, got.data) == (404, "no such order")


def test_a_service_that_does_not_answer_in_time_is_a_node_error(serve):
    server = serve(lambda request: [30.0])
    definitions = define(server, "bearer")
    assert refusal(call(timeout_seconds=0.2), definitions).code == "timed_out"


@pytest.mark.parametrize("auth", ["basic", "bearer", "api_key_header", "api_key_query"])
def test_a_service_that_echoes_what_it_got_gives_no_secret_away(serve, auth):
    secret = f"ann:{SECRET}"
    got = RealDoor().call(call(), define(serve(echo), auth, auth_name="X-Key", secret=secret))
    assert "/v1/orders" in got.data
    assert SECRET not in repr(got)
    assert b64encode(secret.encode()).decode() not in repr(got)


def test_json_that_echoes_a_secret_is_cleaned_everywhere(serve):
    body = f'{{"{SECRET}": ["x {SECRET} y", {{"deep": "{SECRET}"}}], "total": 1.50}}'.encode()
    server = serve(answer(body, headers=[("Content-Type", "application/json"), ("X-Echo", SECRET)]))
    got = RealDoor().call(call(), define(server, "bearer"))
    assert got.data == {"••••": ["x •••• y", {"deep": "••••"}], "total": Decimal("1.50")}
    assert got.headers["x-echo"] == "••••"


@pytest.mark.parametrize("body", [b"{", b'{"a": 1, "a": 2}', b"NaN"])
def test_an_answer_that_is_not_the_json_it_says_comes_with_a_note(serve, body):
    server = serve(answer(body, headers=[("Content-Type", "application/json")]))
    got = RealDoor().call(call(), define(server, "bearer"))
    assert (got.code, got.data) == (200, None)
    assert got.note.startswith("The answer says it is JSON, and isn't")


@pytest.mark.parametrize("before", [0, 70])  # a message cuts what it quotes
@pytest.mark.parametrize("media_type", ["application/json", "text/plain; charset={}"])
def test_a_note_gives_no_secret_away(serve, before, media_type):
    key = "k" * before + SECRET
    body = f'{{"{key}": 1, "{key}": 2}}'.encode()
    server = serve(answer(body, headers=[("Content-Type", media_type.format(key))]))
    got = RealDoor().call(call(), define(server, "bearer"))
    assert got.note
    assert SECRET[:8] not in repr(got)


def test_a_secret_goes_to_no_other_host_than_its_own(server, serve):
    elsewhere = serve(answer())
    definitions = define(server, "bearer")
    definitions["connection"]["shop"]["address"] = elsewhere.url("/v1")
    assert refusal(call(), definitions).code == "secret_elsewhere"
    assert elsewhere.requests == []


def test_a_secret_that_was_moved_in_the_table_is_not_opened(server):
    definitions = define(server, "bearer")
    other = save_connection(
        make_entity("other"), by=person("root"), name="shop", production_address=server.url(), auth="bearer"
    )
    Secret.objects.update(connection=other)
    definitions["connection"]["shop"]["secret"]["connection"] = other.pk
    assert refusal(call(), definitions).code == "secret_unreadable"
    assert server.requests == []


def test_deployed_versions_go_on_with_the_old_host_after_the_address_moved(server, serve):
    definitions = define(server, "bearer")
    moved = {"name": "shop", "production_address": serve(answer()).url(), "auth": "bearer"}
    entity = Secret.objects.get().connection.entity
    save_connection(entity, by=person("integrator"), **moved, secrets={"production": "another-s3cret"})
    RealDoor().call(call(), definitions)
    assert arrived(server)[1]["authorization"] == f"Bearer {SECRET}"


def test_a_rotated_secret_is_used_at_once(server):
    definitions = define(server, "bearer")
    entity = Secret.objects.get().connection.entity
    same = {"name": "shop", "production_address": server.url("/v1"), "auth": "bearer"}
    save_connection(entity, by=person("integrator"), **same, secrets={"production": "rotated"})
    RealDoor().call(call(), definitions)
    assert arrived(server)[1]["authorization"] == "Bearer rotated"


def test_a_missing_secret_is_said_by_name(server):
    error = refusal(call(), define(server, "bearer", secret=""))
    assert (error.code, "shop" in error.message) == ("no_secret", True)
    assert server.requests == []


def test_a_path_cannot_leave_the_address(server):
    definitions = define(server)
    assert refusal(call(path="/../admin"), definitions).code in ("bad_path", "call_not_built")
    assert refusal(call(path="@evil.example/"), definitions).code == "call_not_built"
    assert server.requests == []


def test_a_connection_without_a_sandbox_address_is_pretended(server):
    got = RealDoor().call(call("POST"), define(server, "bearer", environment="sandbox"))
    assert (got.code, got.data, got.pretended) == (200, {}, True)
    assert server.requests == []


def test_a_short_secret_does_not_spoil_answers(serve):
    server = serve(answer(b'{"state": "open"}', headers=[("Content-Type", "application/json")]))
    assert RealDoor().call(call(), define(server, "bearer", secret="open")).data == {"state": "open"}


def test_a_sealed_flow_calls_its_endpoint_through_the_door(server):
    define(server, "bearer")
    entity = Secret.objects.get().connection.entity
    query = [{"name": "id", "value": "{{ payload.id }}"}]
    save_endpoint(entity, by=person("builder"), name="orders", connection="shop", path="/{{ payload.id }}", query=query)
    end = node(3, "api_end", {"body": {"total": "{{ ask.data.total }}"}})
    flow = make_flow(
        entity,
        "asking",
        node(1, next=2),
        {**node(2, "api_integration", {"endpoint": "orders"}, yes=3), "name": "ask"},
        end,
    )
    sealed = seal(flow, "production", RealCatalog(entity, "production"))
    assert (sealed.missing, SECRET in sealed.text) == ((), False)
    state = State(run_id=str(new_run_id()), given={"payload": {"id": "a/b"}}, plan=sealed.sha256, cursor=1)
    plan = compile_content(loads(sealed.text), sealed.sha256)
    result = advance(plan, state, RealDoor(), trace := [], max_steps=10)
    assert result == Finished(End(200, (), {"total": Decimal("12.50")}))
    line, headers, _ = arrived(server)
    assert (line, headers["authorization"]) == ("GET /v1/a%2Fb?id=a%2Fb HTTP/1.1", f"Bearer {SECRET}")
    assert SECRET not in repr(trace)


def test_an_unknown_connection_is_a_node_error(server):
    assert refusal(call(), {"connection": {}}).code == "unknown_connection"


def test_a_key_that_is_gone_is_a_node_error(server):
    with pytest.raises(NodeError, match="no longer there"):
        RealDoor().key({"key": 0, "kind": "hmac"})
    assert RealDoor().key({"key": 0, "kind": "rsa-public", "public_key": "PEM"}) == b"PEM"


def test_only_calls_of_one_entity_and_login_that_may_be_repeated_share_a_connection(serve, monkeypatch):
    monkeypatch.setattr(kept, "REST_SECONDS", 0.0)
    server = serve(answer(b"{}"), keeps=True)
    definitions = define(server, "bearer")
    entity = Secret.objects.get().connection.entity
    ours = RealDoor(entity.pk)
    try:
        for wanted in (call(repeat="safe"), call("PUT", repeat="idempotency_key"), call(repeat="safe")):
            ours.call(wanted, definitions)
        assert server.connections == 1
        ours.call(call("POST", repeat="never"), definitions)
        RealDoor(entity.pk + 1).call(call(repeat="safe"), definitions)
        RealDoor().call(call(repeat="safe"), definitions)
        same = {"name": "shop", "production_address": server.url("/v1"), "auth": "bearer"}
        save_connection(entity, by=person("integrator"), **same, secrets={"production": "rotated"})
        ours.call(call(repeat="safe"), definitions)
        assert server.connections == 5
    finally:
        kept.forget()


def test_a_login_that_is_echoed_in_base64_shows_nothing(serve):
    def parrot(request):
        return answer(b64encode(request), headers=[("Content-Type", "text/plain")])(request)

    got = RealDoor().call(call(), define(serve(parrot), "basic", secret=f"ann:{SECRET}"))
    told = got.data.replace("••••", "")
    for start in range(4):
        decoded = b64decode(told[start : start + (len(told) - start) // 4 * 4])
        assert b64encode(f"ann:{SECRET}".encode())[4:-4] not in decoded


@pytest.mark.parametrize(
    "write", [str.upper, quote, lambda s: s.encode().hex(), lambda s: b64encode(f"x{s}".encode()).decode()]
)
@pytest.mark.parametrize("secret", ["s3cret", "planted/s3cret&more"])
def test_a_secret_from_six_characters_on_is_known_in_every_form(serve, secret, write):
    body = f'{{"said": "x {write(secret)} y"}}'.encode()
    server = serve(answer(body, headers=[("Content-Type", "application/json"), ("X-Said", write(secret))]))
    got = RealDoor().call(call(), define(server, "bearer", secret=secret))
    for text in (got.data["said"], got.headers["x-said"]):
        assert ("••••" in text, write(secret)[2:-2] in text) == (True, False)

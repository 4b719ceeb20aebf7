"""The partner's page and the OpenAPI document of a route."""

import shlex

import pytest
import schemathesis
from jsonschema import Draft202012Validator

from flows.models import Content, Environment
from flows.nodes.start import Start
from routing.partner import curl, link_to
from routing.problem import PROBLEMS
from routing.routes import change_route, create_route
from tests.routing.makers import deploy, end, make_flow, make_house, make_route, person, start

SCHEMA = {
    "type": "object",
    "required": ["lines"],
    "properties": {"lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}, "note": {"type": "string"}},
    "$defs": {"line": {"type": "object", "required": ["sku"]}},
}
SAMPLE = {"lines": [{"sku": "it's"}], "note": "<b>"}


@pytest.fixture
def entity(db):
    return make_house()


@pytest.fixture
def route(entity):
    flow = deploy(make_flow(entity, start(payload_schema=SCHEMA, sample=SAMPLE), end("ok")))
    return make_route(flow, name="Orders")[0]


def path(route, more=""):
    return link_to(route).removeprefix("http://testserver") + more


def test_whoever_has_the_link_reads_how_to_call_the_route(route, client):
    answer = client.get(path(route))
    text = answer.content.decode()
    assert answer.status_code == 200
    assert f"http://testserver/dynamic/{route.pk}" in text
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "#/$defs/line" in text
    assert "style=" not in text
    for code in PROBLEMS:
        assert f"<code>{code}</code>" in text


def test_the_link_cannot_be_made_up(route, client):
    assert client.get(f"/partner/{route.pk}/").status_code == 404
    assert client.get(f"/partner/{route.pk}.signature/").status_code == 404
    assert client.get(path(route).replace(route.pk, "0" * 32)).status_code == 404
    assert client.get(path(route, "openapi.json")).status_code == 200


def test_the_curl_line_is_ready_for_a_shell(route, client):
    words = shlex.split(curl(route, Start(payload_schema=SCHEMA, sample=SAMPLE), "cft_x"))
    assert words[:4] == ["curl", "-X", "POST", f"http://testserver/dynamic/{route.pk}"]
    assert "Authorization: Bearer cft_x" in words
    assert words[-1] == '{"lines":[{"sku":"it\'s"}],"note":"<b>"}'
    change_route(route, by=person("approver"), method="GET")
    words = shlex.split(curl(route, Start(sample={"a": "x y", "b": 1})))
    assert words[3] == f"http://testserver/dynamic/{route.pk}?a=x+y&b=1"


def test_the_openapi_document_describes_the_call_and_every_refusal(route, client):
    document = client.get(path(route, "openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    operation = document["paths"][f"/dynamic/{route.pk}"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["example"] == SAMPLE
    assert set(operation["responses"]) == {"200", "202"} | {str(row.status) for row in PROBLEMS.values()}
    payload = document["components"]["schemas"]["Payload"]
    assert Draft202012Validator(payload).is_valid(SAMPLE)
    assert not Draft202012Validator(payload).is_valid({"lines": [{}]})
    assert "status" in document["paths"][f"/dynamic/{route.pk}/runs/{{run_id}}"]["get"]["operationId"]


def test_the_openapi_document_names_the_headers_of_answers_and_refusals(route, client):
    paths = client.get(path(route, "openapi.json")).json()["paths"]
    call = paths[f"/dynamic/{route.pk}"]["post"]["responses"]
    status = paths[f"/dynamic/{route.pk}/runs/{{run_id}}"]["get"]["responses"]
    assert {code: set(answer["headers"]) for code, answer in call.items() if "headers" in answer} == {
        "200": {"X-Run-Id", "Idempotent-Replayed"},
        "202": {"X-Run-Id", "Idempotent-Replayed", "Location"},
        "401": {"WWW-Authenticate"},
        "405": {"Allow"},
        "409": {"Retry-After", "X-Run-Id", "Idempotent-Replayed"},
        "429": {"Retry-After"},
        "500": {"X-Run-Id", "Idempotent-Replayed"},
        "502": {"X-Run-Id", "Idempotent-Replayed"},
        "503": {"Retry-After", "X-Run-Id", "Idempotent-Replayed"},
        "504": {"X-Run-Id", "Idempotent-Replayed"},
    }
    assert set(status) == {"200", "400", "401", "403", "404", "405", "500", "503"}
    assert {code: set(answer["headers"]) for code, answer in status.items() if "headers" in answer} == {
        "200": {"X-Run-Id"},
        "401": {"WWW-Authenticate"},
        "405": {"Allow"},
        "503": {"Retry-After"},
    }


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_tool_that_reads_openapi_finds_both_operations(route, client, method):
    change_route(route, by=person("approver"), method=method)
    document = client.get(path(route, "openapi.json")).json()
    found = schemathesis.openapi.from_dict(document)
    found.validate()
    operations = [result.ok() for result in found.get_all_operations()]
    assert {operation.definition.raw["operationId"] for operation in operations} == {"call", "status"}


def test_every_reference_of_the_document_leads_somewhere(route, client):
    document = client.get(path(route, "openapi.json")).json()

    def references(value):
        if isinstance(value, dict):
            if "$id" in value:
                return
            yield from ([value["$ref"]] if "$ref" in value else [])
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    for reference in references(document):
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_a_get_route_takes_its_payload_from_the_query(route, client):
    change_route(route, by=person("approver"), method="GET")
    operation = client.get(path(route, "openapi.json")).json()["paths"][f"/dynamic/{route.pk}"]["get"]
    assert "requestBody" not in operation
    parameters = {each["name"]: each for each in operation["parameters"]}
    assert (parameters["lines"]["required"], parameters["note"]["in"]) == (True, "query")
    assert parameters["lines"]["schema"] == {"$ref": f"urn:chatflow:{route.pk}:payload#/properties/lines"}
    assert parameters["note"]["schema"] == {"type": "string"}


def test_an_asynchronous_route_answers_202_only(route, client):
    change_route(route, by=person("approver"), is_async=True)
    operation = client.get(path(route, "openapi.json")).json()["paths"][f"/dynamic/{route.pk}"]["post"]
    assert "200" not in operation["responses"]


def test_a_route_with_nothing_deployed_says_so(entity, client):
    route, _ = make_route(make_flow(entity))
    assert "Nothing is deployed behind this route yet" in client.get(path(route)).content.decode()
    assert client.get(path(route, "openapi.json")).status_code == 200


def test_a_sandbox_route_shows_the_draft(entity, client):
    route = create_route(make_flow(entity), by=person("builder"), environment=Environment.SANDBOX)
    text = client.get(path(route)).content.decode()
    assert "This is a sandbox" in text
    assert "12.5" in text
    assert not Content.objects.exists()


def test_a_partner_is_told_how_many_calls_the_route_takes(route, client):
    assert "At most" not in client.get(path(route)).content.decode()
    change_route(route, by=person("approver"), rate_per_minute=60, concurrency=4)
    assert "At most 60 a minute and 4 at once." in client.get(path(route)).content.decode()
    operation = client.get(path(route, "openapi.json")).json()["paths"][f"/dynamic/{route.pk}"]["post"]
    assert operation["description"] == "Calls are taken from agreed addresses only. At most 60 a minute and 4 at once."

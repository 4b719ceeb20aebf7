"""One route as an OpenAPI 3.1 document, made from the start of its flow and the table of problems."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.conf import settings

from flows.engine.strictjson import dumps
from flows.nodes.start import Start
from routing.models import Route
from routing.problem import MEDIA_TYPE, PROBLEMS

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
WITH_BODY = frozenset({"POST", "PUT"})


def document(route: Route, start: Start | None) -> dict[str, Any]:
    """The document. `start` is what the route enters at, None where it is another step or nothing is deployed."""
    title = route.name or route.flow.name
    paths = {f"/dynamic/{route.pk}": {route.method.lower(): _operation(route, start)}}
    paths[f"/dynamic/{route.pk}/runs/{{run_id}}"] = {"get": _status_operation()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1", "description": f"How to call “{title}”."},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": settings.PUBLIC_URL}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Token"},
            },
            "schemas": {
                "Payload": _payload_schema(route, start),
                "Problem": _PROBLEM,
                "Accepted": _ACCEPTED,
                "RunStatus": _STATUS,
            },
        },
    }


def limits(route: Route) -> str:
    """How many calls the route takes, as a sentence; empty where it has no number of its own."""
    limits = [(route.rate_per_minute, "a minute"), (route.concurrency, "at once")]
    told = " and ".join(f"{number} {how}" for number, how in limits if number is not None)
    return f"At most {told}." if told else ""


def _operation(route: Route, start: Start | None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "call",
        "summary": route.name or route.flow.name,
        "description": f"Calls are taken from agreed addresses only. {limits(route)}".rstrip(),
        "parameters": [_IDEMPOTENCY_KEY],
        "responses": _answers(route) | _refusals(PROBLEMS),
    }
    if route.method in WITH_BODY:
        content: dict[str, Any] = {JSON: {"schema": {"$ref": "#/components/schemas/Payload"}}}
        if start and start.sample is not None:
            content[JSON]["example"] = start.sample
        content[FORM] = {"schema": {"type": "object"}}
        operation["requestBody"] = {"required": bool(start and start.payload_schema), "content": content}
    else:
        operation["parameters"] += _query_parameters(route, start)
    return operation


def _payload_schema(route: Route, start: Start | None) -> dict[str, Any]:
    """With an `$id`, references like #/$defs/line stay within the schema, as they are meant."""
    schema = (start.payload_schema if start else None) or {}
    return {"$id": _payload_id(route), **schema}


def _payload_id(route: Route) -> str:
    return f"urn:chatflow:{route.pk}:payload"


def _query_parameters(route: Route, start: Start | None) -> list[dict[str, Any]]:
    schema = (start.payload_schema if start else None) or {}
    required = schema.get("required", [])
    sample = start.sample if start and isinstance(start.sample, dict) else {}
    found = []
    for name, its_schema in schema.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "required": name in required}
        parameter["schema"] = _in_payload(route, name) if '"$ref"' in dumps(its_schema) else its_schema
        found.append(parameter | ({"example": sample[name]} if name in sample else {}))
    return found


def _in_payload(route: Route, name: str) -> dict[str, Any]:
    """The schema of a property by the `$id` of the payload's: what it refers to in turn is there."""
    pointer = name.replace("~", "~0").replace("/", "~1")
    return {"$ref": f"{_payload_id(route)}#/properties/{quote(pointer, safe='')}"}


def _answers(route: Route) -> dict[str, Any]:
    accepted = {
        "description": "Accepted: the run goes on, and the status URL tells what becomes of it.",
        "headers": _headers("Location", "X-Run-Id", "Idempotent-Replayed"),
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Accepted"}}},
    }
    if route.is_async:
        return {"202": accepted}
    answer = {
        "description": "The answer of the flow, which may have another status too.",
        "headers": _headers("X-Run-Id", "Idempotent-Replayed"),
        "content": {JSON: {}},
    }
    return {"200": answer, "202": accepted}


def _refusals(codes: Any) -> dict[str, Any]:
    by_status: dict[str, list[str]] = {}
    for code in codes:
        by_status.setdefault(str(PROBLEMS[code].status), []).append(code)
    return {status: _refusal(status, names) for status, names in sorted(by_status.items())}


def _refusal(status: str, codes: list[str]) -> dict[str, Any]:
    found = {
        "description": " ".join(f"`{code}`: {PROBLEMS[code].title}." for code in codes),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    headers = [*_HEADERS_OF_STATUS.get(status, ()), *(_OF_A_RUN if _OF_RUNS & set(codes) else ())]
    return found | ({"headers": _headers(*headers)} if headers else {})


def _headers(*names: str) -> dict[str, Any]:
    return {name: _HEADERS[name] for name in names}


def _status_operation() -> dict[str, Any]:
    run_id = {"name": "run_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    found = {
        "description": "How far the run is.",
        "headers": _headers("X-Run-Id"),
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/RunStatus"}}},
    }
    return {
        "operationId": "status",
        "summary": "What became of a run",
        "parameters": [run_id],
        "responses": {"200": found, **_refusals(_STATUS_REFUSED)},
    }


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


_TEXT = {"type": "string"}
_URL = {"type": "string", "format": "uri"}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_HEADERS: dict[str, dict[str, Any]] = {
    "Allow": {"description": "The method to use.", "schema": _TEXT},
    "Idempotent-Replayed": {"description": "The answer was given before.", "schema": {"const": "true"}},
    "Location": {"description": "The status URL.", "schema": _URL},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "How to send the token.", "schema": _TEXT},
    "X-Run-Id": {"description": "The run.", "schema": {"type": "string", "format": "uuid"}},
}
_HEADERS_OF_STATUS = {
    "401": ("WWW-Authenticate",),
    "405": ("Allow",),
    "409": ("Retry-After",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
_OF_RUNS = {"interrupted", "cancelled", "dead", "limit_reached", "CT04", "CT12", "CT21", "CT40", "CT51"}
"""Problems of a run that failed."""

_OF_A_RUN = ("X-Run-Id", "Idempotent-Replayed")
_STATUS_REFUSED = (
    "route_not_found",
    "run_not_found",
    "not_found",
    "address_refused",
    "method_not_allowed",
    "token_required",
    "token_refused",
    "bad_host",
    "bad_request",
    "unavailable",
    "server_error",
)
_PROBLEM = _object(
    "type title status detail code",
    type=_URL,
    title=_TEXT,
    status={"type": "integer"},
    detail=_TEXT,
    code=_TEXT,
    run_id=_TEXT,
    errors={"type": "array", "items": _object("pointer message", pointer=_TEXT, message=_TEXT)},
)
_ACCEPTED = _object("status run_id status_url", status={"const": "accepted"}, run_id=_TEXT, status_url=_URL)
_STATUS = _object(
    "run_id state created_at finished_at",
    run_id=_TEXT,
    state={"enum": ["queued", "running", "waiting", "in_doubt", "succeeded", "failed", "dead", "cancelled"]},
    created_at=_TIME,
    finished_at=_TIME,
    answer={"type": "object"},
    problem={"$ref": "#/components/schemas/Problem"},
)
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request runs once; the answer is given again for 72 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

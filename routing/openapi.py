"""One route as an OpenAPI 3.1 document, made from the start of its flow and the table of problems."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.conf import settings

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


def _operation(route: Route, start: Start | None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "call",
        "summary": route.name or route.flow.name,
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
        operation["parameters"] += _query_parameters(start)
    return operation


def _payload_schema(route: Route, start: Start | None) -> dict[str, Any]:
    """With an `$id`, references like #/$defs/line stay within the schema, as they are meant."""
    schema = (start.payload_schema if start else None) or {}
    return {"$id": f"urn:chatflow:{route.pk}:payload", **schema}


def _query_parameters(start: Start | None) -> list[dict[str, Any]]:
    schema = (start.payload_schema if start else None) or {}
    required = schema.get("required", [])
    sample = start.sample if start and isinstance(start.sample, dict) else {}
    found = []
    for name in schema.get("properties", {}):
        pointer = name.replace("~", "~0").replace("/", "~1")
        reference = {"$ref": f"#/components/schemas/Payload/properties/{quote(pointer, safe='')}"}
        parameter = {"name": name, "in": "query", "required": name in required, "schema": reference}
        found.append(parameter | ({"example": sample[name]} if name in sample else {}))
    return found


def _answers(route: Route) -> dict[str, Any]:
    accepted = {
        "description": "Accepted: the run goes on, and the status URL tells what becomes of it.",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}, **_RUN_HEADER},
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Accepted"}}},
    }
    if route.is_async:
        return {"202": accepted}
    answer = {"description": "The answer of the flow, which may have another status too.", "headers": _RUN_HEADER}
    return {"200": answer | {"content": {JSON: {}}}, "202": accepted}


def _refusals(codes: Any) -> dict[str, Any]:
    by_status: dict[str, list[str]] = {}
    for code in codes:
        by_status.setdefault(str(PROBLEMS[code].status), []).append(code)
    return {
        status: {
            "description": " ".join(f"`{code}`: {PROBLEMS[code].title}." for code in names),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, names in sorted(by_status.items())
    }


def _status_operation() -> dict[str, Any]:
    run_id = {"name": "run_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    refused = ("run_not_found", "address_refused", "method_not_allowed", "token_required", "token_refused")
    found = {
        "description": "How far the run is.",
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/RunStatus"}}},
    }
    return {
        "operationId": "status",
        "summary": "What became of a run",
        "parameters": [run_id],
        "responses": {"200": found, **_refusals(refused)},
    }


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


_TEXT = {"type": "string"}
_URL = {"type": "string", "format": "uri"}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_RUN_HEADER = {"X-Run-Id": {"schema": {"type": "string", "format": "uuid"}}}
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

"""Problem documents (RFC 9457): what a caller gets in place of an answer.

    raise Problem("rate_limited", "This route takes 60 requests a minute.", headers={"Retry-After": "12"})

Each code stands in one row of PROBLEMS, and `<PUBLIC_URL>/problems/<code>`, its `type`, says what it means and what to
do. `title` and `status` belong to the code; `detail` is a sentence about this request. No document ever holds a trace,
a setting, or what an upstream said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpResponse

from flows.engine.strictjson import dumps_bytes

MEDIA_TYPE = "application/problem+json"


class Row(NamedTuple):
    status: int
    title: str
    advice: str


PROBLEMS: dict[str, Row] = {
    "route_not_found": Row(404, "No such route", "Check the address: a route may have been removed or switched off."),
    "run_not_found": Row(
        404, "No such run", "Use the status_url that came with the 202 answer; runs belong to one route."
    ),
    "not_found": Row(404, "Nothing here", "Check the address, and that it doesn't end in a slash."),
    "address_refused": Row(403, "Address not allowed", "Have your address added to the allow-list of the route."),
    "forbidden": Row(403, "Not allowed", "Ask the owner of the route."),
    "method_not_allowed": Row(405, "Method not allowed", "Use the method that the Allow header names."),
    "token_required": Row(401, "Token required", "Send the token of the route: Authorization: Bearer <token>."),
    "token_refused": Row(
        401, "Token refused", "Check that the token is whole, and of this route. It may be revoked or expired."
    ),
    "rate_limited": Row(429, "Too many requests", "Wait for the seconds that the Retry-After header names."),
    "too_large": Row(413, "Body too large", "Send at most 1 MiB; put larger things elsewhere and send their address."),
    "unsupported_media_type": Row(
        415, "Media type not supported", "Send application/json or application/x-www-form-urlencoded, in UTF-8."
    ),
    "bad_json": Row(
        400, "Not valid JSON", "Send strict JSON: UTF-8, no duplicate keys, no NaN, no NUL, at most 64 levels deep."
    ),
    "bad_form": Row(
        400, "Not a valid form", "Send name=value pairs joined by &, percent-encoded from UTF-8, at most 1,000."
    ),
    "bad_query": Row(
        400, "Query not valid", "Send name=value pairs joined by &, percent-encoded from UTF-8, at most 1,000."
    ),
    "length_required": Row(
        411, "Length required", "Send a Content-Length header; without one, only a JSON object, list or text is taken."
    ),
    "bad_body": Row(400, "Body cut short", "Send as many bytes as the Content-Length header names."),
    "bad_host": Row(400, "Unknown host name", "Call the address that the partner page of the route shows."),
    "bad_request": Row(400, "Bad request", "Check the request line, the headers and the encodings."),
    "payload_refused": Row(
        422, "Payload doesn't fit", "Correct what “errors” lists; each pointer leads into the payload."
    ),
    "bad_idempotency_key": Row(
        400, "Idempotency-Key not valid", "Send one key of 1 to 255 visible ASCII characters, in quotes."
    ),
    "idempotency_key_reused": Row(422, "Idempotency-Key used before", "Use a new key for another request."),
    "request_in_progress": Row(
        409, "Still running", "The first request with this key is running. Wait, and send it again."
    ),
    "not_deployed": Row(503, "Nothing deployed", "The flow behind the route isn't in production yet. Ask its owner."),
    "content_refused": Row(
        503, "Flow not as approved", "What is stored isn't what was approved, so it isn't run. Tell us."
    ),
    "route_paused": Row(
        503, "Route paused", "The owner has stopped the route for a while. Send it again after what Retry-After says."
    ),
    "route_draining": Row(
        503, "Route taking no calls", "What was accepted is still finished. Ask the owner when the route takes calls."
    ),
    "busy": Row(
        503, "Too many calls at once", "Nothing was done. Send it again after the seconds that Retry-After names."
    ),
    "queue_full": Row(
        503, "Queue full", "Nothing was accepted. Send it again after the seconds that Retry-After names."
    ),
    "unavailable": Row(503, "Not available now", "Send it again later; with an Idempotency-Key that is always safe."),
    "server_error": Row(500, "A fault of ours", "Send it again later, and tell us when it stays."),
    "interrupted": Row(
        503, "Run interrupted", "The server stopped while it ran. Find out what was done before you send it again."
    ),
    "cancelled": Row(500, "Run cancelled", "Somebody ended the run. Ask the owner of the route."),
    "dead": Row(500, "Run given up", "The run failed too often to go on. Ask the owner of the route."),
    "limit_reached": Row(500, "Run over a limit", "The flow did more than one run may. Ask the owner of the route."),
    "CT04": Row(500, "Missing next step", "The flow led to a step that isn't there. Ask the owner of the route."),
    "CT12": Row(504, "Time-out", "The flow took too long. Ask the owner of the route."),
    "CT21": Row(500, "Unhandled error", "The flow failed. Give the owner of the route the run_id."),
    "CT40": Row(409, "Run already ended", "What was to be continued has ended. Start anew."),
    "CT51": Row(
        502, "Unhandled response", "A system behind the flow gave an answer the flow has no way for. Ask the owner."
    ),
}
"""Every refusal there is: code → status, title, what to do. The page of a partner and OpenAPI are made from it."""


QUOTES_BODY = frozenset({"bad_json"})
"""Codes whose detail may hold a part of what the caller sent."""


class Problem(Exception):
    """A refusal. `extra` are further members of the document; a run's own status may replace that of its code."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        run_id: object = None,
        status: int = 0,
        **extra: Any,
    ) -> None:
        row = PROBLEMS[code]
        super().__init__(detail or row.title)
        self.code = code
        self.detail = detail or row.advice
        self.headers = dict(headers or {})
        self.status = status or row.status
        self.extra = extra if run_id is None else {"run_id": str(run_id), **extra}

    @property
    def reason(self) -> str:
        """The detail as it may be kept and logged: what quotes the body is for the caller alone."""
        return PROBLEMS[self.code].title if self.code in QUOTES_BODY else self.detail

    def document(self) -> dict[str, Any]:
        """What is sent, as a dict."""
        return {
            "type": type_uri(self.code),
            "title": PROBLEMS[self.code].title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }


class Answer(HttpResponse):
    """What the front door itself made, be it a flow's answer or a problem: the middleware lets it pass as it is."""


def type_uri(code: str) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}/problems/{code}"


def response(problem: Problem) -> Answer:
    """The problem as an HTTP answer."""
    answer = Answer(dumps_bytes(problem.document()), content_type=MEDIA_TYPE, status=problem.status)
    for name, value in {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **problem.headers}.items():
        answer[name] = value
    return answer


def of_run(code: str, message: str, *, run_id: object, status: int = 0) -> Problem:
    """The problem of a failed run; a code that has no row here is an unhandled error of the flow (CT21)."""
    known = code if code in PROBLEMS else "CT21"
    return Problem(known, message, headers={"X-Run-Id": str(run_id)}, run_id=run_id, status=status)

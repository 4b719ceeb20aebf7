"""What a request says: its payload, its query and its headers, as values a flow can read.

The media type alone decides how a body is read, never its looks:

    application/json, application/<x>+json      strict JSON, UTF-8; any JSON value may be the payload
    application/x-www-form-urlencoded           an object of texts; a name that comes again holds a list of texts
    no body                                     the query parameters as an object, by the same rule

An empty body is no body, except on a POST or PUT that says it is JSON: there it is a mistake worth telling (400). Many
clients name JSON on every GET and DELETE, so there it isn't. Files (multipart/form-data) aren't taken.

A body that came without a Content-Length may have been cut off, which the web server doesn't tell: it is taken only
where a cut would show (`refuse_unnoticed_cut`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.core.handlers.wsgi import WSGIRequest
from django.http.request import UnreadablePostError

from flows.engine import strictjson
from flows.engine.errors import JSONRefused
from routing.problem import Problem

MAX_BODY_BYTES = 1024 * 1024
"""What a call may carry: larger is data, which belongs behind an API."""

MAX_FIELDS = 1000
"""Pairs of a form or a query, as in Django."""

JSON, FORM, NOTHING = "json", "form", "nothing"

_JSON_TYPE = re.compile(r"application/([a-z0-9!#$&^_.+-]+\+)?json", re.ASCII)
_FORM_TYPE = "application/x-www-form-urlencoded"
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\";]*)", re.ASCII | re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_UTF8 = {"utf-8", "utf8"}
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)

CREDENTIALS = frozenset(
    {"authorization", "proxy_authorization", "cookie", "x_csrftoken", "x_csrf_token", "x_xsrf_token"}
)
CREDENTIALS |= {"x_api_token", "x_api_key", "api_key", "x_auth_token", "x_access_token", "x_amz_security_token"}
"""Headers that no flow ever sees: what opens a door isn't data."""


@dataclass(frozen=True)
class Query:
    """`last` value of each name, and `all` of them. Pairs as they came, for whoever needs the order."""

    pairs: tuple[tuple[str, str], ...]

    @property
    def last(self) -> dict[str, str]:
        return dict(self.pairs)

    @property
    def all(self) -> dict[str, list[str]]:
        gathered: dict[str, list[str]] = {}
        for name, value in self.pairs:
            gathered.setdefault(name, []).append(value)
        return gathered


def raw(request: WSGIRequest) -> bytes:
    """The body's bytes. 413 above the limit, whatever Content-Length says or hides; 400 if it ended early.

    A web server may take `gzip, chunked` and hand over what is still compressed: 400 for every coding but the one.
    """
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared and not _LENGTH.fullmatch(declared):
        raise Problem("bad_body", "The Content-Length header isn't a number.")
    if request.META.get("HTTP_TRANSFER_ENCODING", "chunked").strip(" \t").lower() != "chunked":
        raise Problem("bad_body", "The body may come in chunks, and in no other Transfer-Encoding.")
    if declared and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        data = _read(_stream(request, declared), MAX_BODY_BYTES + 1)
    except (UnreadablePostError, OSError) as error:
        raise Problem("bad_body", "The body ended before it was complete.") from error
    if len(data) > MAX_BODY_BYTES:
        raise _too_large()
    if declared and len(data) < int(declared):
        raise Problem("bad_body", f"The body ended after {len(data)} bytes; its Content-Length is {declared}.")
    return data


def kind(content_type: str, data: bytes, method: str) -> str:
    """How this body is to be read: JSON, FORM or NOTHING. 415 for what we don't read."""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    is_json = bool(_JSON_TYPE.fullmatch(media_type))
    if not data and not (is_json and method in {"POST", "PUT"}):
        return NOTHING
    if not media_type:
        raise _unsupported("The request has a body, but no Content-Type that says what it is.")
    if "," in _QUOTED.sub("", content_type):
        raise _unsupported("The request has more than one Content-Type; send one.")
    if not is_json and media_type != _FORM_TYPE:
        raise _unsupported(f"This route doesn't read {_shown(media_type)}.")
    for charset in _CHARSET.findall(parameters):
        if charset.strip().lower() not in _UTF8:
            raise _unsupported(f"The body must be in UTF-8, not {_shown(charset)}.")
    return JSON if is_json else FORM


def refuse_encoding(content_encoding: str) -> None:
    """415 for a body that is compressed: a small one can unpack to anything."""
    if any(coding.strip().lower() not in {"", "identity"} for coding in content_encoding.split(",")):
        detail = f"The body must come as it is, without Content-Encoding: {_shown(content_encoding)}."
        raise Problem("unsupported_media_type", detail, headers={"Accept-Encoding": "identity"})


def payload(how: str, data: bytes, query: Query) -> Any:
    """The payload that a flow sees."""
    if how == NOTHING:
        return _object(query)
    if how == FORM:
        return _object(Query(_pairs(data, "bad_form", "form")))
    try:
        return strictjson.loads(data)
    except JSONRefused as error:
        raise Problem("bad_json", error.message) from error


def refuse_unnoticed_cut(meta: Mapping[str, Any], how: str, payload: Any) -> None:
    """411 where the body has no Content-Length and its beginning could pass for all of it: a form, a number, nothing.

    A JSON object, list or text ends with a bracket or quote of its own.
    """
    may_be_cut = how != NOTHING or bool(meta.get("HTTP_TRANSFER_ENCODING"))
    ends_by_itself = how == JSON and isinstance(payload, dict | list | str)
    if may_be_cut and not meta.get("CONTENT_LENGTH") and not ends_by_itself:
        raise Problem("length_required")


def query(request: WSGIRequest) -> Query:
    """The query string's pairs. 400 for bytes that aren't UTF-8, for NUL, and for too many."""
    return Query(_pairs(request.META.get("QUERY_STRING", "").encode("latin-1"), "bad_query", "query"))


def headers(meta: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers by their name in lower case with `_` for `-`, without credentials."""
    found = {name[5:].lower(): str(value) for name, value in meta.items() if name.startswith("HTTP_")}
    found |= {name.lower(): str(meta[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if meta.get(name)}
    return {name: value for name, value in sorted(found.items()) if name not in CREDENTIALS}


def _unsupported(detail: str) -> Problem:
    return Problem("unsupported_media_type", detail, headers={"Accept": f"application/json, {_FORM_TYPE}"})


def _too_large() -> Problem:
    return Problem("too_large", f"The body is larger than {MAX_BODY_BYTES:,} bytes.")


def _stream(request: WSGIRequest, declared: str) -> Any:
    """Django reads as many bytes as Content-Length says; without one, only a server that marks the end can be read."""
    if declared:
        return request
    if request.environ.get("wsgi.input_terminated"):
        return request.environ["wsgi.input"]
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise Problem("length_required")
    return request


def _read(stream: Any, limit: int) -> bytes:
    """At most `limit` bytes; a stream may hand them over in portions."""
    portions: list[bytes] = []
    while limit > 0 and (portion := stream.read(limit)):
        portions.append(portion)
        limit -= len(portion)
    return b"".join(portions)


def _pairs(data: bytes, code: str, name: str) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise Problem(code, f"The {name} has bytes that aren't UTF-8.") from error
    except ValueError as error:
        raise Problem(code, f"The {name} has more than {MAX_FIELDS:,} fields.") from error
    if any("\0" in text for pair in pairs for text in pair):
        raise Problem(code, f"The {name} has a NUL character (%00).")
    return tuple(pairs)


def _object(query: Query) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in query.all.items()}


def _shown(text: str) -> str:
    return text[:100] if text.isascii() and text.isprintable() else "that"

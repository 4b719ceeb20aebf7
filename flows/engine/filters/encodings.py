"""Filters that write a value in another form, or stand in for one that is missing."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

from flows.engine.errors import JSONRefused, WrongType
from flows.engine.filters.base import Filter, text_of
from flows.engine.strictjson import JSON, dumps, loads
from flows.engine.values import check_length, check_size


def default(value: JSON, otherwise: JSON) -> JSON:
    """Another value where there is none (null); an empty text is a value."""
    return otherwise if value is None else value


def if_empty(value: JSON, otherwise: JSON) -> JSON:
    """Another value for null, an empty text, an empty list or an empty object."""
    return otherwise if value is None or value == "" or value == [] or value == {} else value


def json(value: JSON) -> JSON:
    """Written as JSON."""
    check_size(value)
    written = dumps(value)
    check_length(len(written))
    return written


def parse_json(value: JSON) -> JSON:
    """The value that a text of JSON holds."""
    try:
        read: JSON = loads(text_of(value))
    except JSONRefused as error:
        raise WrongType(f"it isn't JSON: {error.message.rstrip('.')}", hint="See what the text holds.") from None
    return read


def url_encode(value: JSON) -> JSON:
    """For a place in a URL: everything but letters, digits and -._~ is escaped."""
    raw = text_of(value).encode()
    check_length(len(raw))
    written = quote(raw, safe="")
    check_length(len(written))
    return written


def base64_text(value: JSON) -> JSON:
    """In Base64 (RFC 4648), from UTF-8."""
    raw = text_of(value).encode()
    check_length(len(raw) * 4 // 3)
    return base64.b64encode(raw).decode()


def sha256(value: JSON) -> JSON:
    """The SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text_of(value).encode()).hexdigest()


FILTERS = {
    "default": Filter(default, "null | default: 'friend'", "friend", takes_null=True),
    "if_empty": Filter(if_empty, "'' | if_empty: 'friend'", "friend", takes_null=True),
    "json": Filter(json, "'a,b' | split: ',' | json", '["a","b"]', takes_null=True, reads_all=True),
    "parse_json": Filter(parse_json, """('{"id": 7}' | parse_json).id""", 7, cost=2, reads_all=True),
    "url_encode": Filter(url_encode, "'a b&c' | url_encode", "a%20b%26c"),
    "base64": Filter(base64_text, "'user:word' | base64", "dXNlcjp3b3Jk"),
    "sha256": Filter(sha256, "'Ann' | sha256 | left: 8", hashlib.sha256(b"Ann").hexdigest()[:8]),
}

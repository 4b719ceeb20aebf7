"""Names and values of HTTP headers that an author may set, in an answer or in a call (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from flows.engine.node import Finding, Pair

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,200}")
_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff]{0,8192}")

_CONNECTION = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
"""These belong to one connection, not to a message."""

REFUSED_IN_ANSWERS = _CONNECTION | frozenset(
    [
        "content-length",
        "content-encoding",
        "date",
        "server",
        "set-cookie",
        "set-cookie2",
        "cache-control",
        "x-run-id",
        "www-authenticate",
    ]
)
"""The server writes these, or none may: a partner API has no cookies."""

REFUSED_IN_CALLS = _CONNECTION | {"host", "content-length", "expect", "accept-encoding", "http2-settings"}
"""The door writes these, or none may."""


def problem_of_name(name: str, refused: frozenset[str]) -> str:
    """Why a header may not be set, as a sentence; empty where it may."""
    if not _TOKEN.fullmatch(name):
        return f"{name!r} isn't a header name: letters, digits and -."
    if name.lower() in refused:
        return f"The header {name} can't be set here."
    return ""


def problem_of_value(name: str, value: str) -> str:
    """Why a header may not have this value, as a sentence; empty where it may. The value itself isn't told."""
    if not _VALUE.fullmatch(value):
        return f"The header {name} has a control character, one outside Latin-1, or more than 8,192 characters."
    return ""


def header_findings(pairs: Sequence[Pair], refused: frozenset[str]) -> Iterator[Finding]:
    """Headers of a node that can't be set, or that are there twice."""
    names = [pair.name.lower() for pair in pairs]
    for index, pair in enumerate(pairs):
        problem = problem_of_name(pair.name, refused)
        if not problem and isinstance(pair.value, str) and "{{" not in pair.value:
            problem = problem_of_value(pair.name, pair.value)
        if not problem and names[index] in names[:index]:
            problem = f"The header {pair.name} is there twice."
        if problem:
            yield Finding("bad_header", problem, "Take it out, or correct it.")

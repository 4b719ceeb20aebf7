"""Whether the answer to an odd request is as it should be: refused with a whole problem document, or rightly taken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from routing.problem import PROBLEMS
from tests.proofs.odd_requests import FORM, JSON, Odd

FIELDS = {"type", "title", "status", "detail", "code"}
LEAKS = ("Traceback", 'File "', "<html", "<!DOCTYPE", "SECRET", "django", "psycopg", "sqlite")


@dataclass(frozen=True)
class Answered:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def taken(self) -> bool:
        return self.status < 300

    @property
    def code(self) -> str:
        """The code of a problem; empty where there is none."""
        return str(json.loads(self.body).get("code")) if self.status >= 400 and self.body else ""

    @property
    def run_id(self) -> str:
        """The run that a request became."""
        return self.headers.get("x-run-id") or str(json.loads(self.body)["run_id"])


def fault_of(answer: Answered, odd: Odd, token: str) -> str:
    """What is wrong with the answer; nothing, if it is a proper refusal or the request was in order."""
    shown = f"{answer.body!r} {answer.headers!r}"
    if answer.status >= 500:
        return "5xx"
    if answer.taken:
        return "" if in_order(odd) and token not in shown else "taken"
    if token in shown or any(leak in shown for leak in LEAKS):
        return "tells too much"
    if answer.status < 400:
        return "sends elsewhere"
    if answer.headers.get("content-type") != "application/problem+json":
        return "is no problem document"
    return "" if odd.method == "HEAD" or is_whole(json.loads(answer.body), answer.status) else "isn't a whole problem"


def is_whole(document: dict[str, Any], status: int) -> bool:
    """RFC 9457, and our own code."""
    if not document.keys() >= FIELDS or document["code"] not in PROBLEMS or document["status"] != status:
        return False
    return bool(document["type"].endswith(f"/problems/{document['code']}") and document["title"] and document["detail"])


def in_order(odd: Odd) -> bool:
    """Whether the body may be read: said by Python's own readers, with what the standard and docs/front-door.md forbid."""
    media_type, body = odd.headers.get("Content-Type", JSON).partition(";")[0].strip().lower(), received(odd)
    is_json = media_type == JSON or media_type.endswith("+json")
    if not body:
        return not (is_json and odd.method in ("POST", "PUT"))
    try:
        if media_type == FORM:
            return "\0" not in str(parse_qsl(body.decode("utf-8"), errors="strict", max_num_fields=1_000))
        value = json.loads(body.decode("utf-8"), object_pairs_hook=once, parse_constant=forbidden)
    except (ValueError, RecursionError):
        return False
    return is_json and depth(value) <= 64 and is_plain(value)


def received(odd: Odd) -> bytes:
    """What a web server hands over of the body."""
    declared = odd.headers.get("Content-Length")
    if declared is None or "Transfer-Encoding" in odd.headers:
        return odd.body
    return odd.body[: int(declared)] if declared.isdecimal() else b""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def forbidden(constant: str) -> None:
    raise ValueError(constant)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


def is_plain(value: Any) -> bool:
    """No NUL and no half of a surrogate pair, wherever."""
    if isinstance(value, dict):
        return all(is_plain(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return all(map(is_plain, value))
    return not isinstance(value, str) or not any(c == "\0" or 0xD800 <= ord(c) < 0xE000 for c in value)

"""How the body of an answer becomes a value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.answers import read
from integrations.http import OutboundResponse

pytestmark = pytest.mark.pure


def response(body: bytes, content_type: str | None) -> OutboundResponse:
    return OutboundResponse(200, [("content-type", content_type)] if content_type is not None else [], body)


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        (b'{"a": 1.10}', "application/json", {"a": Decimal("1.10")}),
        (b"[1, true]", "application/problem+json; charset=utf-8", [1, True]),
        (b'"x"', "text/json", "x"),
        (b"\xef\xbb\xbf{}", "application/json", {}),
        ('"é"'.encode("utf-16"), "application/json; charset=utf-16", "é"),
        (b'"\xe9"', 'application/json; charset="ISO-8859-1"', "é"),
        (b'{"a": 1}', None, {"a": 1}),
        (b"plain words", None, "plain words"),
        (b'{"a": 1}', "text/plain", '{"a": 1}'),
        (b"<a>\xc3\xa9</a>", "application/xml", "<a>é</a>"),
        (b"caf\xe9", "text/html; charset=latin-1", "café"),
        (b"a=1&b=2", "application/x-www-form-urlencoded", "a=1&b=2"),
        (b"", "application/json", None),
        (b"", None, None),
    ],
)
def test_an_answer_is_read_by_its_type(body: bytes, content_type: str | None, data: Any) -> None:
    assert read(response(body, content_type)) == (data, "")
    assert read(response(body, content_type)).data == data


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>oops</html>", "application/json"),
        (b'{"a": 1, "a": 2}', "application/json"),
        (b"NaN", "application/json"),
        (b"[" * 100 + b"]" * 100, "application/json"),
        (b"\xff\xfe\xfd", "text/plain"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"a\x00b", "text/plain"),
        (b"x", "text/plain; charset=idna"),
        (b"x", "text/plain; charset=zip"),
        (b"x", "text/plain; charset=unicode_escape"),
        (b"x", "text/plain; charset=nonsense"),
    ],
)
def test_what_can_not_be_read_is_null_with_a_note(body: bytes, content_type: str) -> None:
    reading = read(response(body, content_type))
    assert reading.data is None
    assert reading.note


@given(st.binary(max_size=60), st.text(max_size=40))
def test_any_answer_is_read_or_noted(body: bytes, content_type: str) -> None:
    reading = read(response(body, content_type))
    assert reading.data is None or not reading.note

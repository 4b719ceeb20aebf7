"""What a call is put together from: whatever the values are, the wire carries one request to the place that was meant."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.engine.url_paths import PathRefused, render_path
from integrations.building import (
    build_url,
    check_base,
    check_header,
    check_header_name,
    form_body,
    join_path,
    json_body,
    text_body,
)
from integrations.http import CallNotBuilt, OutboundRequest, send
from integrations.outbound import MAX_BODY_BYTES
from tests.integrations.doors import Serve
from tests.integrations.servers import Server, echo

pytestmark = pytest.mark.pure

NASTY = st.sampled_from(
    [
        "..",
        ".",
        "../x",
        "..\\x",
        "%2e%2e",
        "%2e%2e%2f",
        "%252e",
        "/",
        "//",
        "a/b",
        "?",
        "#",
        "&",
        "=",
        "@",
        ":",
        "\\",
        "",
        " ",
    ]
    + [
        "\r\n",
        "\r\nX-Evil: 1",
        "\n",
        "\x00",
        "\t",
        "é",
        "日本",
        "😀",
        "\x7f",
        "\xa0",
        "\ud800",
        " HTTP/1.1\r\nX-Evil: 1\r\n\r\n",
    ]
)
VALUES = st.one_of(st.text(max_size=20), st.lists(st.one_of(NASTY, st.text(max_size=4)), max_size=4).map("".join))


# --- Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        ("https://API.Example.com:8443/V1", "https://api.example.com:8443/V1"),
        ("http://10.0.0.1:8000", "http://10.0.0.1:8000"),
        ("http://[FD00::1]:8000/x", "http://[fd00::1]:8000/x"),
        ("https://münchen.example/a", "https://xn--mnchen-3ya.example/a"),
        ("https://api.example.com/a%20b", "https://api.example.com/a%20b"),
        ("http://crm_service:9000", "http://crm_service:9000"),
        ("HTTPS://api.example.com", "https://api.example.com"),
    ],
)
def test_an_address_has_one_form(base: str, expected: str) -> None:
    assert check_base(base) == expected


@pytest.mark.parametrize(
    "base",
    [
        "",
        "api.example.com",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x?a=1",
        "https://x?",
        "https://x#a",
        "https://x y",
    ]
    + [
        "https://x/../y",
        "https://x/%2e%2e/y",
        "https://x:0",
        "https://x:99999",
        "https://x/ü",
        "https://a..b",
        "https://ü..b",
    ],
)
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(CallNotBuilt) as caught:
        check_base(base)
    assert caught.value.hint


def test_path_and_query_are_added_to_the_address() -> None:
    pairs = [("q", "a b&c=d"), ("q", "é"), ("empty", "")]
    assert build_url("https://x.test/v1/", "/a/b", pairs) == "https://x.test/v1/a/b?q=a%20b%26c%3Dd&q=%C3%A9&empty="
    assert build_url("https://x.test/v1/", "") == "https://x.test/v1"
    assert build_url("https://x.test", "/a/") == "https://x.test/a/"


@pytest.mark.parametrize(
    "path", ["a", "/../a", "/a/..", "/%2e%2e/a", "/a?b", "/a#b", "/a b", "@evil.test/", ":80/", "\\a"]
)
def test_a_path_that_was_not_built_is_refused(path: str) -> None:
    with pytest.raises(CallNotBuilt):
        build_url("https://x.test/v1", path)


# --- Headers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
    ]
    + [
        "Proxy-Authorization",
        "proxy-connection",
        "Accept-Encoding",
        "",
        "a b",
        "a:b",
        "a\r\n",
        "é",
        "a" * 65,
        "a\x00",
        "(x)",
    ],
)
def test_headers_that_frame_a_message_and_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(CallNotBuilt):
        check_header_name(name)


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\x00", "\x7f", "日本", "a" * 8193, "a\tb", "\x85"])
def test_values_that_a_header_can_not_hold_are_refused(value: str) -> None:
    with pytest.raises(CallNotBuilt):
        check_header("X-Value", value)


@pytest.mark.parametrize("value", ["", "plain", "with blanks and ;,\"' signs", "café", "a" * 8192])
def test_ordinary_values_are_fine(value: str) -> None:
    check_header("X-Value", value)


# --- Bodies ---------------------------------------------------------------------------------------------------------------


def test_bodies_come_with_their_type() -> None:
    assert json_body({"a": [Decimal("1.10"), None, "é"]}) == ('{"a":[1.10,null,"é"]}'.encode(), "application/json")
    assert form_body([("a", "1 2"), ("b", "é&=")]) == (b"a=1+2&b=%C3%A9%26%3D", "application/x-www-form-urlencoded")
    assert text_body("é") == ("é".encode(), "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "build", [lambda: json_body({"a": "\ud800"}), lambda: form_body([("a", "\ud800")]), lambda: text_body("\ud800")]
)
def test_half_a_character_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(CallNotBuilt):
        build()


def test_a_body_that_is_too_large_is_refused() -> None:
    with pytest.raises(CallNotBuilt):
        text_body("a" * (MAX_BODY_BYTES + 1))


# --- Whatever the values are ------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, max_size=4), st.lists(st.tuples(VALUES, VALUES), max_size=3))
def test_values_stay_in_their_place(segments: list[str], pairs: list[tuple[str, str]]) -> None:
    try:
        url = build_url("https://x.test/base", join_path(segments), pairs)
    except (CallNotBuilt, PathRefused):
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "x.test", "")
    assert [unquote(segment) for segment in parts.path.split("/")[2:]] == segments
    assert parse_qsl(parts.query, keep_blank_values=True) == pairs


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES, VALUES, VALUES, VALUES)
def test_the_wire_carries_exactly_the_request_that_was_meant(
    echoing: Server, segment: str, query: str, header: str, body: str
) -> None:
    sent = len(echoing.requests)
    try:
        url = build_url(echoing.url("/base"), render_path("/in/{{ a }}/end", lambda _: segment), [("q", query)])
        raw, content_type = json_body({"text": body})
        send(OutboundRequest("POST", url, (("X-Value", header), ("Content-Type", content_type)), raw))
    except (CallNotBuilt, PathRefused):
        assert len(echoing.requests) == sent
        return
    assert len(echoing.requests) == sent + 1
    head, _, rest = echoing.requests[-1].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, target, version = first.split(b" ")
    assert (method, version) == (b"POST", b"HTTP/1.1")
    assert target.startswith(b"/base/in/")
    assert target.partition(b"?")[0].endswith(b"/end")
    assert target.count(b"/") == 4
    assert sorted(line.split(b":")[0].lower() for line in lines) == [
        b"accept", b"accept-encoding", b"connection", b"content-length", b"content-type", b"host", b"user-agent", b"x-value",
    ]  # fmt: skip
    assert rest == raw


@pytest.fixture
def echoing(serve: Serve) -> Server:
    return serve(echo)

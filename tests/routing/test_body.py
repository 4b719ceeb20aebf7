"""Reading a request: golden cases for bodies, queries and headers."""

import contextlib
import io
from decimal import Decimal

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from routing import body
from routing.problem import Problem

pytestmark = pytest.mark.pure

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def read(data=b"", content_type="", method="POST", query=""):
    return body.payload(body.kind(content_type, data, method), data, body.query(request(query=query)))


def request(data=b"", query="", **meta):
    environ = RequestFactory().generic("POST", "/dynamic/x", data, QUERY_STRING=query).environ
    return WSGIRequest({name: value for name, value in (environ | meta).items() if value is not None})


@pytest.mark.parametrize(
    ("data", "content_type", "payload"),
    [
        (b'{"a": 1.50}', JSON, {"a": Decimal("1.50")}),
        (b'{"a": 1}', "Application/JSON ; charset=UTF-8", {"a": 1}),
        (b'{"a": 1}', 'application/json;charset="utf-8"', {"a": 1}),
        (b'{"a": 1}', 'application/json; profile="a,b"', {"a": 1}),
        (b'{"a": 1}', "application/vnd.api+json", {"a": 1}),
        (b"[1, null]", JSON, [1, None]),
        (b'"text"', JSON, "text"),
        (b" \n null ", JSON, None),
        (b"a=1&b=&c=x+y%20z&d=%C3%A4", FORM, {"a": "1", "b": "", "c": "x y z", "d": "ä"}),
        (b"tag=a&tag=b&b=1", FORM, {"tag": ["a", "b"], "b": "1"}),
        ("d=ä".encode(), f"{FORM}; charset=utf-8", {"d": "ä"}),
    ],
)
def test_the_media_type_says_how_a_body_is_read(data, content_type, payload):
    assert read(data, content_type) == payload


@pytest.mark.parametrize(
    ("method", "content_type"),
    [("GET", ""), ("GET", JSON), ("DELETE", JSON), ("POST", ""), ("POST", FORM), ("PUT", ""), ("GET", "text/html")],
)
def test_without_a_body_the_query_is_the_payload(method, content_type):
    assert read(b"", content_type, method, "a=1&b=2&b=3") == {"a": "1", "b": ["2", "3"]}
    assert read(b"", content_type, method) == {}


@pytest.mark.parametrize(
    ("data", "content_type", "code", "told"),
    [
        (b"", JSON, "bad_json", ""),
        (b"{", JSON, "bad_json", "Line 1, column 2"),
        (b'{"a": 1} x', JSON, "bad_json", ""),
        (b'{"a": 1, "a": 2}', JSON, "bad_json", "twice"),
        (b'{"a": NaN}', JSON, "bad_json", "NaN"),
        (b'{"a": 1e999}', JSON, "bad_json", ""),
        (b'{"a": "\\u0000"}', JSON, "bad_json", "NUL"),
        (b'{"a": "\\ud800"}', JSON, "bad_json", "surrogate"),
        (b"[" * 100_000, JSON, "bad_json", "deeper than 64"),
        (b'{"a":' * 100_000, JSON, "bad_json", "deeper than 64"),
        (b'"\xff"', JSON, "bad_json", "UTF-8"),
        ('"ä"'.encode("utf-16"), JSON, "bad_json", ""),
        (b"1" * 5000, JSON, "bad_json", "digits"),
        (b"a=%00", FORM, "bad_form", "NUL"),
        (b"%00=a", FORM, "bad_form", "NUL"),
        (b"a=%FF", FORM, "bad_form", "UTF-8"),
        (b"a=%ED%A0%80", FORM, "bad_form", "UTF-8"),
        (b"a=\xff", FORM, "bad_form", "UTF-8"),
        (b"&".join(b"a=1" for _ in range(1001)), FORM, "bad_form", "1,000"),
        (b"{}", "", "unsupported_media_type", "no Content-Type"),
        (b"{}", "text/plain", "unsupported_media_type", "text/plain"),
        (b"{}", "text/json", "unsupported_media_type", "text/json"),
        (b"{}", "application/jsonp", "unsupported_media_type", "application/jsonp"),
        (b"{}", "application/json; charset=utf-16", "unsupported_media_type", "utf-16"),
        (b"{}", "application/json; charset=utf-8; charset=latin-1", "unsupported_media_type", "latin-1"),
        (b"a=1", f"{FORM}; charset=iso-8859-1", "unsupported_media_type", "iso-8859-1"),
        (b"--x--", "multipart/form-data; boundary=x", "unsupported_media_type", "multipart/form-data"),
        (b"{}", "application/json; x=1, text/html", "unsupported_media_type", "more than one"),
        (b"{}", "application/json, application/json", "unsupported_media_type", "more than one"),
        (b"{}", "é\x07", "unsupported_media_type", "that"),
        (b"{}", "a" * 5000, "unsupported_media_type", "aaa"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(data, content_type, code, told):
    with pytest.raises(Problem) as refused:
        read(data, content_type)
    assert refused.value.code == code
    assert told in refused.value.detail
    assert len(refused.value.detail) < 300


@pytest.mark.parametrize("query", ["a=%00", "a=%FF", "a=\xff", "&".join(["a"] * 1001)])
def test_a_query_that_cannot_be_read_is_refused(query):
    with pytest.raises(Problem) as refused:
        body.query(request(query=query))
    assert refused.value.code == "bad_query"


def test_the_query_is_read_as_last_values_and_as_lists():
    query = body.query(request(query="b=1&a=&b=2&c[d]=%zz&;"))
    assert query.last == {"a": "", "b": "2", "c[d]": "%zz", ";": ""}
    assert query.all == {"a": [""], "b": ["1", "2"], "c[d]": ["%zz"], ";": [""]}


def test_credentials_are_not_among_the_headers():
    meta = {
        "HTTP_AUTHORIZATION": "Bearer x",
        "HTTP_PROXY_AUTHORIZATION": "Basic x",
        "HTTP_X_API_TOKEN": "x",
        "HTTP_X_API_KEY": "x",
        "HTTP_COOKIE": "x",
        "HTTP_X_REQUEST_ID": "7",
        "CONTENT_TYPE": JSON,
        "CONTENT_LENGTH": "",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.input": io.BytesIO(),
    }
    assert body.headers(meta) == {"content_type": JSON, "x_request_id": "7"}


LIMIT = body.MAX_BODY_BYTES


class Portions(io.BytesIO):
    """What a web server hands over: not all at once."""

    def read(self, size=-1):
        return super().read(min(size, 1000) if size >= 0 else 1000)


def chunked(data):
    stream = Portions(data)
    meta = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": stream}
    return request(**meta, **{"wsgi.input_terminated": True}), stream


def test_a_body_may_be_as_large_as_the_limit():
    assert body.raw(request(b"x" * LIMIT)) == b"x" * LIMIT
    assert body.raw(chunked(b"x" * LIMIT)[0]) == b"x" * LIMIT
    assert body.raw(request()) == b""
    assert body.raw(request(CONTENT_LENGTH=None)) == b""


def test_a_larger_one_is_refused_before_more_of_it_is_read():
    declared = request(b"x" * (LIMIT + 1))
    unnamed, stream = chunked(b"x" * (3 * LIMIT))
    for each in declared, unnamed:
        with pytest.raises(Problem) as refused:
            body.raw(each)
        assert refused.value.code == "too_large"
    assert stream.tell() == LIMIT + 1


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ({"CONTENT_LENGTH": "10"}, "bad_body"),
        ({"CONTENT_LENGTH": "-1"}, "bad_body"),
        ({"CONTENT_LENGTH": "four"}, "bad_body"),
        ({"CONTENT_LENGTH": "9" * 5000}, "bad_body"),
        ({"CONTENT_LENGTH": "9" * 18}, "too_large"),
        ({"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}, "length_required"),
    ],
)
def test_a_content_length_that_lies_is_refused(meta, code):
    with pytest.raises(Problem) as refused:
        body.raw(request(b"four", **{"wsgi.input": io.BytesIO(b"four")}, **meta))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("data", "content_type", "taken"),
    [
        (b'{"a": 1}', JSON, True),
        (b"[1]", JSON, True),
        (b'"text"', JSON, True),
        (b"100", JSON, False),
        (b"-1.5", JSON, False),
        (b"h=x&b=amount%3D100", FORM, False),
        (b"", FORM, False),
        (b"", "", False),
    ],
)
def test_a_body_without_a_length_is_taken_only_where_a_cut_would_show(data, content_type, taken):
    unnamed, _ = chunked(data)
    how = body.kind(content_type, body.raw(unnamed), "POST")
    payload = body.payload(how, data, body.query(unnamed))
    body.refuse_unnoticed_cut({"CONTENT_LENGTH": str(len(data))}, how, payload)
    with contextlib.nullcontext() if taken else pytest.raises(Problem, match="Length required"):
        body.refuse_unnoticed_cut(unnamed.META, how, payload)


def test_a_request_without_a_body_needs_no_length():
    body.refuse_unnoticed_cut({}, body.NOTHING, {})


@pytest.mark.parametrize("coding", ["gzip", "br", "nonsense", "gzip, identity", "ä" * 500])
def test_a_compressed_body_is_refused(coding):
    with pytest.raises(Problem) as refused:
        body.refuse_encoding(coding)
    assert refused.value.code == "unsupported_media_type"
    assert "Content-Encoding" in refused.value.detail
    assert len(refused.value.detail) < 300


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_a_body_that_says_it_comes_as_it_is_is_taken(coding):
    body.refuse_encoding(coding)


def test_a_body_whose_sender_hangs_up_is_refused():
    class Gone(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError

    with pytest.raises(Problem) as refused:
        body.raw(request(b"four", **{"wsgi.input": Gone()}))
    assert refused.value.code == "bad_body"


@given(st.binary(max_size=200), st.sampled_from([JSON, FORM]))
def test_any_bytes_are_a_payload_or_are_refused(data, content_type):
    with contextlib.suppress(Problem):
        read(data, content_type)

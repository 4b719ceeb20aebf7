"""Where an answer ends, and whether its connection is in order afterwards."""

from __future__ import annotations

import pytest

from integrations.framing import Unframed, is_reusable, read_head

pytestmark = pytest.mark.pure

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def verdict(raw: bytes, method: str = "GET") -> bool:
    return is_reusable(method, read_head(raw), raw)


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"Content-Length: 3\r\n\r\nabc",
        OK + b"content-length:3\r\nCONTENT-LENGTH: 3 \r\n\r\nabc",
        OK + b"Content-Length: 0\r\n\r\n",
        OK + b"Connection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na",
        b"HTTP/1.1 201\r\nContent-Length: 1\r\n\r\na",
        CHUNKED + b"0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\nA ; x=y\r\n0123456789\r\n000\r\nTrailer: 1\r\n\r\n",
        OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_whole_answer_leaves_its_connection_in_order(raw: bytes) -> None:
    assert verdict(raw)


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("HEAD", OK + b"Content-Length: 3\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
        ("GET", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"),
        ("GET", OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n"),
        ("GET", OK + b"Connection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n"),
        ("GET", OK + b"Connection: keep-alive\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        ("GET", OK + b"Connection: upgrade\r\nContent-Length: 0\r\n\r\n"),
        ("GET", OK + b"\r\nuntil the end"),
        ("GET", OK + b"Content-Length: 3\r\n\r\nabc\r\n"),
        ("GET", CHUNKED + b"0\r\n\r\n\r\n"),
    ],
)
def test_after_an_answer_that_leaves_a_doubt_the_connection_is_not_used_again(method: str, raw: bytes) -> None:
    assert not verdict(raw, method)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 0200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b" HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\rX: 1\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        OK + b" folded\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b": no name\r\n\r\n",
        OK + b"Content-Length : 3\r\n\r\nabc",
        OK + b"Na me: 3\r\n\r\n",
        OK + b"X: \0\r\n\r\n",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Length: 3,3\r\n\r\nabc",
        OK + b"Content-Length: +3\r\n\r\nabc",
        OK + b"Content-Length: 0x3\r\n\r\nabc",
        OK + b"Content-Length: 1\r\n 2\r\n\r\nabcdefghijkl",
        OK + b"Content-Length: \r\n\r\n",
        OK + b"Content-Length: 4\r\n\r\nabc",
        OK + b"Content-Length: 2\r\n\r\nabc",
        OK + b"Content-Length: 0\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: identity\r\n\r\nabc",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED,
        CHUNKED + b"0\r\n",
        CHUNKED + b"0\n\n",
        CHUNKED + b"-1\r\n\r\n",
        CHUNKED + b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
        CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nab\r\n0\r\n\r\n",
        CHUNKED + b"fffffffff\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"0\r\nX: a\rb\r\n\r\n",
        CHUNKED + b"0\r\n\r\nmore",
    ],
)
def test_what_could_be_read_in_two_ways_is_no_answer(raw: bytes) -> None:
    with pytest.raises(Unframed):
        verdict(raw)

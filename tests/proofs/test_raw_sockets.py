"""Malformed HTTP on raw sockets, to the web server as it is deployed: framing, request lines, headers, bytes gone wrong.

What isn't HTTP, the web server refuses by itself, with a bare 4xx or by closing: counted apart. All else is ours.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse, IncompleteRead
from io import BytesIO
from itertools import islice

import pytest

from routing.models import Route
from tests.proofs.judge import is_whole
from tests.proofs.proof import Proof
from tests.proofs.served import granian, say
from tests.proofs.stand import Stand, all_contents, rows_left

BODY = b'{"total": 12.5}'
PLAIN = b"POST {path} HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
TYPED = PLAIN + b"Content-Type: application/json\r\n"
SIZED = TYPED + b"Content-Length: 15\r\n"
CHUNKED = TYPED + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = b"\r\n\r\n"

# fmt: off
WHOLE = [
    # request lines
    b"", b"\r\n", b"\n\n", b"\x00", b"GET", b"GET /", b"GET {path} HTTP/1.1" + EMPTY, b"GET {path}\r\n\r\n", b"get {path} HTTP/1.1\r\nHost: testserver" + EMPTY,
    b"POST {path} HTTP/0.9" + EMPTY, b"POST {path} HTTP/1.0" + EMPTY, b"POST {path} HTTP/2.0" + EMPTY, b"POST {path} HTTP/9.9" + EMPTY,
    b"POST {path} http/1.1" + EMPTY, b"POST {path}" + EMPTY, b"POST  {path}  HTTP/1.1" + EMPTY, b"POST\t{path}\tHTTP/1.1" + EMPTY, b" POST {path} HTTP/1.1" + EMPTY,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: testserver" + EMPTY, b"CONNECT testserver:80 HTTP/1.1\r\nHost: testserver" + EMPTY, b"TRACE {path} HTTP/1.1\r\nHost: testserver" + EMPTY,
    b"POST http://testserver{path} HTTP/1.1\r\nHost: testserver\r\nContent-Length: 0" + EMPTY, b"POST http://evil.example{path} HTTP/1.1\r\nHost: testserver\r\nContent-Length: 0" + EMPTY,
    b"POST //{path} HTTP/1.1\r\nHost: testserver" + EMPTY, b"POST {path}%00 HTTP/1.1\r\nHost: testserver" + EMPTY, b"POST {path}\x00 HTTP/1.1\r\nHost: testserver" + EMPTY, b"POST {path}\xff HTTP/1.1\r\nHost: testserver" + EMPTY,
    b"POST {path}#x HTTP/1.1\r\nHost: testserver" + EMPTY, b"POST ../..{path} HTTP/1.1\r\nHost: testserver" + EMPTY, b"POST " + b"/a" * 40_000 + b" HTTP/1.1\r\nHost: testserver" + EMPTY, b"B" * 70_000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    # headers
    PLAIN + EMPTY, SIZED + b"\r\n" + BODY, PLAIN + b"Content-Length: 15\r\n\r\n" + BODY, TYPED + b"Host: evil.example\r\nContent-Length: 15\r\n\r\n" + BODY, b"POST {path} HTTP/1.1\r\nConnection: close" + EMPTY,
    SIZED + b" folded: x\r\n\r\n" + BODY, SIZED + b"X: a\r\n b\r\n\r\n" + BODY, SIZED + b"X : a\r\n\r\n" + BODY, SIZED + b": a\r\n\r\n" + BODY, SIZED + b"X\r\n\r\n" + BODY, SIZED + b"X: \x00\r\n\r\n" + BODY, SIZED + b"X: \xff\r\n\r\n" + BODY, SIZED + b"X: a\rb\r\n\r\n" + BODY,
    SIZED + b"X\xc3\xa9: a\r\n\r\n" + BODY, SIZED + b"X: " + b"a" * 70_000 + b"\r\n\r\n" + BODY, SIZED + b"".join(b"X-%d: y\r\n" % n for n in range(300)) + b"\r\n" + BODY, SIZED + b"X_Forwarded_For: 127.0.0.1\r\n\r\n" + BODY,
    SIZED + b"Authorization: Bearer {token}\r\n\r\n" + BODY, SIZED + b"Authorization: Bearer wrong\r\n\r\n" + BODY, SIZED + b"X-API-Token: {token}\r\n\r\n" + BODY, SIZED + b"Content-Type: text/html\r\n\r\n" + BODY, SIZED + b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n" + BODY,
    SIZED + b"Expect: 100-continue\r\n\r\n" + BODY, SIZED + b"Expect: nonsense\r\n\r\n" + BODY, SIZED + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n" + BODY, SIZED + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n" + BODY, SIZED + b"Connection: Authorization\r\n\r\n" + BODY,
    SIZED + b"Content-Encoding: gzip\r\n\r\n" + BODY, SIZED.replace(b"application/json", b"application/json; charset=zlib_codec") + b"\r\n" + BODY, SIZED.replace(b"application/json", b"application/json; a*=x'y'z") + b"\r\n" + BODY,
    # lengths
    TYPED + b"Content-Length: 14\r\n\r\n" + BODY, TYPED + b"Content-Length: 16\r\n\r\n" + BODY, TYPED + b"Content-Length: 99999999999\r\n\r\n" + BODY, TYPED + b"Content-Length: -1\r\n\r\n" + BODY, TYPED + b"Content-Length: +15\r\n\r\n" + BODY, TYPED + b"Content-Length: 0x0f\r\n\r\n" + BODY,
    TYPED + b"Content-Length: 15, 15\r\n\r\n" + BODY, SIZED + b"Content-Length: 15\r\n\r\n" + BODY, SIZED + b"Content-Length: 3\r\n\r\n" + BODY, TYPED + b"Content-Length:\r\n\r\n" + BODY, TYPED + b"Content-Length: 15 \r\n\r\n" + BODY, TYPED + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n" + BODY, TYPED + b"\r\n" + BODY,
    TYPED + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, TYPED + b"Content-Length: 2000000\r\n\r\n" + b"x" * 100,
    # chunks
    CHUNKED + b"f\r\n" + BODY + b"\r\n0\r\n\r\n", CHUNKED + b"F;a=b\r\n" + BODY + b"\r\n0\r\n\r\n", CHUNKED + b"f\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n", CHUNKED + b"f\r\n" + BODY + b"\r\n", CHUNKED + b"f\r\n" + BODY, CHUNKED + b"ff\r\n" + BODY, CHUNKED + b"-1\r\n" + BODY, CHUNKED + b"g\r\n" + BODY, CHUNKED + b"\r\n", CHUNKED,
    CHUNKED + b"fffffffffffffffff\r\n" + BODY, CHUNKED + b"0f\n" + BODY + b"\n0\n\n", CHUNKED + b"f\r\n" + BODY + b"XX0\r\n\r\n", CHUNKED + b"1\r\n{\r\n" * 1 + b"0\r\n\r\n", SIZED + b"Transfer-Encoding: chunked\r\n\r\nf\r\n" + BODY + b"\r\n0\r\n\r\n", TYPED + b"Transfer-Encoding: gzip, chunked\r\n\r\nf\r\n" + BODY + b"\r\n0\r\n\r\n",
    TYPED + b"Transfer-Encoding: identity\r\n\r\n" + BODY, TYPED + b"Transfer-Encoding: xchunked\r\n\r\n" + BODY, TYPED + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n" + BODY + b"\r\n0\r\n\r\n", TYPED + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", TYPED + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n[\r\n" * 3_000 + b"0\r\n\r\n",
    # bodies
    *[TYPED + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in (b"", b"{", b"[" * 100_000, b'{"a":1e999}', b'"\\u0000"', b'"\\ud800"', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"null", b"NaN", b"\x00" * 50, b'{"total":1,"total":2}')],
    # two requests in one
    SIZED.replace(b"Connection: close\r\n", b"") + b"\r\n" + BODY + SIZED + b"\r\n" + BODY, SIZED + b"\r\n" + BODY + b"GET /dynamic/x HTTP/1.1\r\nHost: testserver" + EMPTY,
]
# fmt: on


def requests(seed: int, one_in: int) -> Iterator[bytes]:
    """WHOLE, or one in some of them, then what becomes of them when some bytes go wrong."""
    chance = random.Random(seed)
    yield from WHOLE[::one_in]
    while True:
        raw = bytearray(chance.choice(WHOLE)[:3_000])
        for _ in range(chance.randint(1, 3)):
            place = chance.randint(0, len(raw))
            wrong = [b"\r\n", b"\n", b"\x00", b" ", b":", b"\xff", b"%", b"/", b"\t", b"\r", b"chunked", b"0", b"{"]
            match chance.randrange(3):
                case 0:
                    raw[place:place] = chance.choice(wrong)
                case 1:
                    del raw[place : place + chance.randint(1, 8)]
                case _:
                    raw[place : place + 1] = bytes([chance.randrange(256)])
        yield bytes(raw)


def kinds_of(said: bytes) -> Iterator[tuple[str, str]]:
    """Of each answer in what came back: what it is, and the run that it names."""
    if not said:
        yield "closed by the web server", ""
    for answer, body in answers_in(said):
        own = answer.headers.get_content_type() == "application/problem+json"
        if answer.status >= 500:
            yield f"5xx: {answer.status}", ""
        elif answer.status < 300:
            yield "taken", answer.headers.get("X-Run-Id", "")
        elif own:
            yield ("refused" if not body or is_whole(json.loads(body), answer.status) else "not a whole problem"), ""
        elif not body and answer.status < 500:
            yield "refused by the web server", ""
        else:
            yield f"something else: {answer.status} {body[:80]!r}", ""


class Wire(BytesIO):
    """What came back, as the socket that HTTPResponse wants; it stays open from one answer to the next."""

    def makefile(self, mode: str) -> Wire:
        return self

    def close(self) -> None:
        pass


def answers_in(said: bytes) -> Iterator[tuple[HTTPResponse, bytes]]:
    wire = Wire(said)
    while wire.tell() < len(said):
        answer = HTTPResponse(wire, method="HEAD" if said.endswith(EMPTY) and said.count(EMPTY) == 1 else "GET")  # type: ignore[arg-type]
        answer.begin()
        try:
            yield answer, answer.read()
        except IncompleteRead as cut:  # the server closed on what it hadn't read, and the last chunk was lost with it
            yield answer, cut.partial


@pytest.mark.django_db(transaction=True)
def test_the_web_server_and_the_door_refuse_what_is_no_proper_request(proof: Proof) -> None:
    stand, contents, number = Stand(), all_contents(), proof.size(50, 3_000)
    kinds: Counter[str] = Counter()
    strange: list[tuple[str, bytes]] = []
    taken: set[str] = set()

    def send(place: int, raw: bytes) -> tuple[bytes, bytes]:
        route, token = stand.routes[place % 3]
        return raw, say(port, raw.replace(b"{path}", address(route)).replace(b"{token}", token.encode()))

    with granian() as port, ThreadPoolExecutor(CALLERS) as pool:
        for raw, said in pool.map(send, range(number), islice(requests(11, proof.size(3, 1)), number)):
            for kind, run in kinds_of(said):
                kinds[kind] += 1
                taken |= {run} - {""}
                if kind not in KNOWN and not FOR_PEOPLE.search(raw):
                    strange.append((kind, raw[:300]))
        alive = say(port, b"GET /healthz HTTP/1.0\r\n\r\n")
    left = rows_left(taken, contents)
    proof.count("raw requests", number)
    for kind in KNOWN:
        proof.count(kind, kinds[kind])
    proof.count("× 5xx or anything else", len(strange))
    proof.count("rows left", sum(left.values()))
    assert strange[:3] == []
    assert set(left.values()) == {0}, left
    assert b" 200 " in alive


def address(route: Route) -> bytes:
    return f"/dynamic/{route.pk}".encode()


CALLERS = 16
FOR_PEOPLE = re.compile(rb"(^|\n)[^ \n]* (http://[^ /]*)?/*(admin[^ ]*)?[?# ]")
"""A request line that names our home page, when its path went wrong: that answers people, in HTML."""

KNOWN = ("refused", "refused by the web server", "closed by the web server", "taken")

"""Values of all kinds in paths, queries, headers and bodies: on the wire each stays in its place, in one request."""

from __future__ import annotations

import json
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from flows.engine.loop import advance
from flows.engine.plan import compile_content
from flows.engine.state import State
from flows.ids import new_run_id
from integrations.door import RealDoor
from tests.integrations.makers import node
from tests.proofs.proof import Proof

ATOMS = ["\r\n", "\n", "\r", "\0", "\t", " ", "  ", "\x0b", "\x0c", "\x1f", "\x7f", "\x85", "\xa0", "\u2028", "\u2029"]
ATOMS += ["..", ".", "../", "/..", "/../..", "..\\", "\\", "/", "//", "./", "%2e", "%2e%2e", "%2E%2e%2f", "%2f", "%5c"]
ATOMS += ["%252e%252e%252f", "%00", "%0d%0a", "%", "%zz", "%u002e", "..;", ";", ":", "@", "#", "?", "&", "=", "+", ","]
ATOMS += ["．．", "／", "‥", "℀", "。", "\uff0e\uff0e\uff0f", "é", "ß", "日本", "🙂", "\ud800", "\ufeff", "\u202e", "İ"]
ATOMS += ["{{ payload.b }}", "{{", "}}", "${x}", "<x>", '"', "'", "a", "order-7", "0", "null", "true", "A" * 200]
ATOMS += [
    " HTTP/1.1",
    "HTTP/1.1\r\nHost: evil.test\r\n",
    "\r\nX-Evil: 1",
    "\r\n\r\nGET /evil HTTP/1.1\r\nHost: x\r\n\r\n",
]
ATOMS += [
    "Transfer-Encoding: chunked",
    "0\r\n\r\n",
    "Content-Length: 0",
    "http://evil.test/",
    "@evil.test",
    "//evil.test",
]
ATOMS += ["\u010d\u010a", "嘊嘍", "\r\n ", "\n\t"]  # some end in 0D and 0A where a byte of a character is cut off

PAIRS = [{"name": "q", "value": "{{ payload.c }}"}, {"name": "r", "value": "x{{ payload.a }}"}]
HEADERS = [{"name": "X-Value", "value": "{{ payload.d }}"}, {"name": "X-Part", "value": "v={{ payload.a }};"}]
PATH = "/v1/{{ payload.a }}/x{{ payload.b }}y/end"
BODIES: dict[str, Any] = {
    "none": None,
    "json": {"value": "{{ payload.c }}", "list": ["{{ payload.d }}"]},
    "form": {"value": "{{ payload.c }}", "other": "{{ payload.d }}"},
    "text": "value: {{ payload.c }}",
}
OURS = {"host", "accept", "user-agent", "accept-encoding", "connection"}


class Wire:
    """A server that keeps every byte of a connection, from its begin to its end."""

    def __init__(self) -> None:
        self.heard: SimpleQueue[bytes] = SimpleQueue()
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/base"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self.heard.put(self._listen(connection))

    def _listen(self, connection: socket.socket) -> bytes:
        raw, answered = b"", False
        while piece := connection.recv(65536):
            raw += piece
            if not answered and complete(raw):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                answered = True
        return raw

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def wire(settings: Any) -> Iterator[Wire]:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    found = Wire()
    yield found
    found.close()


@dataclass
class Request:
    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


def complete(raw: bytes) -> bool:
    head, blank, body = raw.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bool(blank) and len(body) >= (int(length[1]) if length else 0)


def read_one(raw: bytes) -> Request:
    """The one request that these bytes are, by the letter of RFC 9112."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    assert blank
    line, *rest = head.split(b"\r\n")
    assert not re.search(rb"[\r\n\0]", b"".join([line, *rest]))
    headers = []
    for text in rest:
        found = re.fullmatch(rb"([A-Za-z0-9-]+): ([\x20-\x7e\xa0-\xff]*)", text)
        assert found, text
        headers.append((found[1].lower(), found[2]))
    request = Request(line, headers, body)
    assert request.values(b"transfer-encoding") == []
    assert len(body) == int((request.values(b"content-length") or [b"0"])[0])
    return request


def check(raw: bytes, kind: str, method: str, payload: dict[str, str]) -> None:
    request = read_one(raw)
    found = re.fullmatch(rb"([A-Z]+) ([!-~]+) HTTP/1\.1", request.line)
    assert found
    path, _, query = found[2].partition(b"?")
    assert found[1] == method.encode()
    segments = [unquote_to_bytes(segment) for segment in path.split(b"/")]
    a, b, c, d = (payload[name].encode() for name in "abcd")
    assert segments == [b"", b"base", b"v1", a, b"x" + b + b"y", b"end"]
    assert not any(part in (b".", b"..") for segment in segments for part in re.split(rb"[/\\]", segment))
    assert not re.search(rb"[^A-Za-z0-9._~!$&'()*+,;=:@%/-]", path)
    assert pairs_of(query) == [(b"q", c), (b"r", b"x" + a)]
    more = {"x-value", "x-part"} | ({"content-length", "content-type", "idempotency-key"} if kind != "none" else set())
    assert Counter(name.decode() for name, _ in request.headers) == Counter(OURS | more)
    assert request.values(b"x-value") == [payload["d"].strip(" ").encode("latin-1")]
    assert request.values(b"x-part") == [f"v={payload['a']};".encode("latin-1")]
    assert body_holds(request.body, kind, c, d)


def pairs_of(encoded: bytes) -> list[tuple[bytes, ...]]:
    """Of a query or a form."""
    assert not re.search(rb"[^A-Za-z0-9._~*%+=&-]", encoded)
    return [tuple(map(unquote_to_bytes, pair.replace(b"+", b" ").split(b"="))) for pair in encoded.split(b"&")]


def body_holds(body: bytes, kind: str, c: bytes, d: bytes) -> bool:
    if kind == "json":
        return bool(json.loads(body) == {"value": c.decode(), "list": [d.decode()]})
    if kind == "form":
        return pairs_of(body) == [(b"value", c), (b"other", d)]
    return body == (b"value: " + c if kind == "text" else b"")


def flow(wire: Wire) -> dict[str, Any]:
    """A content whose step 2 to 5 call with each kind of body; a run enters at one of them."""
    connection = {"address": wire.address, "auth": {"kind": "none", "name": ""}, "secret": None, "pretend": False}
    shared = {"connection": "shop", "path": PATH, "query": PAIRS, "headers": HEADERS, "decides": "code"}
    shared |= {"base_element": "", "timeout_seconds": 10, "repeat": "never"}
    endpoints = {
        kind: {**shared, "method": method_of(kind), "body": body, "body_type": kind} for kind, body in BODIES.items()
    }
    steps = [
        node(number, "api_integration", {"endpoint": kind}, yes=6, no=6) for number, kind in enumerate(BODIES, start=2)
    ]
    about = {"slug": "wire", "name": "Wire", "kind": "dynamic_api"}
    nodes = [{**each, "name": f"node_{each['number']}"} for each in [node(1, next=2), *steps, node(6, "api_end")]]
    return {
        "flow": about,
        "environment": "production",
        "nodes": nodes,
        "definitions": {"connection": {"shop": connection}, "endpoint": endpoints},
    }


def method_of(kind: str) -> str:
    return "GET" if kind == "none" else "POST"


class Maker:
    """Values from a seed: most are made of what has broken others, some are harmless."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def payload(self) -> dict[str, str]:
        """One value is odd, or all are."""
        odd = self.random.choice([*"abcd", "abcd"])
        return {name: self.value() if name in odd else self.random.choice(["a", "order 7", "1.5"]) for name in "abcd"}

    def value(self) -> str:
        return "".join(self.random.choice(ATOMS) for _ in range(self.random.choice([1, 1, 1, 2, 3, 5])))


def test_a_value_stays_in_its_place(proof: Proof, wire: Wire) -> None:
    made, count = Maker(20261121), proof.size(600, 10_000)
    plan = compile_content(flow(wire), "0" * 64)
    kinds = list(BODIES)
    outcomes: Counter[str] = Counter()
    for number in range(count):
        payload, kind = made.payload(), kinds[number % len(kinds)]
        cursor = 2 + number % len(kinds)
        state = State(run_id=str(new_run_id()), given={"payload": payload}, plan=plan.sha256, cursor=cursor)
        trace: list[Any] = []
        before = wire.connections
        advance(plan, state, RealDoor(1), trace, max_steps=5)
        if trace[0].exit == "yes":
            check(wire.heard.get(timeout=10), kind, method_of(kind), payload)
            outcomes["sent"] += 1
        else:
            outcomes[trace[0].error["code"]] += 1
            assert wire.connections == before, "what was refused was sent"
        assert wire.connections <= before + 1
    proof.count("calls with such values", count)
    for outcome, number in outcomes.items():
        proof.count(outcome, number)
    proof.count("requests that weren't exactly one, as asked for", 0)
    assert wire.heard.empty()
    assert set(outcomes) == {"sent", "bad_path", "call_not_built"}
    assert all(number > count // 20 for number in outcomes.values()), outcomes

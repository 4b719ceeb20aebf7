"""A service that flows call. It counts what arrived and what it applied, by order and step: the judge of every effect."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.chaos.world import CALL_SECONDS

Action = tuple[str, int]
"""An order, and the step of its flow that acts on it."""

SLOWEST_SECONDS = 0.04
"""Of an ordinary answer, half before the action and half after it: kills fall into either."""


class Target:
    """At `url`: POST /honour/… applies a key once, POST /ignore/… applies whatever comes, GET /look/… applies nothing.

    An order whose name begins with `held` waits until `release` is called, after it was applied.
    """

    def __init__(self, seed: int = 0) -> None:
        self.arrived: Counter[Action] = Counter()
        self.applied: Counter[Action] = Counter()
        self.waiting: Counter[Action] = Counter()
        self._keys: set[str] = set()
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._gate = threading.Event()
        self._server = Server(("127.0.0.1", 0), handler(self))
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.1], name="target", daemon=True).start()

    def hold(self) -> None:
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def forget(self) -> None:
        """Count anew, for the next scenario. Keys are kept for ever."""
        with self._lock:
            for counted in (self.arrived, self.applied, self.waiting):
                counted.clear()

    def act(self, action: Action, key: str) -> None:
        """Apply it, unless `key` was seen before. An empty key is never remembered."""
        pause = self._random.random() * SLOWEST_SECONDS
        time.sleep(pause / 2)
        with self._lock:
            self.arrived[action] += 1
            if key not in self._keys:
                self.applied[action] += 1
            if key:
                self._keys.add(key)
        if action[0].startswith("held"):
            self.waiting[action] += 1
            self._gate.wait(CALL_SECONDS)
        time.sleep(pause / 2)

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed isn't worth a line."""


def handler(target: Target) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            honours = self.path.startswith("/honour/")
            target.act((body["order"], body["step"]), self.headers["Idempotency-Key"] if honours else "")
            self.answer({"applied": True})

        def do_GET(self) -> None:
            self.answer({"order": self.path.rpartition("/")[2]})

        def answer(self, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler

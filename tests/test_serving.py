"""`python3 start.py`, as somebody types it: everything starts, answers over real parts, and is gone afterwards."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from launch.install import holds
from launch.serve import free_port, refuse_taken_port

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 50

pytestmark = [
    pytest.mark.skipif(not holds("requirements-dev.txt"), reason="it would install: run python3 start.py test"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks for processes in /proc"),
]


class Served:
    """A start.py that is ready, and what it printed until then."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_port()
        command = [sys.executable, "start.py", "--port", str(self.port), "--data", str(data)]
        plain = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=plain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.printed = "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield line
            if "Ctrl-C" in line:
                return

    def curl(self, flow: str) -> Request:
        """The demo's own curl line for a flow, as a request."""
        words = shlex.split(self.printed.partition(f"{flow} (")[2].splitlines()[1])
        headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
        url = next(word for word in words if word.startswith("http"))
        return Request(url, words[words.index("-d") + 1].encode(), headers)

    def processes(self) -> set[int]:
        """Whoever works on this data directory."""
        wanted = f"DATA_DIR={self.data}".encode()
        return {int(file.parent.name) for file in Path("/proc").glob("[0-9]*/environ") if wanted in environ(file)}


def environ(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().split(b"\0")
    except OSError:  # it has just ended
        return []


def answer(request: Request | str) -> tuple[int, Any]:
    with urlopen(request, timeout=30) as response:
        return response.status, json.loads(response.read())


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "It never came true."
        time.sleep(0.05)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    one = Served(tmp_path_factory.mktemp("served"))
    yield one
    one.process.send_signal(signal.SIGTERM)
    one.process.communicate(timeout=PATIENCE_SECONDS)


def test_every_part_is_up_when_it_says_so(served: Served) -> None:
    assert "Chatflow is ready" in served.printed
    assert answer(f"http://127.0.0.1:{served.port}/readyz")[1]["status"] == "ok"


def test_the_curl_line_of_a_synchronous_flow_is_answered(served: Served) -> None:
    assert answer(served.curl("order-total")) == (
        200,
        {"rate": 0.19, "text": "Your total is 154.58 EUR.", "total": 154.581},
    )


def test_the_curl_line_of_an_asynchronous_flow_reaches_a_worker(served: Served) -> None:
    request = served.curl("lead-intake")
    status, accepted = answer(request)
    assert (status, accepted["status"]) == (202, "accepted")
    token = {"Authorization": request.get_header("Authorization") or ""}
    wait_until(lambda: answer(Request(accepted["status_url"], headers=token))[1]["state"] == "succeeded")
    log = (served.data / "logs" / "worker.log").read_text()
    assert accepted["run_id"] in log


def test_callers_who_send_half_a_body_leave_the_others_their_answers(served: Served) -> None:
    """More of them than a web server usually has threads."""
    request = served.curl("order-total")
    head = f"POST {request.selector} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {request.get_header('Authorization')}\r\n"
    half = f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode()
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port))).sendall(half)
        assert answer(served.curl("lead-intake"))[0] == 202
        assert answer(f"http://127.0.0.1:{served.port}/readyz")[0] == 200


def test_manage_works_on_what_is_served(served: Served) -> None:
    plain = {"PATH": os.environ["PATH"], "DATA_DIR": str(served.data)}
    command = [sys.executable, "manage.py", "flow", "list", "--entity", "demo"]
    done = subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True, timeout=60)
    assert "order-total" in done.stdout


def test_a_worker_that_was_killed_comes_back(served: Served) -> None:
    log = served.data / "logs" / "worker.log"
    before = log.read_text().count(" ready.")
    worker = next(
        pid for pid in served.processes() if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    )
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: log.read_text().count(" ready.") > before)


def test_nothing_is_left_after_a_stop(served: Served) -> None:
    assert len(served.processes()) >= 5
    served.process.send_signal(signal.SIGINT)
    rest, _ = served.process.communicate(timeout=PATIENCE_SECONDS)
    assert rest.rstrip().endswith("Stopping ...")
    assert served.process.returncode == 0
    assert served.processes() == set()
    refuse_taken_port(served.port)

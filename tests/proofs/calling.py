"""A process that does nothing but call, so that its memory is that of the calls: one JSON object a line, in and out.

In: the url, and `method`, `kilobytes` of body, `timeout_seconds`, `scope`. Out: `outcome` (a failure's code, else the
status), `sent`, `seconds`, and `peak_kib`, the most memory that the process ever had.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.proofs.proof import HERE


@dataclass
class Caller:
    """The other end of such a process."""

    process: subprocess.Popen[str]

    def call(self, url: str, **wanted: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"url": url, **wanted}) + "\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


@contextmanager
def caller(**env: str) -> Iterator[Caller]:
    command = [sys.executable, "-m", "tests.proofs.calling"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=HERE.parent.parent, env=os.environ | env, stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            yield Caller(process)
        finally:
            assert process.stdin
            process.stdin.close()


def serve() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    from django.conf import settings

    from integrations import kept, sockets

    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    kept.REST_SECONDS = 0.0
    really = sockets.resolve
    sockets.resolve = lambda host, port: really("127.0.0.1" if host.endswith(".test") else host, port)
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)


def answer(
    url: str, method: str = "GET", kilobytes: int = 0, timeout_seconds: float = 3.0, scope: str = ""
) -> dict[str, Any]:
    from integrations.http import CallFailed, OutboundRequest, send

    body = bytes(1024 * kilobytes) if kilobytes else None
    request = OutboundRequest(method, url, (), body, timeout_seconds, scope, bool(scope))
    began = time.monotonic()
    try:
        told: dict[str, Any] = {"outcome": send(request).status, "sent": True}
    except CallFailed as failed:
        told = {"outcome": failed.code, "sent": failed.sent}
    return told | {
        "seconds": time.monotonic() - began,
        "peak_kib": peak_kib(),
    }


def peak_kib() -> int:
    """Not ru_maxrss, which counts what the process was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0])


if __name__ == "__main__":
    serve()

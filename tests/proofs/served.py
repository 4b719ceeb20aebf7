"""A real web server on the test's database, and a raw way to talk to it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

from launch.serve import answers, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
READY_SECONDS, SILENT_SECONDS, ANSWER_SECONDS = 60, 2, 20


def database_url() -> str:
    """Of the database that this test works on."""
    name = connection.settings_dict["NAME"]
    given = os.environ.get("TEST_DATABASE_URL", "")
    return urlsplit(given)._replace(path=f"/{name}").geturl() if given else f"sqlite:///{name}"


@contextlib.contextmanager
def granian() -> Iterator[int]:
    """The port of a granian with one process, and more threads than we have callers: some hold one by half a request."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "40", "chatflow.wsgi:application"]
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "chatflow.settings",
        "DATABASE_URL": database_url(),
        "LOG_LEVEL": "CRITICAL",
    }
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=env, **quiet) as server:
        try:
            end = time.monotonic() + READY_SECONDS
            while not answers(f"http://127.0.0.1:{port}/healthz"):
                assert server.poll() is None, "The web server ended."
                assert time.monotonic() < end, "The web server didn't start."
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()
            server.wait()


def say(port: int, raw: bytes) -> bytes:
    """Everything that comes back for these bytes on a connection of their own.

    Who hears nothing for a while has said all that he will: only then his side is closed, since the web server drops a
    request that is being answered with its connection.
    """
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SILENT_SECONDS) as wire, contextlib.suppress(OSError):
        wire.sendall(raw)
        try:
            while portion := wire.recv(65536):
                heard += portion
        except TimeoutError:
            wire.settimeout(ANSWER_SECONDS)
            wire.shutdown(socket.SHUT_WR)
            while portion := wire.recv(65536):
                heard += portion
    return heard

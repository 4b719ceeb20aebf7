"""Fixtures for tests that go through the door: loopback allowed or not, names that resolve as the test says."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integrations import sockets
from integrations.http import CallFailed, OutboundRequest, send
from tests.integrations.servers import Script, Server

Serve = Callable[..., Server]
Names = dict[str, list[str]]


@pytest.fixture
def loopback(settings: Any) -> None:
    """Calls to loopback are allowed, by the operator's setting."""
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def serve(loopback: None) -> Iterator[Serve]:
    """Start servers; they end with the test."""
    started: list[Server] = []

    def start(script: Script, **options: Any) -> Server:
        started.append(Server(script, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Names and what they resolve to. Numbers resolve as the system reads them; nothing asks a real DNS."""
    table: Names = {}

    def resolve(host: str, port: int) -> list[tuple[int, Any]]:
        found: list[tuple[int, Any]] = []
        for text in table.get(host, [host]):
            infos = socket.getaddrinfo(text, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            found += [(info[0], info[4]) for info in infos]
        return found

    monkeypatch.setattr(sockets, "resolve", resolve)
    return table


def get(url: str, **fields: Any) -> Any:
    return send(OutboundRequest("GET", url, **fields))


def failure(request: OutboundRequest | str, **options: Any) -> CallFailed:
    """How the call fails; it has to."""
    if isinstance(request, str):
        request = OutboundRequest("GET", request, timeout_seconds=options.pop("timeout_seconds", 5))
    with pytest.raises(CallFailed) as caught:
        send(request, **options)
    return caught.value

"""Forbidden targets through the whole door: nothing connects to them, whatever they are called."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from integrations import sockets
from integrations.addresses import may_connect
from integrations.building import build_url
from integrations.http import CallFailed, CallNotBuilt, OutboundRequest, send
from tests.integrations.doors import Names, Serve, failure, get
from tests.integrations.servers import answer
from tests.integrations.targets import (
    FORBIDDEN_ADDRESSES,
    FORBIDDEN_NAMES,
    FORBIDDEN_SPELLINGS,
    PUBLIC_ADDRESSES,
    REFUSED_URLS,
)

pytestmark = pytest.mark.pure


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch, names: Names) -> list[str]:
    """The addresses that sockets were told to connect to; none gets further."""
    log: list[str] = []

    def connect(self: socket.socket, address: Any) -> None:
        log.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(sockets.PlainSocket, "connect", connect, raising=False)
    return log


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("address", FORBIDDEN_ADDRESSES)
def test_a_forbidden_address_is_not_connected_to(connects: list[str], scheme: str, address: str) -> None:
    request = OutboundRequest("GET", f"{scheme}://{bracketed(address)}/")
    with pytest.raises((CallFailed, CallNotBuilt)) as caught:
        send(request)
    assert connects == []
    assert caught.value.code == ("call_not_built" if "%" in address else "target_not_allowed")


@pytest.mark.parametrize("spelling", FORBIDDEN_SPELLINGS)
def test_a_forbidden_address_is_not_connected_to_however_it_is_written(connects: list[str], spelling: str) -> None:
    with pytest.raises((CallFailed, CallNotBuilt)):
        get(build_url(f"http://{spelling}/", ""))
    with pytest.raises((CallFailed, CallNotBuilt)):
        get(f"http://{spelling}/")
    assert connects == []


@pytest.mark.parametrize(("name", "addresses"), FORBIDDEN_NAMES.items())
def test_one_forbidden_address_spoils_the_name(
    connects: list[str], names: Names, name: str, addresses: list[str]
) -> None:
    names[name] = names[name.rstrip(".")] = names[name.lower()] = addresses
    failed = failure(f"https://{name}/")
    assert (failed.code, failed.sent) == ("target_not_allowed", False)
    assert connects == []
    assert not any(address in failed.message + failed.hint for address in addresses)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_that_could_be_read_in_two_ways_is_not_built(connects: list[str], names: Names, url: str) -> None:
    names["public.test"] = ["93.184.216.34"]
    with pytest.raises((CallNotBuilt, CallFailed)) as caught:
        get(url)
    assert caught.value.code == "call_not_built"
    assert connects == []


def test_a_name_that_changes_its_address_is_judged_each_time(
    connects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"] * 250)

    def rebinding(host: str, port: int) -> list[tuple[int, Any]]:
        return [(socket.AF_INET, (next(answers), port))]

    monkeypatch.setattr(sockets, "resolve", rebinding)
    codes = [failure("https://rebinding.test/").code for _ in range(500)]
    assert codes == ["could_not_connect", "target_not_allowed"] * 250
    assert set(connects) == {"93.184.216.34"}


def test_a_socket_that_ends_up_elsewhere_is_closed(names: Names, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(answer())
    monkeypatch.setattr(sockets, "may_connect", lambda text, port, **_: text != "127.0.0.1")
    names["diverted.test"] = ["127.0.0.2"]
    really = socket.socket.connect
    monkeypatch.setattr(
        sockets.PlainSocket, "connect", lambda self, address: really(self, ("127.0.0.1", server.port)), raising=False
    )
    assert failure(server.url(host="diverted.test")).code == "target_not_allowed"
    assert server.requests == []


def test_a_link_local_scope_is_refused(connects: list[str], monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["::/0"]
    monkeypatch.setattr(sockets, "resolve", lambda host, port: [(socket.AF_INET6, ("fe80::1", port, 0, 2))])
    assert failure("https://scoped.test/").code == "target_not_allowed"
    assert connects == []


def test_our_own_public_name_is_refused(connects: list[str], names: Names, settings: Any) -> None:
    settings.PUBLIC_URL = "https://flows.example.com"
    settings.ALLOWED_HOSTS = ["Alias.example.com", ".example.org"]
    names["flows.example.com"] = names["api.example.com"] = ["93.184.216.34"]
    names["alias.example.com"] = ["93.184.216.34"]
    assert failure("https://flows.example.com/dynamic/x").code == "target_not_allowed"
    assert failure("https://FLOWS.example.com./dynamic/x").code == "target_not_allowed"
    assert failure("https://alias.example.com/dynamic/x").code == "target_not_allowed"
    assert failure("https://api.example.com/").code == "could_not_connect"
    assert connects == ["93.184.216.34"]


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_public_address_is_connected_to(connects: list[str], names: Names, address: str) -> None:
    names["public.test"] = [address]
    assert failure("https://public.test/").code == "could_not_connect"
    assert connects == [address]


def test_a_name_in_any_script_is_looked_up_in_ascii(connects: list[str], names: Names) -> None:
    names["xn--mnchen-3ya.test"] = ["93.184.216.34"]
    assert failure(build_url("https://MÜNCHEN.test", "/x")).code == "could_not_connect"
    assert connects == ["93.184.216.34"]


def test_few_addresses_of_many_are_tried(connects: list[str], names: Names) -> None:
    names["many.test"] = [f"93.184.216.{number}" for number in range(50)]
    assert failure("https://many.test/").code == "could_not_connect"
    assert connects == [f"93.184.216.{number}" for number in range(sockets.MAX_ADDRESSES_TRIED)]


def test_without_the_operator_s_word_loopback_is_out_of_reach(serve: Serve, settings: Any) -> None:
    server = serve(answer(b"secret"))
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    for host in ("127.0.0.1", "127.0.0.2", "0.0.0.0", "2130706433", "[::ffff:127.0.0.1]"):
        assert failure(f"http://{host}:{server.port}/").code == "target_not_allowed"
    assert server.connections == 0
    assert not may_connect("127.0.0.1", server.port)

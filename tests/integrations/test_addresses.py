"""The address policy against a table of its own, written from the IANA registries, and against every known spelling."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.addresses import may_connect
from tests.integrations.targets import FORBIDDEN_ADDRESSES, PUBLIC_ADDRESSES

pytestmark = pytest.mark.pure

# First and last address of every block that isn't public. v4: RFC 6890 and its updates, class D and E, Azure's metadata.
SPECIAL_V4 = """
0.0.0.0-0.255.255.255 10.0.0.0-10.255.255.255 100.64.0.0-100.127.255.255 127.0.0.0-127.255.255.255
168.63.129.16-168.63.129.16 169.254.0.0-169.254.255.255 172.16.0.0-172.31.255.255 192.0.0.0-192.0.0.255
192.0.2.0-192.0.2.255 192.88.99.0-192.88.99.255 192.168.0.0-192.168.255.255 198.18.0.0-198.19.255.255
198.51.100.0-198.51.100.255 203.0.113.0-203.0.113.255 224.0.0.0-255.255.255.255
"""
# v6: what is outside 2000::/3, and within it 2001::/23, documentation, 6to4. The v4-mapped block is judged as v4.
SPECIAL_V6 = """
::-1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001::-2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff
2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002::-2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff
3fff::-3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff 4000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
"""
MAPPED = int(IPv6Address("::ffff:0:0"))


def _ranges(text: str) -> list[tuple[int, int]]:
    return [(int(ip_address(first)), int(ip_address(last))) for first, last in (row.split("-") for row in text.split())]


RANGES = {4: _ranges(SPECIAL_V4), 6: _ranges(SPECIAL_V6)}


def is_special(version: int, number: int) -> bool:
    if version == 6 and MAPPED <= number < MAPPED + 2**32:
        return is_special(4, number - MAPPED)
    return any(first <= number <= last for first, last in RANGES[version])


def _near(version: int) -> st.SearchStrategy[int]:
    edges = [edge for bounds in RANGES[version] for edge in bounds]
    top = 2 ** (32 if version == 4 else 128) - 1
    return st.tuples(st.sampled_from(edges), st.integers(-3, 3)).map(lambda pair: min(max(sum(pair), 0), top))


V4 = st.one_of(st.integers(0, 2**32 - 1), _near(4))
V6 = st.one_of(
    st.integers(0, 2**128 - 1), _near(6), V4, V4.map(lambda n: MAPPED + n), st.integers(2**125, 2**125 + 2**120)
)


@settings(max_examples=1000, deadline=None)
@given(V4, V6)
def test_an_address_is_refused_exactly_if_it_is_special(four: int, six: int) -> None:
    assert may_connect(str(IPv4Address(four)), 443) != is_special(4, four)
    assert may_connect(str(IPv6Address(six)), 443) != is_special(6, six)


@pytest.mark.parametrize("address", FORBIDDEN_ADDRESSES)
def test_inner_and_special_addresses_are_refused(address: str) -> None:
    assert not may_connect(address, 443)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_are_allowed(address: str) -> None:
    assert may_connect(address, 443)


@pytest.mark.parametrize("port", [80, 443, 8443])
def test_ports_of_the_web_are_allowed(port: int) -> None:
    assert may_connect("8.8.8.8", port)


@pytest.mark.parametrize("port", [22, 25, 53, 3306, 5432, 6379, 8000, 8080, 9200])
def test_other_ports_are_refused(port: int) -> None:
    assert not may_connect("8.8.8.8", port)


def test_an_allowed_network_is_allowed_on_every_port_and_allows_nothing_else(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["10.1.0.0/16", "fd00:1::/32"]
    assert may_connect("10.1.2.3", 5432)
    assert may_connect("::ffff:10.1.2.3", 443)
    assert may_connect("fd00:1::5", 8000)
    for refused in ("10.2.0.1", "127.0.0.1", "169.254.169.254", "fd00:2::1", "::ffff:10.2.0.1", "64:ff9b::10.1.2.3"):
        assert not may_connect(refused, 443)
    assert not may_connect("8.8.8.8", 5432)


def test_an_allowed_network_may_be_allowed_on_one_port_only(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1:8000", "10.1.0.0/16:443", "[fd00:1::/32]:8443", "8.8.8.8:53"]
    for address, port in (("127.0.0.1", 8000), ("::ffff:127.0.0.1", 8000), ("10.1.9.9", 443), ("fd00:1::9", 8443)):
        assert may_connect(address, port)
        assert not may_connect(address, port + 1)
    assert may_connect("8.8.8.8", 53)
    assert may_connect("8.8.8.8", 443)  # as ever


@pytest.mark.parametrize(
    "text", ["10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "fd00::1]:80", "[10.0.0.1:80", "[]:80", ":80"]
)
def test_an_allowed_port_that_can_not_be_read_is_named(settings: Any, text: str) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = [text]
    with pytest.raises(ImproperlyConfigured):
        may_connect("8.8.8.8", 443)


def test_an_allowed_network_of_one_version_says_nothing_about_the_other(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["0.0.0.0/0"]
    assert may_connect("127.0.0.1", 1)
    assert not may_connect("::1", 443)


def test_a_scope_id_is_refused_even_in_an_allowed_network(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["::/0"]
    assert not may_connect("fe80::1%eth0", 443)


def test_our_own_name_needs_the_operator_s_word(settings: Any) -> None:
    assert not may_connect("8.8.8.8", 443, to_ourselves=True)
    settings.OUTBOUND_ALLOWED_NETWORKS = ["8.8.8.8"]
    assert may_connect("8.8.8.8", 443, to_ourselves=True)


def test_a_network_that_can_not_be_read_is_named(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["10.0.0.1/8"]
    with pytest.raises(ImproperlyConfigured, match=r"10\.0\.0\.1/8"):
        may_connect("8.8.8.8", 443)

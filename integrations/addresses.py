"""Which addresses may be called: public unicast ones, and what the operator allows.

Judged is always the address a socket connects to, never a name or the text of a URL: resolvers accept `2130706433`,
`0x7f.1` and `①②⑦.⓪.⓪.①` for 127.0.0.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC_PORTS = frozenset({80, 443, 8443})
"""Ports of public addresses. For what the operator allows, the operator names the ports."""

# The IANA registries of special-purpose addresses, and what `ipaddress.is_global` of Python 3.11 lets through. Written out
# here, so that the policy doesn't change with the version of Python.
REFUSED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; also metadata of Alibaba Cloud
        "127.0.0.0/8",
        "168.63.129.16/32",  # metadata of Azure
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; also metadata of Oracle Cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
        "::/96",  # unspecified, loopback, v4-compatible
        "64:ff9b::/96",  # NAT64: leads to any v4 address
        "64:ff9b:1::/48",
        "100::/64",  # discard
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: leads to any v4 address
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",  # private
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)
_WITH_PORT = re.compile(r"(?:(?P<v4>[0-9./]+)|\[(?P<v6>[^\]]+)\]):(?P<port>[0-9]{1,5})", re.ASCII)


class Allowed(NamedTuple):
    """What the operator allows: a network, on one port or, with 0, on all."""

    network: Network
    port: int = 0


PUBLIC_IPV6 = IPv6Network("2000::/3")
"""Nothing outside of it is assigned as a public address."""


def is_public(address: Address) -> bool:
    """Whether this is an address of the public internet that belongs to one machine."""
    if isinstance(address, IPv6Address) and address not in PUBLIC_IPV6:
        return False
    return not any(address in network for network in REFUSED) and address.is_global and not address.is_reserved


def may_connect(text: str, port: int, *, to_ourselves: bool = False) -> bool:
    """Whether a socket may be connected to this address, as a resolver or the peer's name gives it.

    A call to our own public name (`to_ourselves`) would be a flow that calls flows in a circle: it needs the operator's word.
    """
    if "%" in text:  # a scope id: link-local, whatever the address says
        return False
    address = _unwrapped(ip_address(text))
    if any(address in allowed.network and allowed.port in (0, port) for allowed in allowed_networks()):
        return True
    return is_public(address) and port in PUBLIC_PORTS and not to_ourselves


def is_our_own(host: str) -> bool:
    """Whether this is a host name of this installation: that of PUBLIC_URL, or another one that it answers to."""
    ours = {urlsplit(settings.PUBLIC_URL).hostname, *map(str.lower, settings.ALLOWED_HOSTS)}
    return host.rstrip(".").lower() in ours


def allowed_networks() -> tuple[Allowed, ...]:
    """OUTBOUND_ALLOWED_NETWORKS, as it is now."""
    return _parsed(tuple(settings.OUTBOUND_ALLOWED_NETWORKS))


@lru_cache(maxsize=16)
def _parsed(texts: Iterable[str]) -> tuple[Allowed, ...]:
    try:
        return tuple(_entry(text.strip()) for text in texts)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"OUTBOUND_ALLOWED_NETWORKS: {error}. Give networks like 10.1.0.0/16 or fd00::/8, or one port of them like"
            " 10.1.2.3:8443 or [fd00::1]:8443, separated by commas."
        ) from None


def _entry(text: str) -> Allowed:
    with_port = _WITH_PORT.fullmatch(text)
    if not with_port:
        return Allowed(ip_network(text))
    port = int(with_port["port"])
    if not 1 <= port <= 65535:
        raise ValueError(f"{text!r} has a port that doesn't exist")
    return Allowed(ip_network(with_port["v4"] or with_port["v6"]), port)


def _unwrapped(address: Address) -> Address:
    """The v4 address within `::ffff:a.b.c.d`: that is where such a socket connects to."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address

"""The allow-list of a route: which addresses may call it.

    203.0.113.7; 198.51.100.0/24; 2001:db8::/32

Addresses and networks, version 4 and 6, separated by semicolons; a bare address is a network of one. An empty list
admits nobody. `0.0.0.0/0` is every IPv4 address and `::/0` every IPv6 address, neither is both. An IPv4 address in
IPv6 clothes (`::ffff:203.0.113.7`) is that IPv4 address, in the list and in a caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_ENTRIES = 200
"""Each is looked at on every request; who needs more means a network."""

MAX_NAMED = 5
"""Wrong entries named in one message."""

_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_MAPPED_BITS = 96


class AllowListRefused(ValueError):
    """The text isn't an allow-list. The message names each wrong entry and says what was probably meant."""


@dataclass(frozen=True)
class AllowList:
    """Networks in canonical order: IPv4 first, then by address, then the wider one. `str()` is the canonical text."""

    networks: tuple[Network, ...] = ()

    def admits(self, address: Address | None) -> bool:
        """Whether this address may call. No address (one that couldn't be read) is never admitted."""
        if address is None:
            return False
        plain = unwrapped(address)
        return any(plain in network for network in self.networks)

    @property
    def warnings(self) -> list[str]:
        """What a person should know before saving this."""
        if not self.networks:
            return ["The list is empty, so every call is refused."]
        versions = [network.version for network in self.networks if network.prefixlen == 0]
        return [f"{_EVERYBODY[version]}: only the token protects the route from them." for version in versions]

    def __str__(self) -> str:
        return "; ".join(map(str, self.networks))


_EVERYBODY = {4: "0.0.0.0/0 lets every IPv4 address in", 6: "::/0 lets every IPv6 address in"}


@lru_cache(maxsize=1024)
def parse(text: str) -> AllowList:
    """The allow-list that `text` means; blanks and empty entries are dropped, equal networks merged."""
    networks: set[Network] = set()
    wrong: list[str] = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        try:
            networks.add(_network(entry))
        except ValueError as error:
            wrong.append(f"“{_shown(entry)}”: {error}")
    if wrong:
        more = f" And {len(wrong) - MAX_NAMED} more." if len(wrong) > MAX_NAMED else ""
        raise AllowListRefused(" ".join(wrong[:MAX_NAMED]) + more)
    if len(networks) > MAX_ENTRIES:
        raise AllowListRefused(
            f"The list has {len(networks)} entries; {MAX_ENTRIES} is the limit. Join neighbours into networks."
        )
    return AllowList(tuple(sorted(networks, key=lambda n: (n.version, int(n.network_address), n.prefixlen))))


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped IPv6 address; any other address as it is."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _network(entry: str) -> Network:
    if re.search(r"[\s,]", entry):
        raise ValueError("is more than one entry. Separate entries with a semicolon.")
    if "%" in entry:
        raise ValueError("names a network interface. Leave out the part from the “%” on.")
    written, slash, prefix = entry.partition("/")
    try:
        address = ip_address(written)
    except ValueError:
        raise ValueError(f"is not an IP address or network.{_advice(written)}") from None
    if not slash:
        return ip_network(unwrapped(address))
    if not _PREFIX.fullmatch(prefix) or int(prefix) > address.max_prefixlen:
        raise ValueError(f"needs a number from 0 to {address.max_prefixlen} after the slash.")
    network = _plain(ip_network((address, int(prefix)), strict=False))
    if network.network_address != (unwrapped(address) if isinstance(network, IPv4Network) else address):
        raise ValueError(
            f"is an address inside a network. Write {network} for the network, or {unwrapped(address)} for one address."
        )
    return network


def _plain(network: Network) -> Network:
    """A network of IPv4-mapped addresses as the IPv4 network that it is."""
    inner = network.network_address
    if isinstance(inner, IPv6Address) and inner.ipv4_mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return ip_network((inner.ipv4_mapped, network.prefixlen - _MAPPED_BITS))
    return network


def _advice(written: str) -> str:
    if re.fullmatch(r"\d+(\.\d+){3}:\d+", written) or written.startswith("["):
        return " Leave out the port and the brackets."
    if re.fullmatch(r"[0-9.]+", written) and re.search(r"(^|\.)0\d", written):
        return " Leave out the leading zeros."
    if "*" in written:
        return " Write a network like 198.51.100.0/24 in place of the star."
    if re.search(r"[g-zG-Z]", written):
        return " Host names can't be used, only addresses."
    return ""


def _shown(entry: str) -> str:
    return entry if len(entry) <= 60 else entry[:60] + "…"

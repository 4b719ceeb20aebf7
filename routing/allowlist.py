"""The allow-list of a route: which addresses may call it.

    203.0.113.7; 198.51.100.0/24; 2001:db8::/32

    192.0.2.0/28 until 2027-03-31 # the old data centre
    203.0.113.7 # Ann's office

Addresses and networks, version 4 and 6, separated by semicolons or line breaks; a bare address is a network of one. An
empty list admits nobody. `0.0.0.0/0` is every IPv4 address and `::/0` every IPv6 address, neither is both. An IPv4
address in IPv6 clothes (`::ffff:203.0.113.7`) is that IPv4 address, in the list and in a caller.

An entry with an end admits callers to the end of the day it names, in UTC, and nobody from then on. What stands behind
the `#` is a note for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_ENTRIES = 200
"""Each is looked at on every request; who needs more means a network."""

MAX_NOTE_CHARS = 100
MAX_NAMED = 5
"""Wrong entries named in one message."""

SOON_DAYS = 14
"""An end that is nearer than this is told to whoever saves the list."""

_SEPARATORS = re.compile(r"[;\r\n]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_MAPPED_BITS = 96


class AllowListRefused(ValueError):
    """The text isn't an allow-list. The message names each wrong entry and says what was probably meant."""


@dataclass(frozen=True)
class Entry:
    """A network that may call, to the end of the day `until`, for ever without one. `str()` is how it is written."""

    network: Network
    until: date | None = None
    note: str = ""

    def has_ended(self, today: date) -> bool:
        return self.until is not None and self.until < today

    def __str__(self) -> str:
        until = f" until {self.until}" if self.until else ""
        return f"{self.network}{until}{f' # {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class AllowList:
    """Entries in canonical order: IPv4 first, then by address, then the wider one. `str()` is the canonical text."""

    entries: tuple[Entry, ...] = ()

    @property
    def networks(self) -> tuple[Network, ...]:
        return tuple(entry.network for entry in self.entries)

    def admits(self, address: Address | None, today: date | None = None) -> bool:
        """Whether this address may call. No address (one that couldn't be read) is never admitted."""
        if address is None:
            return False
        plain = unwrapped(address)
        return any(plain in one.network and not one.has_ended(today or utc_today()) for one in self.entries)

    def of(self, address: Address | None) -> list[Entry]:
        """The entries whose network holds this address, those that have ended too."""
        if address is None:
            return []
        plain = unwrapped(address)
        return [entry for entry in self.entries if plain in entry.network]

    @property
    def warnings(self) -> list[str]:
        """What a person should know before saving this."""
        return list(_warnings(self.entries, utc_today()))

    def __str__(self) -> str:
        plain = all(entry.until is None and not entry.note for entry in self.entries)
        return ("; " if plain else "\n").join(map(str, self.entries))


def utc_today() -> date:
    return datetime.now(UTC).date()


def _warnings(entries: tuple[Entry, ...], today: date) -> Iterator[str]:
    live = [entry for entry in entries if not entry.has_ended(today)]
    if not entries:
        yield "The list is empty, so every call is refused."
    elif not live:
        yield "Every entry of the list has ended, so every call is refused."
    for entry in live:
        if entry.until and (entry.until - today).days <= SOON_DAYS:
            yield f"{entry.network} may call until {entry.until} (UTC) only."
        if entry.network.prefixlen == 0:
            yield f"{_EVERYBODY[entry.network.version]}: only the token protects the route from them."
    for one, other in pairwise(entries):
        if one.network == other.network:
            yield f"{one.network} is listed twice: it may call as long as one of the two entries lasts."


_EVERYBODY = {4: "0.0.0.0/0 lets every IPv4 address in", 6: "::/0 lets every IPv6 address in"}


@lru_cache(maxsize=1024)
def parse(text: str) -> AllowList:
    """The allow-list that `text` means; blanks and empty entries are dropped, equal entries merged."""
    entries: set[Entry] = set()
    wrong: list[str] = []
    for written in filter(None, (part.strip() for part in _SEPARATORS.split(text))):
        try:
            entries.add(_entry(written))
        except ValueError as error:
            wrong.append(f"“{_shown(written)}”: {error}")
    if wrong:
        more = f" And {len(wrong) - MAX_NAMED} more." if len(wrong) > MAX_NAMED else ""
        raise AllowListRefused(" ".join(wrong[:MAX_NAMED]) + more)
    if len(entries) > MAX_ENTRIES:
        raise AllowListRefused(
            f"The list has {len(entries)} entries; {MAX_ENTRIES} is the limit. Join neighbours into networks."
        )
    return AllowList(tuple(sorted(entries, key=_order)))


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped IPv6 address; any other address as it is."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _order(entry: Entry) -> tuple[int, int, int, date, str]:
    network = entry.network
    first = int(network.network_address)
    return network.version, first, network.prefixlen, entry.until or date.max, entry.note


def _entry(written: str) -> Entry:
    head, hash_sign, note = written.partition("#")
    words = head.split()
    if not words and hash_sign:
        raise ValueError("is a note without an address. Write it behind the address that it is about.")
    until = None
    if words[1:2] == ["until"]:
        until = _date(words[2:])
        del words[1:]
    if len(words) > 1 or "," in words[0]:
        raise ValueError("is more than one entry. Separate entries with a semicolon. A note begins with #.")
    return Entry(_network(words[0]), until, _note(note))


def _date(words: list[str]) -> date:
    if len(words) == 1 and _DATE.fullmatch(words[0]):
        try:
            return date.fromisoformat(words[0])
        except ValueError:
            raise ValueError(f"there is no day {words[0]}.") from None
    raise ValueError("needs one day after “until”, written like 2027-03-31. A note begins with #.")


def _note(text: str) -> str:
    note = " ".join(text.split())
    if len(note) > MAX_NOTE_CHARS:
        raise ValueError(f"has a note of {len(note)} characters; {MAX_NOTE_CHARS} is the limit.")
    if not note.isprintable():
        raise ValueError("has a character in its note that can't be shown. Type the note anew.")
    return note


def _network(entry: str) -> Network:
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

"""Who may call, a second time: written from docs/front-door.md on plain integers, without the code that it judges.

An address is `(bits, number)`: 32 or 128, and its value. No `ipaddress`, nothing of `routing`.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass

Address = tuple[int, int]
DIGITS, HEX = frozenset("0123456789"), frozenset("0123456789abcdefABCDEF")
MOST_ENTRIES, LONGEST_NOTE = 200, 100


class Refused(Exception):
    """The text isn't what it should be."""


@dataclass(frozen=True)
class Allowed:
    """All addresses of `bits` whose first `prefix` bits are those of `number`; `until` is (year, month, day)."""

    bits: int
    number: int
    prefix: int
    until: tuple[int, int, int] | None = None
    note: str = ""

    def admits(self, address: Address, today: tuple[int, int, int]) -> bool:
        bits, number = address
        spare = self.bits - self.prefix
        same = bits == self.bits and number >> spare == self.number >> spare
        return same and (self.until is None or today <= self.until)


def admitted(entries: set[Allowed], address: Address | None, today: tuple[int, int, int]) -> bool:
    return address is not None and any(entry.admits(address, today) for entry in entries)


def caller(peer: str, forwarded: str | None, trusted: set[Allowed]) -> Address | None:
    """Who calls: walk back from our own socket, hop by hop, as long as the last one is a proxy of ours."""
    hops = [] if forwarded is None else forwarded.split(",")
    hops.append(peer)
    while True:
        address = hop_address(hops.pop())
        if not hops or address is None or not admitted(trusted, address, (1, 1, 1)):
            return address


def hop_address(text: str) -> Address | None:
    """The address that a peer or an entry of X-Forwarded-For names, with or without a port."""
    text = text.strip(" \t")
    if text.startswith("["):
        inside, bracket, port = text[1:].partition("]")
        if not bracket or ":" not in inside or not (port == "" or is_port(port)):
            return None
        text = inside
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not is_port(":" + port) or ":" in text:
            return None
    try:
        return plain(address_of(text))
    except Refused:
        return None


def is_port(text: str) -> bool:
    return text[:1] == ":" and 1 <= len(text) - 1 <= 5 and set(text[1:]) <= DIGITS


def list_of(text: str) -> set[Allowed]:
    """The entries of an allow-list. Raises Refused where one is wrong, or where there are too many."""
    for line_end in "\r\n":
        text = text.replace(line_end, ";")
    entries = {entry_of(part) for part in text.split(";") if part.strip()}
    if len(entries) > MOST_ENTRIES:
        raise Refused
    return entries


def entry_of(text: str) -> Allowed:
    before, _, after = text.partition("#")
    note = " ".join(after.split())
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise Refused
    match before.split():
        case [network]:
            until = None
        case [network, "until", day]:
            until = day_of(day)
        case _:
            raise Refused
    bits, number, prefix = network_of(network)
    return Allowed(bits, number, prefix, until, note)


def day_of(text: str) -> tuple[int, int, int]:
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(set(part) <= DIGITS for part in parts):
        raise Refused
    year, month, day = map(int, parts)
    if not (year and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        raise Refused
    return year, month, day


def network_of(text: str) -> tuple[int, int, int]:
    written, slash, length = text.partition("/")
    bits, number = address_of(written)
    prefix = bits
    if slash:
        if not length or not set(length) <= DIGITS or (len(length) > 1 and length[0] == "0") or int(length) > bits:
            raise Refused
        prefix = int(length)
    if number % (1 << (bits - prefix)):
        raise Refused  # host bits
    if prefix >= 96 and plain((bits, number))[0] < bits:
        return 32, number & 0xFFFFFFFF, prefix - 96
    return bits, number, prefix


def plain(address: Address) -> Address:
    """::ffff:a.b.c.d is a.b.c.d."""
    bits, number = address
    return (32, number & 0xFFFFFFFF) if bits == 128 and number >> 32 == 0xFFFF else address


def address_of(text: str) -> Address:
    return (128, six(text)) if ":" in text else (32, four(text))


def four(text: str) -> int:
    number, parts = 0, text.split(".")
    if len(parts) != 4:
        raise Refused
    for part in parts:
        if not part or len(part) > 3 or not set(part) <= DIGITS or (part[0] == "0" and part != "0") or int(part) > 255:
            raise Refused
        number = number * 256 + int(part)
    return number


def six(text: str) -> int:
    """RFC 4291: eight groups, `::` once for one or more that are zero, the last two perhaps as IPv4."""
    if text.count("::") > 1 or ":::" in text:
        raise Refused
    head, gap, tail = text.partition("::")
    first, last = groups(head, ends=not gap), groups(tail, ends=True)
    missing = 8 - len(first) - len(last)
    if (missing < 1) if gap else missing:
        raise Refused
    number = 0
    for group in first + [0] * missing + last:
        number = number << 16 | group
    return number


def groups(text: str, *, ends: bool) -> list[int]:
    """The groups of a part of an address; IPv4 may stand at its end where the address ends there."""
    found: list[int] = []
    parts = text.split(":") if text else []
    for place, part in enumerate(parts):
        if "." in part and ends and place == len(parts) - 1:
            number = four(part)
            found += [number >> 16, number & 0xFFFF]
        elif 1 <= len(part) <= 4 and set(part) <= HEX:
            found.append(int(part, 16))
        else:
            raise Refused
    return found

"""Random lists, peers, forwarding headers and proxies, judged by the door and by an oracle that knows nothing of it."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from routing import allowlist, caller
from tests.proofs import address_oracle as oracle
from tests.proofs.proof import Proof

TODAYS = [(2026, 11, 21), (2024, 2, 29), (2027, 1, 1)]
NEAR = ["203.0.113.7", "203.0.113.8", "10.0.0.1", "10.0.0.2", "192.0.2.1", "2001:db8::1", "2001:db8:0:1::9", "::1"]
"""A few addresses that lists and callers share, so that they meet."""

ODD = [
    "",
    " ",
    "unknown",
    "_hidden",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.4/32",
    "0x7f.1",
]
ODD += [
    "2130706433",
    "1.2.3.-4",
    "1.2.3.４",
    "٣.2.3.4",
    "1..2.3",
    ":",
    ":::",
    "::1::",
    "1:2:3:4:5:6:7",
    "g::1",
    "::12345",
]
ODD += ["1:2:3:4:5:6:7:8:9", "1::2:3:4:5:6:7:8", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "fe80::1%eth0", "1.2.3.4%1"]
ODD += [
    "[1.2.3.4]",
    "[::1",
    "::1]",
    "[::1]x",
    "[::1]:",
    "1.2.3.4:",
    "1.2.3.4:x",
    "1.2.3.4:123456",
    '"1.2.3.4"',
    "-1",
    "é",
]
ODD += [
    "1.2.3.4\x00",
    "1.2.3.4\n",
    "\u00a01.2.3.4",
    "for=1.2.3.4",
    "1.2.3.4;1.2.3.5",
    "::ffff:1.2.3.4.5",
    "[::1]:99999",
]
BLANKS = ["", "", "", " ", "\t", "  "]


class Maker:
    """Cases from a seed. Half of what it makes is well-formed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.one = self.random.choice

    def case(self) -> dict[str, Any]:
        peer = self.hop()
        return {
            "list": self.list(),
            "today": self.one(TODAYS),
            "trusted": self.proxies() if self.random.random() < 0.7 else "",
            "peer": peer if self.random.random() < 0.9 else f"{self.one(BLANKS)}{self.one(ODD)}",
            "forwarded": self.forwarded() if self.random.random() < 0.8 else None,
        }

    def forwarded(self) -> str:
        """As one header, or as the several that web servers join with a comma."""
        return ",".join(self.one(BLANKS) + self.hop() + self.one(BLANKS) for _ in range(self.random.randint(0, 5)))

    def hop(self) -> str:
        roll = self.random.random()
        if roll < 0.1:
            return self.one(ODD)
        if roll < 0.15:
            return self.mutated(self.address())
        address = self.address()
        if self.random.random() < 0.2:
            port = self.one(["", ":80", ":65535", ":0", ":00001"])
            return f"[{address}]{port}" if ":" in address else f"{address}{port}"
        return address

    def address(self) -> str:
        roll = self.random.random()
        if roll < 0.6:
            return self.one(NEAR)
        number = self.random.getrandbits(128)
        if roll < 0.75:
            return ".".join(str(number >> shift & 255) for shift in (0, 8, 16, 24))
        if roll < 0.85:
            return f"{self.one(['::ffff:', '::FFFF:', '0:0:0:0:0:ffff:', '::', '64:ff9b::'])}{self.one(NEAR[:5])}"
        groups = [f"{number >> 16 * place & 0xFFFF:{self.one(['x', 'X', '04x'])}}" for place in range(8)]
        at, gap = self.random.randint(0, 7), self.random.randint(0, 8)
        return ":".join(groups) if not gap else f"{':'.join(groups[:at])}::{':'.join(groups[at + gap :])}"

    def mutated(self, text: str) -> str:
        place = self.random.randint(0, len(text))
        return text[:place] + self.one("0:.%/[] x,1\t") + text[place + self.random.randint(0, 1) :]

    def proxies(self) -> str:
        """As in TRUSTED_PROXIES."""
        return ";".join(self.network() for _ in range(self.random.randint(1, 3)))

    def list(self) -> str:
        count = self.random.choice([0, 1, 1, 2, 3, 6]) if self.random.random() < 0.99 else 201
        entries = [self.entry(self.random.random() < 0.08) for _ in range(count)]
        return self.one([";", "; ", "\n", "\r\n", " ;; "]).join(entries)

    def entry(self, odd: bool) -> str:
        network = self.one([*ODD, self.mutated(self.network())]) if odd else self.network()
        until = f" until {self.day(odd)}" if self.random.random() < 0.25 else ""
        note = self.one(["", "", " # the office", "#x", " #  two  blanks ", " # " + "n" * self.random.randint(99, 102)])
        return f"{self.one(BLANKS)}{network}{until}{note if odd or len(note) < 90 else ''}{self.one(BLANKS)}"

    def day(self, odd: bool) -> str:
        days = ["2026-11-20", "2026-11-21", "2026-11-22", "2024-02-29", "2024-02-28", "2026-12-31", "9999-12-31"]
        return self.one(
            days
            + (
                ["2026-02-29", "2026-1-1", "26-01-01", "2026-13-01", "soon", "", "0000-01-01", "２０２６-01-01"]
                if odd
                else []
            )
        )

    def network(self) -> str:
        """Without host bits, mostly."""
        roll = self.random.random()
        if roll < 0.4:
            return self.one(NEAR)
        if roll < 0.5:
            return self.one(
                ["0.0.0.0/0", "::/0", "::ffff:0:0/96", "::ffff:10.0.0.0/104", "::/96", "10.0.0.0/8", "::/1"]
            )
        bits = self.one([32, 128])
        prefix = self.random.randint(0, bits)
        number = (self.random.getrandbits(bits) >> (bits - prefix)) << (bits - prefix)
        if self.random.random() < 0.05:
            number |= 1
        if bits == 32:
            return f"{'.'.join(str(number >> shift & 255) for shift in (24, 16, 8, 0))}/{prefix}"
        return f"{':'.join(f'{number >> 16 * place & 0xFFFF:x}' for place in range(7, -1, -1))}/{prefix}"


def by_the_oracle(case: dict[str, Any]) -> Any:
    try:
        allowed, trusted = oracle.list_of(case["list"]), oracle.list_of(case["trusted"])
    except oracle.Refused:
        return "the list is refused"
    found = oracle.caller(case["peer"], case["forwarded"], trusted)
    return found, oracle.admitted(allowed, found, case["today"])


def by_the_door(case: dict[str, Any]) -> Any:
    try:
        allowed, trusted = allowlist.parse(case["list"]), allowlist.parse(case["trusted"])
    except allowlist.AllowListRefused:
        return "the list is refused"
    found = caller.find(case["peer"], case["forwarded"], trusted).address
    told = None if found is None else (found.max_prefixlen, int(found))
    return told, allowed.admits(found, date(*case["today"]))


@pytest.mark.parametrize("seed", [20261121])
def test_the_door_admits_whom_the_oracle_admits(proof: Proof, seed: int) -> None:
    made, cases = Maker(seed), proof.size(3_000, 30_000)
    disagreements, outcomes = [], {"admitted": 0, "turned away": 0, "unreadable": 0, "lists refused": 0}
    for _ in range(cases):
        case = made.case()
        expected = by_the_oracle(case)
        if by_the_door(case) != expected:
            disagreements.append((case, expected, by_the_door(case)))
        outcomes[kind(expected)] += 1
    proof.count("cases", cases)
    for what, number in outcomes.items():
        proof.count(what, number)
    proof.count("disagreements", len(disagreements))
    assert disagreements == []
    assert all(number > cases // 40 for number in outcomes.values()), outcomes


def kind(outcome: Any) -> str:
    if isinstance(outcome, str):
        return "lists refused"
    address, admitted = outcome
    return "admitted" if admitted else "turned away" if address else "unreadable"


def test_what_is_saved_admits_the_same_as_what_was_typed(proof: Proof) -> None:
    """The canonical text of a list is that list."""
    made, count, differences = Maker(7), proof.size(1_000, 10_000), []
    for _ in range(count):
        text = made.list()
        try:
            entries = oracle.list_of(text)
        except oracle.Refused:
            continue
        if oracle.list_of(str(allowlist.parse(text))) != entries:
            differences.append(text)
    proof.count("lists", count)
    proof.count("changed by saving", len(differences))
    assert differences == []

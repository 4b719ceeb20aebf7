"""Whose address a request comes from, as far as it can be believed.

`REMOTE_ADDR` is the peer of our socket. `X-Forwarded-For` is a claim: only what our own proxies wrote counts. So it is
read from the right, one entry for as long as the address before it is a trusted proxy (`TRUSTED_PROXIES`); the first
address that isn't one is the caller's. An entry on that way that can't be read means that there is no address, and the
allow-list admits nobody without one. What stands further left was written by the caller, and isn't even looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from django.conf import settings

from routing import allowlist
from routing.allowlist import Address, AllowList

_WITH_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\]|(?P<v4>[0-9.]+))(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Caller:
    """`seen` is the peer as the web server names it, `forwarded` the header as it came; `address` is what counts."""

    address: Address | None
    seen: str
    forwarded: str | None

    def __str__(self) -> str:
        return str(self.address) if self.address else "an unreadable address"


def of(meta: Mapping[str, Any]) -> Caller:
    """The caller of a request with these WSGI variables (`request.META`)."""
    return find(
        meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR"), _trusted(tuple(settings.TRUSTED_PROXIES))
    )


def find(seen: str, forwarded: str | None, trusted: AllowList) -> Caller:
    """The caller behind this peer and this header (None: no such header), where `trusted` are our own proxies."""
    address = _address(seen)
    entries = [] if forwarded is None else forwarded.split(",")
    while entries and trusted.admits(address):
        address = _address(entries.pop())
    return Caller(address, seen, forwarded)


def _address(entry: str) -> Address | None:
    """The address in `203.0.113.7`, `203.0.113.7:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`."""
    text = entry.strip(" \t")
    match = _WITH_PORT.fullmatch(text)
    bare = (match["v6"] or match["v4"]) if match else text
    if "%" in bare:
        return None
    try:
        return allowlist.unwrapped(ip_address(bare))
    except ValueError:
        return None


@lru_cache(maxsize=8)
def _trusted(proxies: tuple[str, ...]) -> AllowList:
    return allowlist.parse(";".join(proxies))

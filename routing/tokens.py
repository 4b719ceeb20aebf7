"""Tokens: how they are made, stored, read from a request and compared.

    cft_k3v7q2ma_Zm9vYmFy…    prefix `cft_k3v7q2ma`, then 256 random bits

The prefix finds the row and may be shown; what is stored beside it is the SHA-256 of the whole token. A slow hash would
add nothing to 256 random bits, and would let anybody keep us busy.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_FORM = re.compile(r"(cft_[a-z2-7]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_NOBODYS_DIGEST = sha256(b"no token has this digest").hexdigest()


@dataclass(frozen=True)
class Minted:
    """A new token. `text` is for the partner's eyes, once; the rest is for the database."""

    text: str
    prefix: str
    digest: str


class TokenRefused(Exception):
    """The request holds no token that could be looked up. `missing`: it made no attempt at all."""

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = missing


def mint() -> Minted:
    """A token that nobody has had before."""
    prefix = f"cft_{base64.b32encode(secrets.token_bytes(5)).decode().lower()}"
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    return Minted(text, prefix, digest(text))


def digest(text: str) -> str:
    """What is stored of a token."""
    return sha256(text.encode()).hexdigest()


def prefix(text: str) -> str:
    """What finds the row of a token that `presented` has returned."""
    return text[: len("cft_") + 8]


def matches(text: str, stored: str | None) -> bool:
    """Whether this is the token with the `stored` digest. None (no such prefix) costs the same time, and never matches."""
    same = hmac.compare_digest(digest(text), stored or _NOBODYS_DIGEST)
    return same and stored is not None


def presented(meta: Mapping[str, Any]) -> str:
    """The token in `Authorization: Bearer …` or `X-API-Token`, or TokenRefused with a sentence that says what to send.

    Web servers join a header that came twice with a comma, which no token holds.
    """
    authorization, x_api_token = meta.get("HTTP_AUTHORIZATION"), meta.get("HTTP_X_API_TOKEN")
    if authorization is None and x_api_token is None:
        raise TokenRefused(f"The request has no token. {_HOW}", missing=True)
    if authorization is not None and x_api_token is not None:
        raise TokenRefused(f"The request has two tokens. {_HOW}")
    text = _bearer(authorization) if authorization is not None else str(x_api_token).strip(" \t")
    if not _FORM.fullmatch(text):
        raise TokenRefused(_odd(text))
    return text


_HOW = "Send it once, as “Authorization: Bearer <token>” or as “X-API-Token: <token>”."


def _bearer(header: str) -> str:
    scheme, _, text = header.strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenRefused(f"The Authorization header doesn't say “Bearer”. {_HOW}")
    return text.strip(" \t")


def _odd(text: str) -> str:
    if not text:
        return f"The header for the token is empty. {_HOW}"
    if "," in text:
        return f"The header for the token came more than once. {_HOW}"
    return "What was sent isn't a whole token: one starts with “cft_” and has 56 characters."

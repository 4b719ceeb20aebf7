"""Sealing and opening the secrets of connections and keys: from then on no log line of this process shows them."""

from __future__ import annotations

import base64
import binascii

from django.views.decorators.debug import sensitive_variables

from flows.known_secrets import remember
from flows.vault import open_sealed, seal


@sensitive_variables()
def seal_secret(secret: str, place: str) -> str:
    """The secret, encrypted for one place."""
    _remember(secret)
    return seal(secret, place)


@sensitive_variables()
def open_secret(token: str, place: str) -> str:
    """The secret that was sealed for this place. Raises SecretUnreadable."""
    secret = open_sealed(token, place)
    _remember(secret)
    return secret


@sensitive_variables()
def _remember(secret: str) -> None:
    """With it what a login makes of `user:password`, and the bytes of a key."""
    password = secret.partition(":")[2]
    remember(secret, password, base64.b64encode(secret.encode()).decode() if password else "", _bytes_of(secret))


def _bytes_of(secret: str) -> bytes:
    """What a key in base64 is in memory, where a traceback may show it."""
    try:
        return base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        return b""

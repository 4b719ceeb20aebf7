"""Encryption of texts at rest, with keys of their own: CHATFLOW_KEYS. The first encrypts, all of them decrypt.

A text is sealed together with its place, and only opened there: whoever can write to the database can't move one entity's
secret to another's connection, or one run's request to another run.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from flows.engine.errors import NodeError

MIN_KEY_CHARS = 32


class SecretUnreadable(NodeError):
    """A sealed text that none of the keys opens, or that was sealed for another place."""

    code = "secret_unreadable"


def seal(secret: str, place: str) -> str:
    """Encrypt a text for one place, like "connection:7:production"."""
    return _keys().encrypt(_wrapped(secret, place)).decode()


def open_sealed(token: str, place: str) -> str:
    """The text that was sealed for this place. Raises SecretUnreadable."""
    try:
        plain = json.loads(_keys().decrypt(token.encode()))
    except InvalidToken:
        raise SecretUnreadable(
            "A stored secret can't be decrypted.",
            hint="Give the key that it was encrypted with in CHATFLOW_KEYS as well, or enter the secret again.",
        ) from None
    if plain["place"] != place:
        raise SecretUnreadable("A stored secret belongs somewhere else.", hint="Enter the secret again.")
    secret: str = plain["secret"]
    return secret


def reseal(token: str, place: str) -> str:
    """The same text, encrypted with the first key; the token itself if it is already. Raises SecretUnreadable.

    Once each stored token went through here, the older keys can be taken out of CHATFLOW_KEYS.
    """
    secret = open_sealed(token, place)
    try:
        _fernets(tuple(settings.CHATFLOW_KEYS))[0].decrypt(token.encode())
    except InvalidToken:
        return seal(secret, place)
    return token


def _wrapped(secret: str, place: str) -> bytes:
    return json.dumps({"place": place, "secret": secret}).encode()


def _keys() -> MultiFernet:
    return MultiFernet(_fernets(tuple(settings.CHATFLOW_KEYS)))


@lru_cache(maxsize=8)
def _fernets(keys: tuple[str, ...]) -> list[Fernet]:
    if not keys:
        raise ImproperlyConfigured(
            "CHATFLOW_KEYS is empty. Give at least one key, a random text of 32 characters or more."
        )
    return [Fernet(_key(text)) for text in keys]


def _key(text: str) -> bytes:
    """A Fernet key as it is; of any other long text, a key derived from it."""
    if len(text) < MIN_KEY_CHARS:
        raise ImproperlyConfigured(
            f"A key in CHATFLOW_KEYS is shorter than {MIN_KEY_CHARS} characters. Give a longer one."
        )
    try:
        if len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32:
            return text.encode()
    except (binascii.Error, ValueError):
        pass
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"chatflow secrets").derive(text.encode())
    return base64.urlsafe_b64encode(derived)

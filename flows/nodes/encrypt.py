"""Encryption and hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import Field

from flows.engine.errors import NodeError
from flows.engine.loop import Run
from flows.engine.node import Finding, Hidden, Node, Outcome, Value, register

NONCE_BYTES = 12
"""96 bits, the size that NIST SP 800-38D recommends for GCM."""


def _aes_256_gcm(plain: bytes, key: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, None)


def _rsa_oaep_sha256(plain: bytes, key: bytes) -> bytes:
    public = load_pem_public_key(key)
    if not isinstance(public, RSAPublicKey):
        raise ValueError("not an RSA key")
    return public.encrypt(plain, OAEP(MGF1(SHA256()), SHA256(), None))


def _hmac_sha256(plain: bytes, key: bytes) -> bytes:
    return hmac.digest(key, plain, "sha256")


def _sha_256(plain: bytes, key: bytes) -> bytes:
    return hashlib.sha256(plain).digest()


_WORK: Mapping[str, Callable[[bytes, bytes], bytes]] = {
    "aes-256-gcm": _aes_256_gcm,
    "rsa-oaep-sha256": _rsa_oaep_sha256,
    "hmac-sha256": _hmac_sha256,
    "sha-256": _sha_256,
}

KIND_OF_KEY = {"aes-256-gcm": "aes-256", "rsa-oaep-sha256": "rsa-public", "hmac-sha256": "hmac"}
"""The kind of Key that an algorithm needs; sha-256 needs none."""

_CIPHERS = ("aes-256-gcm", "rsa-oaep-sha256")


@register
class Encrypt(Node):
    """Encrypt or hash a value with a key of the entity. Neither the value nor the key is kept in the story of the run.

    A value that isn't text is taken as compact JSON. A cipher gives `v1.<algorithm>.<key>.<data>`, where data is base64url
    without padding: for aes-256-gcm the nonce (12 bytes), the ciphertext and the tag (16 bytes), without additional data;
    for rsa-oaep-sha256 (MGF1 with SHA-256, no label) the ciphertext. A hash gives lower-case hexadecimal. Leaves by `no`
    where there is no value, or the key doesn't fit, or the value is too long for RSA (190 bytes with 2,048 bits).
    """

    TYPE = "encrypt"
    LABEL = "Encrypt"
    WORDS: ClassVar[tuple[str, ...]] = (
        "hash",
        "sign",
        "signature",
        "hmac",
        "cipher",
        "secret",
        "AES",
        "RSA",
        "SHA-256",
    )
    OUTPUTS: ClassVar[Mapping[str, str]] = {"result": "The encrypted value or the hash, as text."}

    value: Annotated[Value, Hidden()] = Field(description="What to encrypt, for example `{{ payload.card }}`.")
    algorithm: Literal["aes-256-gcm", "rsa-oaep-sha256", "hmac-sha256", "sha-256"] = Field(
        description="A cipher (aes-256-gcm, rsa-oaep-sha256) or a hash (hmac-sha256, sha-256)."
    )
    key: str = Field("", max_length=64, description="Name of the key; empty for sha-256, which needs none.")

    def execute(self, run: Run) -> Outcome:
        if self.value is None:
            raise NodeError("There is nothing to encrypt: the value is null.", code="wrong_type")
        plain = run.budget.spend_writing(self.value).encode()
        try:
            made = _WORK[self.algorithm](plain, self._material(run))
        except (ValueError, UnsupportedAlgorithm):
            raise NodeError(
                f"The key {self.key} can't encrypt this value by {self.algorithm}.",
                code="cannot_encrypt",
                hint="The key is of another kind, or the value is too long for it.",
            ) from None
        return Outcome("yes", {"result": self._as_text(made)})

    def _material(self, run: Run) -> bytes:
        kind = KIND_OF_KEY.get(self.algorithm)
        if kind is None:
            return b""
        found = run.definition("key", self.key).get("kind")
        if found != kind:
            raise NodeError(f"The key {self.key} is of kind {found}; {self.algorithm} needs {kind}.", code="wrong_key")
        return run.key(self.key)

    def _as_text(self, made: bytes) -> str:
        if self.algorithm not in _CIPHERS:
            return made.hex()
        return f"v1.{self.algorithm}.{self.key}.{urlsafe_b64encode(made).decode().rstrip('=')}"

    def uses(self) -> tuple[tuple[str, str], ...]:
        return (("key", self.key),) if self.key and self.algorithm in KIND_OF_KEY else ()

    def findings(self) -> Iterator[Finding]:
        if self.algorithm in KIND_OF_KEY and not self.key:
            yield Finding("missing_key", f"The algorithm {self.algorithm} needs a key.", "Choose a key of the entity.")

    def misfits(self, definition: Mapping[str, Any]) -> Iterator[Finding]:
        needed, found = KIND_OF_KEY[self.algorithm], definition.get("kind")
        if found not in (needed, None):
            message = f"The key {self.key} is of kind {found}; {self.algorithm} needs one of kind {needed}."
            yield Finding("wrong_key", message, "Choose another key or another algorithm.")

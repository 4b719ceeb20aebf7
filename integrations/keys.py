"""The rules for keys. Material goes in and never comes out again; only a public key is shown, for it is no secret."""

from __future__ import annotations

import binascii
import os
from base64 import b64decode, b64encode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from flows.changes import record
from flows.contributors import take_turn
from flows.models import Entity, Environment
from flows.roles import require
from flows.vault import SecretUnreadable, open_sealed, seal
from integrations.definitions import Problems, put, remove, row_of, subject_of
from integrations.models import Key, KeyKind
from integrations.secrets import open_secret, seal_secret

MIN_RSA_BITS = 2_048
"""NIST SP 800-131A: shorter keys are no longer to be used."""

MAX_HMAC_CHARS = 1_024
MATERIAL = {"sealed": Environment.PRODUCTION, "sandbox_sealed": Environment.SANDBOX}

SECRET_KINDS = (KeyKind.AES_256, KeyKind.HMAC)
"""Kinds whose material is secret."""

EMBEDDED = frozenset({"kind"})
EMBEDDED_OF_PUBLIC = EMBEDDED | {"sealed"}
"""What versions freeze: a public key too, so another one is an edit. Other keys are rotated, which isn't."""


@transaction.atomic
def save_key(entity: Entity, *, by: User, name: str, kind: str, material: str = "", sandbox_material: str = "") -> Key:
    """Create the key of that name, or give it new material: 32 bytes in base64, a public key in PEM, or an HMAC secret.

    Without material an existing key stays as it is, and a new AES key is made here, known to nobody. What has no sandbox
    material is pretended in the sandbox. Raises PermissionDenied, or ValidationError with what is wrong by field.
    """
    require(by, entity, "manage keys")
    problems = Problems()
    problems.check_name(name)
    problems.check_choice("kind", kind, KeyKind.values)
    problems.refuse()
    take_turn(entity.pk)
    before = Key.objects.filter(entity=entity, name=name).first()
    if before is not None and before.kind != kind:
        raise ValidationError({"kind": f"The key {name} is of kind {before.kind}; make another key for {kind}."})
    checked = _checked(kind, material.strip(), is_new=before is None)
    for_sandbox = _checked_for_sandbox(kind, sandbox_material.strip())
    key = row_of(Key, entity, name, by=by)
    values = {"kind": kind}
    if checked and not _is_same(key, checked):
        values["sealed"] = (seal if is_public(kind) else seal_secret)(checked, place_of(key))
    if for_sandbox:
        values["sandbox_sealed"] = seal_secret(for_sandbox, place_of(key, Environment.SANDBOX))
    key = put(Key, entity, name, values, by=by, embedded=EMBEDDED_OF_PUBLIC if is_public(kind) else EMBEDDED)
    for field, environment in MATERIAL.items():
        if field in values:
            given = {"environment": str(environment)}
            record(entity, by=by, action="set material", subject=subject_of(key), title=name, after=given)
    return key


@transaction.atomic
def delete_key(key: Key, *, by: User) -> None:
    """Raises PermissionDenied, or ValidationError where something uses it."""
    require(by, key.entity, "manage keys")
    remove(key, by=by)


def new_aes_material() -> str:
    """Fresh material for an AES key, to be shown once to the person who passes it on, and given to `save_key`."""
    return b64encode(os.urandom(32)).decode()


def public_key_of(key: Key) -> str:
    """The PEM text of a public key; empty for keys that are secret."""
    return open_material(key, Environment.PRODUCTION) if is_public(key.kind) else ""


def open_material(key: Key, environment: str) -> str:
    """The text of the material in that environment: for the door. Raises SecretUnreadable."""
    sealed = key.sealed if environment == Environment.PRODUCTION else key.sandbox_sealed
    place = place_of(key, environment)
    return open_sealed(sealed, place) if is_public(key.kind) else open_secret(sealed, place)


def place_of(key: Key, environment: str = Environment.PRODUCTION) -> str:
    """Where sealed material belongs; it opens nowhere else."""
    return f"key:{key.pk}" if environment == Environment.PRODUCTION else f"key:{key.pk}:{environment}"


def is_public(kind: str) -> bool:
    """Whether keys of that kind are no secret."""
    return kind not in SECRET_KINDS


def _is_same(key: Key, material: str) -> bool:
    """Whether that is the public key already. Secret material is always sealed anew."""
    if not key.sealed or not is_public(key.kind):
        return False
    try:
        return public_key_of(key) == material
    except SecretUnreadable:
        return False  # giving it again is how one repairs that


def _checked(kind: str, material: str, *, is_new: bool) -> str:
    """The material in its one form; empty where an existing key keeps what it has. Sentences never quote it."""
    if not material and not is_new:
        return ""
    if kind == KeyKind.AES_256:
        return _checked_aes(material) if material else new_aes_material()
    if kind == KeyKind.RSA_PUBLIC:
        return _checked_rsa(material)
    if not 1 <= len(material) <= MAX_HMAC_CHARS or "\x00" in material:
        raise ValidationError({"material": f"An HMAC key is a text of 1 to {MAX_HMAC_CHARS} characters."})
    return material


def _checked_for_sandbox(kind: str, material: str) -> str:
    if not material:
        return ""
    if is_public(kind):
        raise ValidationError(
            {"sandbox_material": "A public key is no secret: the one key serves the sandbox as well."}
        )
    try:
        return _checked(kind, material, is_new=False)
    except ValidationError as error:
        raise ValidationError({"sandbox_material": error.messages}) from None


def _checked_aes(material: str) -> str:
    try:
        raw = b64decode(material, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValidationError({"material": "An AES-256 key is 32 bytes in base64: 44 characters that end in =."})
    return b64encode(raw).decode()


def _checked_rsa(material: str) -> str:
    try:
        key = load_pem_public_key(material.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise ValidationError(
            {"material": "An RSA public key is PEM text that begins with -----BEGIN PUBLIC KEY-----."}
        )
    if key.key_size < MIN_RSA_BITS:
        raise ValidationError({"material": f"The RSA key has {key.key_size} bits; {MIN_RSA_BITS} is the least."})
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

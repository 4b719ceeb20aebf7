"""What the encrypt node writes can be read by whoever has the key, by the format its description tells."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flows.engine.strictjson import dumps
from tests.flows.driving import Driven, Host, node, plan_of

pytestmark = pytest.mark.pure

SECRET = "4111 1111 1111 1111"
MATERIAL = "only for tests: 32 bytes of key."


def encrypted(algorithm: str, kind: str, material: str) -> tuple[Driven, list[str]]:
    settings = {"value": "{{ payload.card }}", "algorithm": algorithm, "key": "main"}
    nodes: list[Any] = [
        {**node(1, "encrypt", settings, yes=2), "name": "it"},
        node(2, "api_end", {"body": "{{ it.result }}"}),
    ]
    run = Host().start(
        plan_of(nodes, {"key": {"main": {"kind": kind, "material": material}}}), {"payload": {"card": SECRET}}
    )
    return run, str(run.end.body).split(".")


def opened(data: str) -> bytes:
    return urlsafe_b64decode(data + "=" * (-len(data) % 4))


def test_aes_256_gcm_is_a_nonce_the_ciphertext_and_the_tag() -> None:
    _, (version, algorithm, key, data) = encrypted("aes-256-gcm", "aes-256", MATERIAL)
    assert (version, algorithm, key) == ("v1", "aes-256-gcm", "main")
    sealed = opened(data)
    assert AESGCM(MATERIAL.encode()).decrypt(sealed[:12], sealed[12:], None).decode() == SECRET


def test_every_encryption_has_a_nonce_of_its_own() -> None:
    seen = {opened(encrypted("aes-256-gcm", "aes-256", MATERIAL)[1][3])[:12] for _ in range(20)}
    assert len(seen) == 20


def test_rsa_oaep_is_read_with_the_private_key() -> None:
    private = generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    _, (_, _, _, data) = encrypted("rsa-oaep-sha256", "rsa-public", public)
    assert private.decrypt(opened(data), OAEP(MGF1(SHA256()), SHA256(), None)).decode() == SECRET


def test_neither_value_nor_key_is_in_the_story_of_the_run() -> None:
    run, _ = encrypted("hmac-sha256", "hmac", MATERIAL)
    kept = dumps([step.as_json() for step in run.trace]) + dumps(run.state.as_json())
    assert SECRET not in kept
    assert MATERIAL not in kept

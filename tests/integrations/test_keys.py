"""Keys: what material is taken, and that none of it comes back."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import PermissionDenied, ValidationError

from flows.models import Entity, Role
from flows.pretend import PretendDoor
from flows.vault import SecretUnreadable
from integrations.catalog import RealCatalog
from integrations.door import RealDoor
from integrations.keys import delete_key, new_aes_material, save_key
from integrations.models import Key
from tests.integrations.makers import edits_of, make_entity, make_flow, node, person

pytestmark = pytest.mark.django_db

AES = b64encode(bytes(range(32))).decode()


def pem(private) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def rsa_pem() -> str:
    return pem(rsa.generate_private_key(65537, 2048))


@pytest.fixture
def entity() -> Entity:
    return make_entity()


def save(entity, by="integrator", **fields):
    return save_key(entity, by=person(by), **{"name": "partner", "kind": "aes-256", "material": AES, **fields})


def material(key: Key, environment: str = "production") -> bytes:
    """What the door gives for the key as the catalog describes it there."""
    found = RealCatalog(key.entity, environment).find("key", key.name)
    assert found is not None
    return RealDoor().key(found.content)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.INTEGRATOR])
def test_only_integrators_manage_keys(entity, role):
    with pytest.raises(PermissionDenied):
        save(entity, by=role)


def test_the_door_gets_the_material_and_the_row_shows_none(entity):
    key = save(entity)
    assert material(key) == bytes(range(32))
    assert AES not in str(key.__dict__) + repr(key)


def test_an_aes_key_without_material_is_made_and_stays_as_it_is(entity):
    key = save(entity, material="")
    made = material(key)
    assert len(made) == 32
    assert material(save(entity, material="")) == made


def test_fresh_material_is_32_bytes(entity):
    assert len(b64decode(new_aes_material())) == 32
    assert new_aes_material() != new_aes_material()


def test_an_hmac_key_is_its_text(entity):
    assert material(save(entity, kind="hmac", material="shared sécret")) == "shared sécret".encode()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("aes-256", "too-short"),
        ("aes-256", b64encode(bytes(16)).decode()),
        ("aes-256", AES.replace("=", "!")),
        ("hmac", ""),
        ("hmac", "x" * 2000),
        ("rsa-public", ""),
        ("rsa-public", "-----BEGIN PUBLIC KEY-----\nnot one\n-----END PUBLIC KEY-----"),
        ("rsa-public", pem(ec.generate_private_key(ec.SECP256R1()))),
        ("rsa-public", pem(rsa.generate_private_key(65537, 1024))),
    ],
)
def test_material_that_does_not_fit_is_refused_and_not_quoted(entity, kind, given):
    with pytest.raises(ValidationError) as refused:
        save(entity, kind=kind, material=given)
    assert set(refused.value.message_dict) == {"material"}
    assert not given or given not in str(refused.value)
    assert not Key.objects.exists()


@pytest.mark.parametrize("kind", ["aes-256", "hmac"])
def test_in_the_sandbox_a_key_has_material_of_its_own_or_is_pretended(entity, kind):
    key = save(entity, kind=kind)
    pretended = PretendDoor().key({})
    assert material(key, "sandbox") == pretended
    of_sandbox = b64encode(bytes(32)).decode()
    key = save(entity, kind=kind, material="", sandbox_material=of_sandbox)
    assert material(key, "sandbox") not in (pretended, material(key))
    assert material(key) == (bytes(range(32)) if kind == "aes-256" else AES.encode())
    assert of_sandbox not in str(key.__dict__)


def test_production_material_that_was_moved_to_the_sandbox_by_sql_opens_nothing(entity):
    key = save(entity)
    Key.objects.filter(pk=key.pk).update(sandbox_sealed=key.sealed)
    with pytest.raises(SecretUnreadable):
        material(key, "sandbox")


def test_a_public_key_serves_both_environments_and_takes_no_second_one(entity, rsa_pem):
    key = save(entity, kind="rsa-public", material=rsa_pem)
    assert material(key) == material(key, "sandbox") == rsa_pem.encode()
    with pytest.raises(ValidationError, match="serves the sandbox as well"):
        save(entity, kind="rsa-public", material="", sandbox_material=rsa_pem)


def test_sandbox_material_that_does_not_fit_is_refused(entity):
    with pytest.raises(ValidationError) as refused:
        save(entity, sandbox_material="too-short")
    assert set(refused.value.message_dict) == {"sandbox_material"}


def test_a_key_keeps_its_kind(entity):
    save(entity)
    with pytest.raises(ValidationError, match="aes-256"):
        save(entity, kind="hmac", material="text")


def test_rotating_a_secret_key_is_no_edit_and_changing_a_public_key_is_one(entity, rsa_pem):
    secret = save(entity)
    save(entity, by="root", material=new_aes_material(), sandbox_material=new_aes_material())
    assert edits_of(f"key:{secret.pk}") == ["integrator"]
    public = save(entity, name="public", kind="rsa-public", material=rsa_pem)
    save(entity, by="root", name="public", kind="rsa-public", material=rsa_pem)
    assert edits_of(f"key:{public.pk}") == ["integrator"]
    save(entity, by="root", name="public", kind="rsa-public", material=pem(rsa.generate_private_key(65537, 2048)))
    assert edits_of(f"key:{public.pk}") == ["integrator", "root"]


def test_a_key_in_use_is_not_deleted(entity):
    key = save(entity)
    make_flow(
        entity, "drafted", node(1), node(2, "encrypt", {"value": "a", "algorithm": "aes-256-gcm", "key": "partner"})
    )
    with pytest.raises(ValidationError, match="the draft of drafted"):
        delete_key(key, by=person("integrator"))

"""A new key first: what is sealed is encrypted with it, batch by batch, whatever interrupts that."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from flows import runs, sensitive
from flows.models import Edit, Run, RunState
from integrations import resealing
from integrations.connections import save_connection
from integrations.keys import open_material, save_key
from integrations.models import Key
from tests.admin_world import public_key
from tests.flows.conftest import own_doors
from tests.flows.hosting import Crash, ScriptedDoor, admitted, lose_lease, use_door
from tests.flows.paying import CARD, PAYLOAD, echo, kept, leaks, paying_flow
from tests.integrations.makers import make_entity, person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_doors")]
__all__ = ["own_doors"]

OLD, NEW = "an-old-passphrase-of-more-than-32-characters", "a-new-passphrase-of-more-than-32-characters"
MATERIAL = "planted-s3cret"


@pytest.fixture
def house(settings: Any) -> Any:
    """Secrets, keys and runs, sealed with an old key; a new one stands first now."""
    settings.CHATFLOW_KEYS = [OLD]
    flow, entity = paying_flow(calls=2), make_entity("keys")
    for name in ("one", "two", "three"):
        address = {"production_address": "https://shop.example.com", "auth": "bearer"}
        secrets = {"production": f"{MATERIAL}-{name}"}
        save_connection(entity, by=person("integrator"), name=name, **address, secrets=secrets)
    save_key(entity, by=person("integrator"), name="mac", kind="hmac", material=MATERIAL, sandbox_material="sandbox")
    runs.run_now(admitted(flow, payload=PAYLOAD), deadline_seconds=60, door=ScriptedDoor(echo, echo))
    door = ScriptedDoor(echo, Crash("here"))
    with pytest.raises(Crash):
        runs.run_now(admitted(flow, payload=PAYLOAD), deadline_seconds=60, door=door, also=lambda run: None)
    settings.CHATFLOW_KEYS = [NEW, OLD]
    return entity


def reseal(*arguments: str) -> str:
    out = io.StringIO()
    call_command("reseal", *arguments, stdout=out)
    return out.getvalue()


def test_everything_opens_with_the_new_key_alone(house: Any, settings: Any) -> None:
    told = reseal()
    assert "Secrets of connections: 3 looked at, 3 encrypted anew, 0 unreadable." in told
    assert "Runs: 2 looked at, 2 encrypted anew, 0 unreadable." in told
    settings.CHATFLOW_KEYS = [NEW]
    assert open_material(Key.objects.get(), "production") == MATERIAL
    assert open_material(Key.objects.get(), "sandbox") == "sandbox"
    done = Run.objects.get(state=RunState.SUCCEEDED)
    assert sensitive.answer_of(done)["body"]["card"] == CARD
    crashed = Run.objects.get(state=RunState.RUNNING)
    lose_lease(crashed.pk)
    use_door(ScriptedDoor())
    run = runs.resume(crashed.pk)
    assert run is not None
    assert (run.state, leaks(kept())) == (RunState.IN_DOUBT, [])


def test_a_second_time_nothing_is_left_to_do(house: Any) -> None:
    reseal()
    assert set(counts(reseal())) == {0}


def test_what_was_interrupted_goes_on(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 2)
    first = next(resealing.reseal_everything())
    assert (first.seen, first.renewed) == (2, 2)
    assert counts(reseal())[1] == 1


def counts(told: str) -> list[int]:
    """How many each line of progress says were encrypted anew."""
    return [int(line.split(", ")[1].split()[0]) for line in told.splitlines() if "looked at" in line]


def test_a_row_that_no_key_opens_is_named_and_the_others_are_done(house: Any, settings: Any) -> None:
    settings.CHATFLOW_KEYS = ["a-key-that-was-lost-of-more-than-32-characters"]
    save_key(house, by=person("integrator"), name="lost", kind="hmac", material="lost")
    settings.CHATFLOW_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="1 can't be opened with any of CHATFLOW_KEYS: Keys: .* lost"):
        reseal()
    settings.CHATFLOW_KEYS = [NEW]
    assert open_material(Key.objects.get(name="mac"), "production") == MATERIAL


def test_a_public_key_is_saved_again_in_somebodys_name(house: Any, settings: Any) -> None:
    settings.CHATFLOW_KEYS = [OLD]
    save_key(house, by=person("integrator"), name="theirs", kind="rsa-public", material=public_key())
    settings.CHATFLOW_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="public key theirs of keys need a name. Call it again with --as USER."):
        reseal()
    with pytest.raises(CommandError):
        reseal("--as", "viewer")
    assert "Public keys: 1 encrypted anew." in reseal("--as", "integrator")
    settings.CHATFLOW_KEYS = [NEW]
    key = Key.objects.get(name="theirs")
    assert open_material(key, "production").startswith("-----BEGIN PUBLIC KEY-----")
    assert Edit.objects.filter(subject=f"key:{key.pk}").order_by("-id")[0].by.username == "integrator"

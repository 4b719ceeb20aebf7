"""Secrets at rest: sealed with the first key, opened by any, and only in their place."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from flows.vault import SecretUnreadable, open_sealed, reseal, seal

pytestmark = pytest.mark.pure

PLACE = "connection:7:production"
OLD, NEW = "an-old-passphrase-of-more-than-32-characters", Fernet.generate_key().decode()


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_is_opened_in_its_place(secret: str, place: str) -> None:
    token = seal(secret, place)
    assert open_sealed(token, place) == secret


def test_the_secret_is_not_in_the_token_and_two_tokens_differ() -> None:
    assert "planted" not in seal("planted", PLACE)
    assert seal("planted", PLACE) != seal("planted", PLACE)


@pytest.mark.parametrize("place", ["connection:7:sandbox", "connection:8:production", "key:7:production", ""])
def test_a_token_that_was_moved_is_not_opened(place: str) -> None:
    with pytest.raises(SecretUnreadable):
        open_sealed(seal("planted", PLACE), place)


def test_a_token_that_was_changed_is_not_opened() -> None:
    token = seal("planted", PLACE)
    for index in range(0, len(token) - 4, 7):  # the last characters hold bits that mean nothing
        changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        with pytest.raises(SecretUnreadable):
            open_sealed(changed, PLACE)


@pytest.mark.parametrize("token", ["", "nonsense", "gAAAAA", "é", "planted"])
def test_a_token_that_is_none_is_not_opened(token: str) -> None:
    with pytest.raises(SecretUnreadable):
        open_sealed(token, PLACE)


@pytest.mark.parametrize(("first", "second"), [(OLD, NEW), (NEW, OLD)])
def test_keys_are_rotated_without_a_gap(settings: Any, first: str, second: str) -> None:
    settings.CHATFLOW_KEYS = [first]
    token = seal("planted", PLACE)
    settings.CHATFLOW_KEYS = [second, first]
    assert open_sealed(token, PLACE) == "planted"
    renewed = reseal(token, PLACE)
    assert renewed != token
    assert reseal(renewed, PLACE) == renewed
    settings.CHATFLOW_KEYS = [second]
    assert open_sealed(renewed, PLACE) == "planted"
    with pytest.raises(SecretUnreadable) as caught:
        open_sealed(token, PLACE)
    assert "CHATFLOW_KEYS" in caught.value.hint


def test_resealing_does_not_move_a_secret() -> None:
    with pytest.raises(SecretUnreadable):
        reseal(seal("planted", PLACE), "connection:8:production")


@pytest.mark.parametrize("keys", [[], ["short"], [OLD, "short"]])
def test_keys_that_are_none_are_refused_by_name(settings: Any, keys: list[str]) -> None:
    settings.CHATFLOW_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match="CHATFLOW_KEYS"):
        seal("planted", PLACE)

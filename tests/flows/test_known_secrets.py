"""What a process remembers of secrets: bounded, and out of its log at once."""

from __future__ import annotations

import pytest

from flows import known_secrets
from flows.known_secrets import BATCH, BATCHES, bind, cleaned, remember
from flows.masking import MASK, Mask

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_secrets, "_known", known_secrets._Known())


def test_what_was_opened_is_in_no_line_from_then_on() -> None:
    assert cleaned("planted-s3cret") == "planted-s3cret"
    remember("planted-s3cret", b"\x00raw\xffbytes")
    assert cleaned(f"x planted-s3cret {b'planted-s3cret'.hex()}") == f"x {MASK} {MASK}"
    assert cleaned(repr(b"\x00raw\xffbytes")) == f"b'{MASK}'"


def test_a_secret_within_another_leaves_nothing_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_secrets, "BATCH", 1)
    remember("s3cret")
    remember("planted/s3cret-more")
    bind(Mask(["cret-more and ann"]))
    assert cleaned("x planted/s3cret-more and ann y") == f"x {MASK} y"
    bind(None)


def test_a_word_of_a_few_letters_is_not_remembered() -> None:
    remember("open", "")
    assert cleaned("open") == "open"


def test_the_oldest_are_forgotten() -> None:
    remember(*(f"secret-number-{number:05}" for number in range(BATCH * BATCHES + 1)))
    assert cleaned(f"secret-number-00000, secret-number-{BATCH * BATCHES:05}") == f"secret-number-00000, {MASK}"
    assert len(known_secrets._known.masks) == BATCHES


def test_values_of_a_run_are_masked_while_it_runs() -> None:
    bind(Mask(["ann@example.com"]))
    assert cleaned("No mail to ann@example.com") == f"No mail to {MASK}"
    bind(None)
    assert cleaned("No mail to ann@example.com") == "No mail to ann@example.com"

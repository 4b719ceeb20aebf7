"""Names that say that what they name is secret."""

from __future__ import annotations

from typing import Any

import pytest

from flows.masking import MASK
from flows.secret_names import is_secret, mask_named, mask_named_text

pytestmark = pytest.mark.pure

SECRET_NAMES = ["Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "set_cookie", "password", "PassWord"]
SECRET_NAMES += ["passwd", "user_password", "secret", "clientSecret", "token", "accessToken", "X-API-Key", "api_key"]
SECRET_NAMES += ["apikey", "access_key", "AccessKeyId", "private-key", "otp", "OTP", "pin", "cardPin", "card-pin"]
SECRET_NAMES += ["session", "session_id", "PHPSESSID", "csrfmiddlewaretoken", "credentials"]
HARMLESS = [
    "key",
    "shipping",
    "opinion",
    "spin",
    "author",
    "secretary",
    "token_prefix",
    "idempotency_key",
    "name",
    "id",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_name_is_known(name: str) -> None:
    assert is_secret(name)
    assert mask_named({name: "hush"}) == {name: MASK}
    assert mask_named_text(f'{{"a":[{{"{name}":"hush"}}]}}') == f'{{"a":[{{"{name}":"{MASK}"}}]}}'


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_name_is_left_alone(name: str) -> None:
    assert not is_secret(name)
    assert mask_named({name: "said"}) == {name: "said"}
    assert mask_named_text(f"{name}=said") == f"{name}=said"


def test_what_a_secret_name_names_goes_as_a_whole() -> None:
    value = {"password": {"old": "a", "new": "b"}, "tokens": ["a", "b"], "pin": 1234, "otp": None, "secret": ""}
    assert mask_named(value) == {"password": MASK, "tokens": MASK, "pin": MASK, "otp": None, "secret": ""}


def test_pairs_of_name_and_value_are_read_as_such() -> None:
    pairs = [{"name": "Authorization", "value": "Bearer x"}, {"name": "Accept", "value": "text/plain"}]
    assert mask_named({"headers": pairs})["headers"] == [{"name": "Authorization", "value": MASK}, pairs[1]]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET /x?api_key=k3y&id=7", f"GET /x?api_key={MASK}&id=7"),
        ('{"password": "my long pass", "id": 7}', f'{{"password": "{MASK}", "id": 7}}'),
        (r'{"event": "{\"token\": \"abc\", \"a\": 1}"}', rf'{{"event": "{{\"token\": \"{MASK}\", \"a\": 1}}"}}'),
        ("Authorization: Bearer abc.def\nHost: x", f"Authorization: {MASK}\nHost: x"),
        ("Cookie: a=b; c=d\nnext", f"Cookie: {MASK}\nnext"),
        ("{'X-Api-Key': 'abc', 'n': 1}", f"{{'X-Api-Key': '{MASK}', 'n': 1}}"),
        ("redis://user:pw@host/0 is away", f"redis://user:{MASK}@host/0 is away"),
        (f"cft_abcdefgh_{'A' * 43} came", f"cft_abcdefgh_{MASK} came"),
        ("Bearer abcdefghijklmnopqrst", f"Bearer {MASK}"),
        ("the pin of the card", "the pin of the card"),
    ],
)
def test_a_text_loses_what_secret_names_name(text: str, masked: str) -> None:
    assert mask_named_text(text) == masked
    assert mask_named_text(masked) == masked


@pytest.mark.parametrize("value", [None, True, 7, "text", [], {}])
def test_other_values_pass(value: Any) -> None:
    assert mask_named(value) == value

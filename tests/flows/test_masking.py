"""Masks: a secret is found in every form that it may come back in, and nothing else is touched."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.engine.strictjson import dumps
from flows.masking import MASK, MAX_TEXTS, Mask

pytestmark = pytest.mark.pure

SECRET = 'pl4nted/s&cret "ü" +1'
ASCII = "planted-s3cret/Zq+8"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: s,
    "capitals": str.upper,
    "small letters": str.lower,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON in UTF-8": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON within JSON": lambda s: json.dumps(json.dumps(s))[3:-3],
    "JSON of PHP": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "Python": lambda s: repr(s)[1:-1],
    "bytes of Python": lambda s: repr(s.encode())[2:-1],
    "HTML": html.escape,
    "percent": lambda s: quote(s, safe=""),
    "percent, small": lambda s: quote(s, safe="").lower(),
    "percent, path": quote,
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "percent throughout": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "form": quote_plus,
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "Latin-1": lambda s: s.encode().decode("latin-1"),
}


@pytest.mark.parametrize("secret", [SECRET, ASCII])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_every_form(form: str, secret: str) -> None:
    written = FORMS[form](secret)
    assert Mask([secret]).text(f"before {written} after") == f"before {MASK} after"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "{'key': '"])
@pytest.mark.parametrize("after", ["", "z", "zz", "', 'more': 1}"])
def test_a_secret_is_found_in_base64_whatever_stands_around_it(encode: Any, before: str, after: str) -> None:
    for secret in (SECRET, ASCII, "??>>~~s3cret"):
        written = encode(f"{before}{secret}{after}".encode()).decode()
        masked = Mask([secret]).text(f"x{written}x")
        assert MASK in masked
        whole = [text for text in (masked.removeprefix("x").removesuffix("x")).split(MASK) if len(text) > 3]
        assert all(secret.encode()[:4] not in base64.b64decode(text[: len(text) // 4 * 4] + "====") for text in whole)


def test_a_json_value_is_cleaned_everywhere() -> None:
    value: Any = {f"x{ASCII}": [f"a {ASCII} b", {"deep": quote(ASCII, safe="")}], "total": Decimal("1.50"), "n": None}
    cleaned = Mask([ASCII]).value(value)
    assert cleaned == {f"x{MASK}": [f"a {MASK} b", {"deep": MASK}], "total": Decimal("1.50"), "n": None}


def test_a_value_without_secrets_is_handed_back_itself() -> None:
    value: Any = {"a": ["b", 1]}
    assert Mask([ASCII]).value(value) is value
    assert Mask([]).value(value) is value


@pytest.mark.parametrize(
    ("secrets", "value", "masked"),
    [
        (["4111111111111111"], 4111111111111111, MASK),
        (["4111111111111111"], [94111111111111111, "x4111111111111111x"], [MASK, f"x{MASK}x"]),
        (["129.90"], [Decimal("129.90"), Decimal("129.9"), 129], [MASK, Decimal("129.9"), 129]),
        (["129.90", "129.9"], Decimal("129.900"), MASK),
        (["7"], [7, 77, "7", "77", True], [MASK, 77, MASK, "77", True]),
        (["F"], ["F", "FF", {"F": "f"}], [MASK, "FF", {MASK: "f"}]),
        (["123"], ["x123y", 123, 91234], [f"x{MASK}y", MASK, 91234]),
    ],
)
def test_numbers_and_short_texts(secrets: list[str], value: Any, masked: Any) -> None:
    assert Mask(secrets).value(value) == masked


@pytest.mark.parametrize("cut", range(6, len(ASCII)))
def test_a_message_gives_no_beginning_away_where_something_cut_a_secret(cut: int) -> None:
    mask = Mask([ASCII])
    for end in ("", "…", "' is there twice", '"}', " and so on"):
        assert mask.message(f"The key '{ASCII[:cut]}{end}") == f"The key '{MASK}{end}"


def test_the_beginning_of_another_word_is_left_alone() -> None:
    mask = Mask(["https://shop.example.com/private/path"])
    assert mask.message("https://other.example.com is away") == "https://other.example.com is away"


def test_several_secrets_of_one_beginning_go_whole() -> None:
    mask = Mask(["secret-one", "secret-one-and-more", "other-secret-one"])
    assert mask.text("secret-one-and-more other-secret-one secret-one") == f"{MASK} {MASK} {MASK}"


def test_secrets_that_overlap_go_whole() -> None:
    mask = Mask(["begins-and-goes-on", "goes-on-and-ends"])
    assert mask.text("it begins-and-goes-on-and-ends here") == f"it {MASK} here"


def test_a_mask_of_too_much_takes_everything() -> None:
    mask = Mask(f"value {number}" for number in range(MAX_TEXTS + 1))
    assert mask.value({"a": ["b", 1, None, True]}) == {MASK: [MASK, MASK, None, True]}
    assert (mask.text("any"), mask.text("")) == (MASK, "")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40),
    st.text(max_size=30),
    st.text(max_size=30),
)
def test_no_secret_stays_in_any_json(secret: str, before: str, after: str) -> None:
    before, after = (text.encode("utf-8", "ignore").decode() for text in (before, after))
    mask = Mask([secret])
    assert secret not in mask.text(before + secret + after).replace(MASK, "\0")
    assert not mask.is_in(dumps(mask.value({before: [before + secret + after]})).encode())

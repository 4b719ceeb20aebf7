"""Tokens: made, read from headers, compared."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import tokens

pytestmark = pytest.mark.pure

TOKEN = "cft_k3v7q2ma_" + "A_-" * 14 + "x"


def test_a_token_has_a_prefix_to_find_it_by_and_256_random_bits():
    minted = tokens.mint()
    assert re.fullmatch(r"cft_[a-z2-7]{8}_[A-Za-z0-9_-]{43}", minted.text)
    assert minted.text.startswith(minted.prefix + "_")
    assert tokens.prefix(minted.text) == minted.prefix
    assert len({tokens.mint().text for _ in range(100)}) == 100


def test_what_is_stored_is_not_the_token():
    minted = tokens.mint()
    assert minted.text[13:] not in minted.digest
    assert re.fullmatch(r"[0-9a-f]{64}", minted.digest)


def test_only_the_whole_token_matches():
    minted = tokens.mint()
    assert tokens.matches(minted.text, minted.digest)
    assert not tokens.matches(tokens.mint().text, minted.digest)
    assert not tokens.matches(minted.text[:-1], minted.digest)
    assert not tokens.matches(minted.text, None)


@pytest.mark.parametrize(
    "meta",
    [
        {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"},
        {"HTTP_AUTHORIZATION": f"bearer {TOKEN}"},
        {"HTTP_AUTHORIZATION": f"BEARER   {TOKEN} "},
        {"HTTP_X_API_TOKEN": TOKEN},
        {"HTTP_X_API_TOKEN": f" {TOKEN}\t"},
    ],
)
def test_a_token_comes_in_one_of_two_headers(meta):
    assert tokens.presented(meta) == TOKEN


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({}, "has no token"),
        ({"HTTP_AUTHORIZATION": f"Bearer {TOKEN}", "HTTP_X_API_TOKEN": TOKEN}, "has two tokens"),
        ({"HTTP_AUTHORIZATION": f"Bearer {TOKEN},Bearer {TOKEN}"}, "more than once"),
        ({"HTTP_X_API_TOKEN": f"{TOKEN}, {TOKEN}"}, "more than once"),
        ({"HTTP_AUTHORIZATION": f"Basic {TOKEN}"}, "doesn't say “Bearer”"),
        ({"HTTP_AUTHORIZATION": TOKEN}, "doesn't say “Bearer”"),
        ({"HTTP_AUTHORIZATION": ""}, "doesn't say “Bearer”"),
        ({"HTTP_AUTHORIZATION": "Bearer"}, "is empty"),
        ({"HTTP_AUTHORIZATION": "Bearer  "}, "is empty"),
        ({"HTTP_X_API_TOKEN": ""}, "is empty"),
        ({"HTTP_X_API_TOKEN": f"Bearer {TOKEN}"}, "isn't a whole token"),
        ({"HTTP_AUTHORIZATION": f"Bearer {TOKEN[:-1]}"}, "isn't a whole token"),
        ({"HTTP_AUTHORIZATION": f"Bearer {TOKEN}é"}, "isn't a whole token"),
        ({"HTTP_AUTHORIZATION": f"Bearer {TOKEN}\n"}, "isn't a whole token"),
        ({"HTTP_AUTHORIZATION": f"Bearer '{TOKEN}'"}, "isn't a whole token"),
        ({"HTTP_AUTHORIZATION": f"Bearer {TOKEN.upper()}"}, "isn't a whole token"),
    ],
)
def test_anything_else_is_refused_with_what_to_send(meta, reason):
    with pytest.raises(tokens.TokenRefused, match=re.escape(reason)) as refused:
        tokens.presented(meta)
    assert refused.value.missing is (not meta)
    assert TOKEN not in str(refused.value)


@given(st.text(max_size=80), st.text(max_size=80) | st.none())
def test_any_headers_give_a_token_or_a_refusal(authorization, x_api_token):
    meta = {"HTTP_AUTHORIZATION": authorization} | ({} if x_api_token is None else {"HTTP_X_API_TOKEN": x_api_token})
    with pytest.raises(tokens.TokenRefused):
        tokens.presented(meta)

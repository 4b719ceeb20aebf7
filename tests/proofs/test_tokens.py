"""Thousands of tokens at the door, right and wrong in every way: none that is wrong gets in, none that is right stays out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from routing import tokens
from routing.models import Route, Token
from routing.route_tokens import create_token, revoke_token
from tests.proofs.proof import Proof
from tests.routing.makers import deploy, end, make_flow, make_house, make_route, person, start

Headers = dict[str, str]
Present = Callable[["Stand", random.Random], Headers]


class Stand:
    """Two routes with their tokens: some live, one revoked, one expired, one of the other route."""

    def __init__(self) -> None:
        entity = make_house()
        self.route, first = make_route(deploy(make_flow(entity, start(), end({"ok": True}))))
        other, self.foreign = make_route(deploy(make_flow(entity, start(), end(), slug="other")))
        by = person("approver")
        self.live = [first, create_token(self.route, by=by)[1], self._ends_in_an_hour(by)]
        revoked, self.revoked = create_token(self.route, by=by)
        revoke_token(revoked, by=by)
        expired, self.expired = create_token(self.route, by=by)
        Token.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(microseconds=1))

    def _ends_in_an_hour(self, by: User) -> str:
        return create_token(self.route, by=by, expires_at=timezone.now() + timedelta(hours=1))[1]


def bearer(text: str) -> Headers:
    return {"HTTP_AUTHORIZATION": f"Bearer {text}"}


def changed(text: str, chance: random.Random) -> str:
    """With one character of the secret another one."""
    place = chance.randrange(13, len(text))
    return text[:place] + chance.choice([c for c in "abcXYZ019_-" if c != text[place]]) + text[place + 1 :]


RIGHT: dict[str, Present] = {
    "bearer": lambda stand, chance: bearer(chance.choice(stand.live)),
    "x-api-token": lambda stand, chance: {"HTTP_X_API_TOKEN": chance.choice(stand.live)},
    "scheme in other letters": lambda stand, chance: {
        "HTTP_AUTHORIZATION": f"{chance.choice(['bearer', 'BEARER', 'bEaReR'])} {chance.choice(stand.live)}"
    },
    "blanks around": lambda stand, chance: {"HTTP_AUTHORIZATION": f" Bearer   {chance.choice(stand.live)}\t"},
}
ODD_TEXTS = [
    "",
    " ",
    "null",
    "cft_",
    "é" * 56,
    "\x00",
    "٠" * 56,
    "cft_aaaaaaaa_" + "A" * 43 + "\n",
    "A" * 8_000,
    "%s",
    "' OR 1=1 --",
]
WRONG: dict[str, Present] = {
    "none": lambda stand, chance: {},
    "wrong secret": lambda stand, chance: bearer(changed(chance.choice(stand.live), chance)),
    "unknown prefix": lambda stand, chance: bearer(tokens.mint().text),
    "another's prefix": lambda stand, chance: bearer(stand.live[0][:13] + stand.live[1][13:]),
    "truncated": lambda stand, chance: bearer(stand.live[0][: chance.randrange(56)]),
    "longer": lambda stand, chance: bearer(stand.live[0] + chance.choice("aZ_= .")[:1] + "x"),
    "of another route": lambda stand, chance: bearer(stand.foreign),
    "revoked": lambda stand, chance: bearer(stand.revoked),
    "expired": lambda stand, chance: bearer(stand.expired),
    "header twice": lambda stand, chance: bearer(f"{stand.live[0]}, Bearer {stand.live[0]}"),
    "both headers": lambda stand, chance: bearer(stand.live[0]) | {"HTTP_X_API_TOKEN": stand.live[0]},
    "other letters": lambda stand, chance: bearer(stand.live[0].upper()),
    "look-alikes": lambda stand, chance: bearer(stand.live[0].replace("cft", chance.choice(["сft", "cｆt", "ⅽft"]))),
    "odd": lambda stand, chance: bearer(chance.choice(ODD_TEXTS)),
    "only its digest": lambda stand, chance: bearer(tokens.digest(stand.live[0])),
    "only its prefix": lambda stand, chance: bearer(stand.live[0][:12]),
    "another scheme": lambda stand, chance: {
        "HTTP_AUTHORIZATION": f"{chance.choice(['Basic', 'Token', 'Digest', 'Bearer:', ''])} {stand.live[0]}"
    },
    "no blank after the scheme": lambda stand, chance: {"HTTP_AUTHORIZATION": f"Bearer{stand.live[0]}"},
    "in a cookie": lambda stand, chance: {"HTTP_COOKIE": f"token={stand.live[0]}; Authorization={stand.live[0]}"},
    "in the query": lambda stand, chance: {"QUERY_STRING": f"token={stand.live[0]}&access_token={stand.live[0]}"},
    "in a look-alike header": lambda stand, chance: {"HTTP_X_AUTHORIZATION": f"Bearer {stand.live[0]}"},
}


@pytest.mark.django_db
def test_only_a_live_token_of_the_route_opens_it(proof: Proof) -> None:
    stand, chance, client = Stand(), random.Random(4), Client(raise_request_exception=False)
    outcomes: Counter[str] = Counter()
    bad: list[tuple[str, int]] = []
    checks = proof.size(500, 10_000)
    kinds = [*RIGHT, *WRONG]
    for number in range(checks):
        kind = kinds[number % len(kinds)] if number % 3 else chance.choice(list(RIGHT))
        status = knock(client, stand.route, {**RIGHT, **WRONG}[kind](stand, chance))
        outcomes["right" if kind in RIGHT else "wrong"] += 1
        if status != (200 if kind in RIGHT else 401):
            bad.append((kind, status))
    proof.count("tokens checked", checks)
    proof.count("right", outcomes["right"])
    proof.count("wrong", outcomes["wrong"])
    proof.count("false accepts", sum(kind in WRONG and status < 400 for kind, status in bad))
    proof.count("false rejects", sum(kind in RIGHT for kind, _ in bad))
    proof.count("5xx", sum(status >= 500 for _, status in bad))
    assert bad == []


def knock(client: Client, route: Route, sent: dict[str, Any]) -> int:
    return client.generic("POST", f"/dynamic/{route.pk}", "{}", "application/json", **sent).status_code

"""Thirty secrets in every place that takes one, a service that repeats and fails, and where a secret shows again."""

from __future__ import annotations

import base64
import html
import json
import random
import secrets
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from django.conf import settings
from django.db import connection
from django.test import Client

from flows.models import Flow, Run
from integrations.connections import save_connection
from integrations.endpoints import save_endpoint
from integrations.keys import new_aes_material, save_key
from routing.models import Route
from tests.integrations.servers import Server, answer
from tests.routing.makers import deploy, end, make_flow, make_house, make_route, person, start

AUTHS = ("bearer", "basic", "api_key_header", "api_key_query")
SENSITIVE = {"card": str, "pin": int, "person": dict, "codes": list, "note": str}


def forms(text: str) -> set[bytes]:
    """How one might find a secret in a dump; written apart from what masks it."""
    raw = text.encode()
    found = {text, html.escape(text), quote(text), quote(text, safe=""), quote(text, safe="").lower(), quote_plus(text)}
    found |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(json.dumps(text))[3:-3]}
    found |= {
        repr(text)[1:-1],
        raw.hex(),
        raw.hex().upper(),
        text.upper(),
        text.lower(),
        quote(quote(text, safe=""), safe=""),
    }
    for before in range(3):
        inner = base64.b64encode(b"x" * before + raw).decode().rstrip("=")[before + 1 if before else 0 :][:-1]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {each.encode() for each in found if len(each) >= 6}


class Planted:
    """The secrets by what they are, and a search for all of them at once."""

    def __init__(self, named: dict[str, str]) -> None:
        self.named = named
        self._forms = [(name, form) for name, text in named.items() for form in forms(text)]

    def seen_in(self, data: bytes) -> list[str]:
        return sorted({name for name, form in self._forms if form in data})


class House:
    """Flows with every kind of login and key, routes to them, and secrets planted in all of it."""

    def __init__(self, server: Server, chance: random.Random) -> None:
        self.server, self.chance = server, chance
        self.entity = make_house()
        self.planted: dict[str, str] = {"SECRET_KEY": settings.SECRET_KEY, "CHATFLOW_KEYS": settings.CHATFLOW_KEYS[0]}
        self._plant_keys()
        self.routes: list[tuple[Route, str]] = []
        for auth in AUTHS:
            flow = self._flow(auth)
            for is_async in (False, True):
                self._route(flow, f"{auth}, async: {is_async}", is_async=is_async)
        self.payloads = [self._payload(number) for number in range(2)]

    def _secret(self, name: str, text: str = "") -> str:
        self.planted[name] = text = text or f'Pl4nted/{secrets.token_urlsafe(18)}+ü&"{len(self.planted)}'
        return text

    def _plant_keys(self) -> None:
        by = person("integrator")
        aes = [self._secret(f"AES {which}", new_aes_material()) for which in ("key", "sandbox key")]
        save_key(self.entity, by=by, name="box", kind="aes-256", material=aes[0], sandbox_material=aes[1])
        mac = [self._secret(f"HMAC {which}") for which in ("key", "sandbox key")]
        save_key(self.entity, by=by, name="mac", kind="hmac", material=mac[0], sandbox_material=mac[1])

    def _connection(self, auth: str) -> None:
        given = {}
        for environment in ("production", "sandbox"):
            # A header and a query take no other letters; what is user:password may have any.
            secret = self._secret(f"{auth} {environment}", f"pl4nted-{secrets.token_urlsafe(24)}/+{len(self.planted)}")
            given[environment] = f"user:{secret}" if auth == "basic" else secret
        address = {"production_address": self.server.url("/v1"), "sandbox_address": self.server.url("/s1")}
        name = {"auth_name": "X-Api-Key" if auth == "api_key_header" else "api_key"} if "key" in auth else {}
        save_connection(self.entity, by=person("integrator"), name=auth, auth=auth, secrets=given, **address, **name)

    def _flow(self, auth: str) -> Flow:
        """Start → encrypt with both keys → call with everything that came in → answer with everything that came back."""
        self._connection(auth)
        for method, repeat in (("GET", "safe"), ("POST", "never")):
            endpoint = {"name": f"{auth}_{method.lower()}", "connection": auth, "method": method, "repeat": repeat}
            body = {"body_type": "json"} if method == "POST" else {}
            save_endpoint(self.entity, by=person("builder"), path="/echo", timeout_seconds=5, **endpoint, **body)
        schema = {"type": "object", "properties": {name: {"x-sensitive": True} for name in SENSITIVE}}
        said = "{{ payload.person.name }} has {{ payload.card }}: {{ payload.codes }}"
        numbered = [
            {**start(payload_schema=schema)},
            _node(2, "encrypt", 3, value="{{ payload.card }}", algorithm="aes-256-gcm", key="box"),
            _node(3, "encrypt", 4, value="{{ payload.note }}", algorithm="hmac-sha256", key="mac"),
            _node(
                4,
                "set_variable",
                5,
                assignments=[{"name": "said", "value": said}, {"name": "all", "value": "{{ payload }}"}],
            ),
            _node(
                5, "api_integration", 6, endpoint=f"{auth}_get", query=[{"name": "q", "value": "{{ payload.card }}"}]
            ),
            _node(6, "api_integration", 7, endpoint=f"{auth}_post", body="{{ payload }}"),
            end(
                {"first": "{{ api_integration_5 }}", "second": "{{ api_integration_6 }}", "said": "{{ said }}"},
                number=7,
            ),
        ]
        return deploy(make_flow(self.entity, *numbered, slug=auth.replace("_", "-")))

    def _route(self, flow: Flow, name: str, **values: Any) -> None:
        route, token = make_route(flow, name=name, **values)
        self._secret(f"token of {name}", token)
        self.routes.append((route, token))

    def _payload(self, number: int) -> dict[str, Any]:
        """Everything but `order` is marked as sensitive."""
        digits = str(self.chance.randrange(10**9, 10**10))
        return {
            "card": self._secret(f"card {number}"),
            "pin": int(self._secret(f"pin {number}", digits)),
            "person": {"name": self._secret(f"name {number}")},
            "codes": [self._secret(f"code {number}")],
            "note": self._secret(f"note {number}"),
            "order": f"A-{number}",
        }

    def call(self, client: Client) -> Any:
        """One request to a route of random choice."""
        (route, token), payload = self.chance.choice(self.routes), self.chance.choice(self.payloads)
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"session={token}", "X-Forwarded-Token": token}
        address = f"/dynamic/{route.pk}?token={token}&card={quote(str(payload['card']))}"
        return client.post(address, json.dumps(payload), content_type="application/json", headers=headers)


def _node(number: int, type_name: str, to: int, **settings: Any) -> dict[str, Any]:
    return {"number": number, "type": type_name, "settings": settings, "exits": {"yes": to, "no": to}}


class Parrot:
    """A service that repeats what it gets in every way it knows, and fails in as many."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def __call__(self, request: bytes) -> Iterable[bytes | float]:
        said = request.decode("utf-8", "replace")
        tellings = [said, unquote(said), base64.b64encode(request).decode(), quote(said, safe=""), request.hex()]
        told = self.chance.choice(tellings)
        header = told.replace("\r", " ").replace("\n", " ")[:4000].encode("utf-8", "replace").decode("latin-1")
        kind = self.chance.choice(["json", "text", "twice", "broken", "charset", "error", "reset", "empty"])
        if kind == "reset":
            return [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", request]
        body = {
            "json": json.dumps({"said": tellings, told[:200]: [told], "Set-Cookie": told}),
            "twice": json.dumps({told: 1})[:-1] + "," + json.dumps({told: 1})[1:],
            "broken": "{" + told,
            "empty": "",
        }.get(kind, told)
        media_type = {"text": "text/plain", "error": "text/plain", "charset": f"text/plain; charset={header[:60]}"}
        headers = [("Content-Type", media_type.get(kind, "application/json")), ("X-Said", header)]
        return answer(body.encode(), status="500 Broken" if kind == "error" else "200 OK", headers=headers)(request)


def tables() -> Iterator[tuple[str, bytes]]:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield table, "\n".join(map(str, row)).encode("utf-8", "replace")


def pages(client: Client, most: int) -> Iterator[tuple[str, bytes]]:
    """Pages of the admin, by following the links of each; and every run's."""
    waiting = ["/admin/", *(f"/admin/flows/run/{pk}/change/" for pk in Run.objects.values_list("pk", flat=True)[:most])]
    seen: set[str] = set()
    while waiting and len(seen) < 2 * most:
        url = waiting.pop(0)
        if url in seen:
            continue
        seen.add(url)
        page = client.get(url, follow=True)
        yield url, page.content
        links = {html.unescape(link) for link in page.content.decode().split('href="')[1:]}
        for link in sorted(link.partition('"')[0].partition("#")[0] for link in links):
            if link.startswith("/admin/") and "logout" not in link and link not in seen:
                waiting.append(link)

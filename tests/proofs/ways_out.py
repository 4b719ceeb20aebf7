"""Every place that a URL can come from, and a watch on where sockets are led to.

A way takes a target and does all that is needed to have it called: saves it, runs a flow with it, answers with it.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from flows.engine.loop import advance
from flows.engine.plan import compile_content
from flows.engine.protocols import Call
from flows.engine.state import State
from flows.engine.strictjson import loads
from flows.ids import new_run_id
from flows.models import Entity
from flows.sealing import seal
from integrations import addresses, sockets
from integrations.building import build_url
from integrations.catalog import RealCatalog
from integrations.connections import save_connection
from integrations.door import RealDoor
from integrations.endpoints import save_endpoint
from integrations.http import OutboundRequest, send
from routing.setup_file import apply_setup, read_setup
from tests.integrations.makers import make_entity, make_flow, node, person
from tests.integrations.servers import Server, answer

PUBLIC = "93.184.216.34"
HOST = "https://public.test"
Way = Callable[[str], object]


@dataclass
class Watch:
    """Loopback canaries, names as the test says, and every address that a socket was told to connect to."""

    names: dict[str, list[str]] = field(default_factory=lambda: {"public.test": [PUBLIC]})
    connected: list[tuple[str, int]] = field(default_factory=list)
    may_connect: set[tuple[str, int]] = field(default_factory=set)
    canaries: list[Server] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        """Numbers as the system reads them; nothing asks a real DNS."""
        known = self.names.get(host.rstrip(".").lower(), [host])
        found = [socket.getaddrinfo(text, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST) for text in known]
        return [(info[0], info[4]) for infos in found for info in infos]

    def connect(self, sock: socket.socket, address: Any) -> None:
        """To the canaries and to what the test allows; anything else is noted and refused."""
        self.connected.append(address[:2])
        if address[:2] not in self.may_connect:
            raise ConnectionRefusedError
        really_connect(sock, address)

    @property
    def served(self) -> int:
        return sum(canary.connections for canary in self.canaries)


really_connect = socket.socket.connect


@contextmanager
def watching() -> Iterator[Watch]:
    """Two canaries, on IPv4 and IPv6, on a port that public addresses may be called on: only the address protects them."""
    watch = Watch()
    watch.canaries = [Server(answer(b"canary"), family=family) for family in (socket.AF_INET, socket.AF_INET6)]
    watch.may_connect = {("127.0.0.1", watch.canaries[0].port), ("::1", watch.canaries[1].port)}
    ports = addresses.PUBLIC_PORTS | {canary.port for canary in watch.canaries}
    try:
        with (
            patch.object(addresses, "PUBLIC_PORTS", ports),
            patch.object(sockets, "resolve", watch.resolve),
            patch.object(socket.socket, "connect", lambda sock, address: watch.connect(sock, address), create=True),
        ):
            yield watch
    finally:
        for canary in watch.canaries:
            canary.close()


# --- Ways without a database -----------------------------------------------------------------------------------------


def by_the_door(target: str) -> object:
    return send(OutboundRequest("GET", target, scope="shop", repeatable=True, timeout_seconds=2))


def by_the_address_of_a_call(target: str) -> object:
    return send(OutboundRequest("POST", build_url(target, "/x", [("a", "b")]), body=b"{}", timeout_seconds=2))


def by_the_path_of_a_call(target: str) -> object:
    return send(OutboundRequest("GET", build_url(HOST, "/" + target), timeout_seconds=2))


def by_headers(target: str) -> object:
    names = (
        "Host",
        "X-Forwarded-Host",
        "Forwarded",
        "Location",
        "Referer",
        "Origin",
        "X-Original-URL",
        "Proxy-Connection",
    )
    return [tried(header_way(name), target) for name in names]


def header_way(name: str) -> Way:
    return lambda target: send(OutboundRequest("GET", HOST + "/", ((name, target),), timeout_seconds=2))


def by_settings_of_the_environment(target: str) -> object:
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    with patch.dict(os.environ, dict.fromkeys(proxies, target.replace("\0", "")), clear=False):
        return send(OutboundRequest("GET", HOST + "/", timeout_seconds=2))


def by_redirects(server: Server, place: dict[str, str]) -> Way:
    """`server` answers with the Location that stands in `place`."""

    def way(target: str) -> object:
        place["location"] = target.replace("\r", "").replace("\n", "").replace("\0", "")
        return send(OutboundRequest("GET", server.url(), timeout_seconds=2))

    return way


# --- Ways that are saved -----------------------------------------------------------------------------------------------


@dataclass
class House:
    """An entity, and the ways in which its people can have something called."""

    entity: Entity
    integrator: Client
    builder: Client

    @classmethod
    def make(cls) -> House:
        return cls(make_entity(), logged_in("integrator"), logged_in("builder"))

    def ways(self) -> dict[str, Way]:
        return {
            "the production address of a connection": lambda target: self.by_address(target, "production"),
            "the sandbox address of a connection": lambda target: self.by_address(target, "sandbox"),
            "the setup file": self.by_setup_file,
            "the form of a connection": self.by_connection_form,
            "the form of an endpoint": self.by_endpoint_form,
            "path, query, header and body of an endpoint": self.by_templates(),
        }

    def call(self, environment: str, path: str = "/x") -> object:
        """What a step does: the definition is sealed, and then called."""
        found = RealCatalog(self.entity, environment).find("connection", "shop")
        assert found is not None
        call = Call("shop", "GET", path, repeat="safe", key="run:1:0", timeout_seconds=2)
        return RealDoor(self.entity.pk).call(call, {"connection": {"shop": found.content}})

    def by_address(self, target: str, environment: str) -> object:
        there = {"production_address": HOST, f"{environment}_address": target}
        save_connection(self.entity, by=person("integrator"), name="shop", **there)
        return self.call(environment)

    def by_setup_file(self, target: str) -> object:
        connection = {"name": "shop", "production": {"address": target}, "sandbox": {"address": target}}
        file = {"entities": [{"slug": self.entity.slug, "connections": [connection]}]}
        apply_setup(read_setup(json.dumps(file)), by=User.objects.get(username="root"))
        return [self.call("production"), self.call("sandbox")]

    def by_connection_form(self, target: str) -> object:
        typed = {"entity": self.entity.pk, "name": "shop", "production_address": target, "sandbox_address": target}
        typed |= {"auth": "none", "auth_name": "", "title": "", "production_secret": "", "sandbox_secret": ""}
        connection = self.connection()
        page = reverse("admin:integrations_connection_change", args=[connection.pk])
        assert self.integrator.post(page, typed).status_code in (200, 302)
        return [self.call("production"), self.call("sandbox")]

    def by_endpoint_form(self, target: str) -> object:
        typed = {"connection": self.connection().pk, "name": "get", "method": "GET", "path": target, "body": ""}
        typed |= {"query": json.dumps([{"name": "url", "value": target}]), "headers": "", "body_type": "none"}
        typed |= {"decides": "code", "timeout_seconds": 2, "repeat": ""}
        answered = self.builder.post(reverse("admin:integrations_endpoint_add"), typed)
        assert answered.status_code in (200, 302)
        endpoint = RealCatalog(self.entity, "production").find("endpoint", "get")
        return endpoint and self.call("production", endpoint.content["path"])

    def connection(self) -> Any:
        """As it was before the target came."""
        return save_connection(self.entity, by=person("integrator"), name="shop", production_address=HOST)

    def by_templates(self) -> Way:
        """A sealed flow whose endpoint has the payload's target in every place that takes references."""
        self.connection()
        pairs = [{"name": "url", "value": "{{ payload.target }}"}]
        places = {"query": pairs, "headers": pairs, "body": {"url": "{{ payload.target }}"}, "method": "POST"}
        for name, path in {"one": "/v1/{{ payload.target }}/x", "two": "/{{ payload.target }}"}.items():
            save_endpoint(self.entity, by=person("builder"), name=name, connection="shop", path=path, **places)
        save_endpoint(self.entity, by=person("builder"), name="three", connection="shop", path="/", query=pairs)
        steps = [
            {**node(number, "api_integration", {"endpoint": name}, yes=number + 1, no=number + 1), "name": name}
            for number, name in enumerate(("one", "two", "three"), start=2)
        ]
        flow = make_flow(self.entity, "asking", node(1, next=2), *steps, node(5, "api_end"))
        sealed = seal(flow, "production", RealCatalog(self.entity, "production"))
        plan = compile_content(loads(sealed.text), sealed.sha256)

        def way(target: str) -> object:
            state = State(run_id=str(new_run_id()), given={"payload": {"target": target}}, plan=plan.sha256, cursor=1)
            return advance(plan, state, RealDoor(self.entity.pk), [], max_steps=10)

        return way


def logged_in(name: str) -> Client:
    client = Client()
    client.force_login(person(name))
    return client


def tried(way: Way, target: str) -> str:
    """How it went: the kind of the refusal, or that there was none."""
    try:
        way(target)
    except Exception as error:  # noqa: BLE001 - whatever refuses, in whatever words
        return type(error).__name__
    return "no refusal"

"""Routes of every kind for the proofs, and a way to send them anything: straight into the WSGI application."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from chatflow.handler import Handler
from flows.models import Content, Effect, Environment, Flow, Run, Segment
from routing.models import IdempotencyRecord, Route
from routing.route_tokens import create_token
from routing.routes import create_route
from tests.proofs.judge import Answered
from tests.proofs.odd_requests import JSON, Odd
from tests.routing.makers import EVERYBODY, deploy, end, make_flow, make_house, make_route, person, start


class Stand:
    """Synchronous and asynchronous routes, with a schema and without, of every method, and one of the sandbox."""

    def __init__(self) -> None:
        house = make_house()
        strict = deploy(make_flow(house))
        free = deploy(make_flow(house, start(), end("{{ payload }}"), slug="echo"))
        self.handler = Handler()
        self.routes = [
            make_route(strict, method="POST"),
            make_route(strict, method="POST", is_async=True),
            make_route(free, method="POST"),
            make_route(free, method="GET"),
            make_route(strict, method="PUT"),
            make_route(free, method="DELETE", is_async=True),
            in_the_sandbox(strict),
        ]

    def send(self, route: Route, token: str, odd: Odd) -> Answered:
        told: list[tuple[str, list[tuple[str, str]]]] = []
        answer = self.handler(environ(route, token, odd), lambda status, headers: told.append((status, headers)))
        try:
            body = b"".join(answer)
        finally:
            answer.close()
        status, headers = told[0]
        return Answered(int(status[:3]), {name.lower(): value for name, value in headers}, body)


def in_the_sandbox(flow: Flow) -> tuple[Route, str]:
    by = person("builder")
    route = create_route(flow, by=by, environment=Environment.SANDBOX, allow=EVERYBODY)
    return route, create_token(route, by=by)[1]


def environ(route: Route, token: str, odd: Odd) -> dict[str, Any]:
    """What a web server would make of it."""
    path, _, query = (odd.target or f"/dynamic/{route.pk}{odd.path}").partition("?")
    made: dict[str, Any] = {
        "REQUEST_METHOD": odd.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": wire(query),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "CONTENT_LENGTH": str(len(odd.body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(odd.body),
        "wsgi.errors": io.StringIO(),
    }
    if odd.headers.get("Transfer-Encoding"):
        made |= {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    for name, value in ({"Content-Type": JSON, "Authorization": f"Bearer {token}"} | odd.headers).items():
        key = name.upper().replace("-", "_")
        made[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = wire(value)
    return made


def wire(value: str) -> str:
    """Bytes, each as one character: as WSGI has it."""
    return value.encode("utf-8", "surrogatepass").decode("latin-1")


def rows_left(taken: set[str], contents: set[str]) -> dict[str, int]:
    """What is kept of requests that weren't taken: rows of other runs, and contents that were neither there nor run.

    Refusals are kept elsewhere, within bounds, so that people can look them up.
    """
    ran = Run.objects.filter(pk__in=taken).values_list("content_id", flat=True)
    return {
        "runs": without(taken, Run.objects.values_list("pk", flat=True)),
        "segments": without(taken, Segment.objects.values_list("run_id", flat=True)),
        "effects": without(taken, Effect.objects.values_list("run_id", flat=True)),
        "keys": without(taken, IdempotencyRecord.objects.values_list("run_id", flat=True)),
        "contents": without(contents | set(ran), all_contents()),
    }


def all_contents() -> set[str]:
    return set(Content.objects.values_list("pk", flat=True))


def without(known: set[str], found: Iterable[object]) -> int:
    return sum(str(each) not in known for each in found)

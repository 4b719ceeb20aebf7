"""The production routes of a stack, made by the project's own commands: `python -m tests.chaos.world PORT`.

PORT is where flows find their target. Prints {"<route>": {"url": ..., "token": ...}} as JSON.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROUTES = {
    "orders": ("orders", True),
    "orders_now": ("orders", False),
    "letters": ("letters", True),
    "looks": ("looks", True),
    "sums": ("sums", False),
}
"""Name to its flow, and whether it is asynchronous."""

CALL_SECONDS, DEADLINE_SECONDS = 50, 60
"""So long that no call ends by the clock, however slow the machine is."""


def setup_file(port: int) -> dict[str, Any]:
    body = {"order": "{{ payload.order }}", "step": 0}  # each step brings one of its own
    endpoints = [
        {"name": "orders", "path": "/honour/orders", "method": "POST", "body": body, "repeat": "idempotency_key"},
        {"name": "letters", "path": "/ignore/letters", "method": "POST", "body": body, "repeat": "never"},
        {"name": "looks", "path": "/look/{{ payload.order }}"},
    ]
    members = [
        {"username": "ana", "email": "ana@example.com", "roles": ["builder", "integrator"]},
        {"username": "cleo", "email": "cleo@example.com", "roles": ["owner", "approver"]},
    ]
    connection = {"name": "target", "production": {"address": f"http://127.0.0.1:{port}"}}
    entity = {
        "slug": "chaos",
        "members": members,
        "channels": ["dynamic_api"],
        "connections": [connection],
        "endpoints": [{**endpoint, "connection": "target", "timeout_seconds": CALL_SECONDS} for endpoint in endpoints],
    }
    return {"entities": [entity]}


def calling(slug: str, calls: int) -> dict[str, Any]:
    """start → so many calls, each of which tells its step → end. Any answer but 2xx ends in an answer of its own."""
    start = {"number": 1, "type": "start", "settings": {"sample": {"order": "a"}}, "exits": {"next": 2}}
    nodes: list[dict[str, Any]] = [start]
    for step in range(1, calls + 1):
        settings: dict[str, Any] = {"endpoint": slug}
        if slug != "looks":
            settings["body"] = {"order": "{{ payload.order }}", "step": step}
        exits = {"yes": step + 2, "no": calls + 3}
        nodes.append({"number": step + 1, "type": "api_integration", "settings": settings, "exits": exits})
    nodes.append({"number": calls + 2, "type": "api_end", "settings": {"body": {"done": "{{ payload.order }}"}}})
    nodes.append({"number": calls + 3, "type": "api_end", "settings": {"status": 502, "body": {"done": None}}})
    return {"format": 1, "slug": slug, "name": slug, "nodes": nodes}


def sums() -> dict[str, Any]:
    nodes: list[dict[str, Any]] = [
        {"number": 1, "type": "start", "settings": {"sample": {"order": "a", "price": 1}}, "exits": {"next": 2}},
        {
            "number": 2,
            "type": "calculate",
            "name": "total",
            "settings": {"expression": "payload.price * 1.2"},
            "exits": {"yes": 3, "no": 3},
        },
        {"number": 3, "type": "api_end", "settings": {"body": {"total": "{{ total.result }}"}}},
    ]
    return {"format": 1, "slug": "sums", "name": "sums", "nodes": nodes}


def make(port: int) -> dict[str, Any]:
    """Migrate, then do what people do: set up, import, submit, approve, deploy, open routes."""
    command("migrate", "--verbosity", "0")
    os.environ["DJANGO_SUPERUSER_PASSWORD"] = "only here, and of no use elsewhere"
    command("createsuperuser", "--noinput", "--username", "root", "--email", "root@example.com")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "file.json"
        file.write_text(json.dumps(setup_file(port)))
        command("setup", str(file), "--as", "root")
        for flow in (calling("orders", 2), calling("letters", 2), calling("looks", 1), sums()):
            file.write_text(json.dumps(flow))
            command("flow", "import", str(file), "--as", "ana")
            command("flow", "submit", flow["slug"], "--as", "ana")
            command("flow", "approve", flow["slug"], "--as", "cleo")
            command("flow", "deploy", flow["slug"], "--as", "cleo")
    return {name: route(flow, is_async) for name, (flow, is_async) in ROUTES.items()}


def route(flow: str, is_async: bool) -> Any:
    options = ["--flow", flow, "--allow", "127.0.0.1", "--deadline", str(DEADLINE_SECONDS), "--as", "cleo"]
    return json.loads(command("route", "create", *options, *(["--async"] if is_async else [])))


def command(*words: str) -> str:
    from django.core.management import call_command

    said = io.StringIO()
    call_command(*words, stdout=said)
    return said.getvalue()


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(make(int(sys.argv[1]))))

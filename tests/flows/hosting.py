"""A sandbox flow that posts to a service, and a door whose answers and accidents the test writes down."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from flows import drafts, outside
from flows.contents import sandbox_content
from flows.engine.errors import NodeError
from flows.engine.protocols import Answer, Call
from flows.engine.strictjson import loads
from flows.models import Flow, Run, RunState
from flows.runs import Admitted
from tests.flows.makers import make_entity
from tests.flows.stage import ENDPOINT, FakeCatalog


class Crash(BaseException):
    """The process is gone: nothing catches it."""


class ScriptedDoor:
    """Plays `script`, one entry per call: an Answer, an exception to raise, or a function to ask. Keeps `calls`."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.calls: list[Call] = []

    def call(self, call: Call, definitions: Any) -> Answer:
        self.calls.append(call)
        entry = self.script.pop(0) if self.script else Answer(200, {}, {"ok": True})
        if isinstance(entry, BaseException):
            raise entry
        return entry(call) if isinstance(entry, Callable) else entry  # type: ignore[arg-type]

    def key(self, definition: Any) -> bytes:
        raise NodeError("No keys here.")


def posting_flow(*, calls: int = 1, method: str = "POST", repeat: str = "never", timeout_seconds: int = 10) -> Flow:
    """start → so many calls of one endpoint → API end that tells what came back."""
    entity = make_entity(ana="builder")
    catalog = FakeCatalog()
    catalog.add("connection", "shop", "connection:1", address="https://shop.example.com")
    endpoint = {**ENDPOINT, "method": method, "repeat": repeat, "timeout_seconds": timeout_seconds}
    catalog.add("endpoint", "orders", "endpoint:1", (("connection", "shop"),), **endpoint)
    catalog.register()
    numbers = range(2, 2 + calls)
    end = 2 + calls
    nodes: list[dict[str, Any]] = [{"number": 1, "type": "start", "exits": {"next": 2}}]
    for number in numbers:
        exits = {"yes": number + 1, "no": number + 1}
        nodes.append({"number": number, "type": "api_integration", "settings": {"endpoint": "orders"}, "exits": exits})
    body = {"codes": [f"{{{{ api_integration_{number}.code }}}}" for number in numbers]}
    nodes.append({"number": end, "type": "api_end", "settings": {"body": body}})
    file = {"format": 1, "slug": "posting", "name": "Posting", "nodes": nodes}
    return drafts.import_file(entity, json.dumps(file), by=entity.memberships.get().user)


def admitted(flow: Flow, *, is_async: bool = False, **request: Any) -> Admitted:
    _, plan = sandbox_content(flow)
    return Admitted(flow.entity_id, flow.pk, None, plan, "sandbox", request, is_async=is_async)


def use_door(door: ScriptedDoor) -> ScriptedDoor:
    """What a worker finds behind `outside.door()`."""
    outside._registered["door"] = lambda entity_id: door
    return door


def codes(run: Run) -> list[int]:
    """What the calls of a posting flow answered."""
    answer: Any = loads(run.answer)
    return answer["body"]["codes"]


def lose_lease(run_id: object) -> None:
    """As if the owner had died long ago."""
    Run.objects.filter(pk=run_id, state=RunState.RUNNING).update(wake_at=timezone.now() - timedelta(seconds=1))

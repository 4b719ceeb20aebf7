"""A flow with sensitive fields, what is kept of its runs, and where a value of theirs shows."""

from __future__ import annotations

import base64
import json
from typing import Any

from django.forms.models import model_to_dict

from flows import drafts, sensitive
from flows.engine.protocols import Answer, Call
from flows.models import Effect, Flow, Run, Segment
from tests.flows.hosting import posting_flow

CARD, CVV, NAME = "4111-1111/1111 1111", "737", "Ännchen O'Neil"
PAYLOAD = {"card": CARD, "cvv": CVV, "who": {"name": NAME}, "order": "A-7"}
SCHEMA = {
    "type": "object",
    "properties": {"card": {"x-sensitive": True}, "cvv": {"x-sensitive": True}, "who": {"x-sensitive": True}},
}
BODY = {
    "card": "{{ payload.card }}",
    "text": "for {{ payload.who.name }}: {{ payload.cvv }}",
    "order": "{{ payload.order }}",
}


def paying_flow(*, calls: int = 1, repeat: str = "never", schema: Any = SCHEMA, end: Any = BODY) -> Flow:
    """A posting flow with a schema that marks fields, a variable with their values, calls that send them, and `end`."""
    flow = posting_flow(calls=calls, repeat=repeat)
    nodes = json.loads(flow.draft)
    nodes[0]["settings"] = {"payload_schema": schema}
    for node in nodes:
        if node["type"] == "api_integration":
            node["settings"]["body"] = BODY
    nodes[-1]["settings"]["body"] = end
    file = {"format": 1, "slug": flow.slug, "name": flow.name, "nodes": nodes}
    return drafts.import_file(flow.entity, json.dumps(file), by=flow.changed_by)


def kept() -> str:
    """Everything that the tables of runs hold, as text."""
    rows = [*Run.objects.all(), *Segment.objects.all(), *Effect.objects.all()]
    return json.dumps([model_to_dict(row) | {"pk": str(row.pk)} for row in rows], default=str, ensure_ascii=False)


def sealed_parts() -> int:
    texts = [*Segment.objects.values_list("state", flat=True), *Effect.objects.values_list("request", "outcome")]
    return str(texts).count(sensitive.SEALED)


def leaks(text: str) -> list[str]:
    forms = [CARD, NAME, json.dumps(CARD)[1:-1], json.dumps(NAME)[1:-1], f'"{CVV}"', f": {CVV}"]
    forms += [base64.b64encode(CARD.encode()).decode().rstrip("="), json.dumps(f'"{NAME}"')[3:-3]]
    return [form for form in forms if form in text]


def echo(call: Call) -> Answer:
    """What a service answers that repeats what it gets, in several forms."""
    encoded = base64.b64encode(CARD.encode()).decode()
    return Answer(200, {"x-echo": CARD, "x-encoded": encoded}, {"got": call.body, "deep": [f"x{NAME}x", encoded]})

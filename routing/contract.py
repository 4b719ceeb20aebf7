"""What a route runs, and what it expects: the content behind it, and the payload schema and sample of its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flows import contents
from flows.engine.plan import Plan
from flows.models import Environment
from flows.nodes.start import Start
from routing.models import Route


@dataclass(frozen=True, slots=True)
class Target:
    """The content that a route runs now; in the sandbox there is no version, but a draft that may not be stored yet."""

    version_id: int | None
    plan: Plan
    draft: str = ""


def target_of(route: Route) -> Target | None:
    """What the route runs now; None where nothing is deployed. Raises contents.ContentRefused."""
    if route.environment == Environment.SANDBOX:
        text, plan = contents.sealed_draft(route.flow)
        return Target(None, plan, text)
    found = contents.deployed(route.flow_id)
    return Target(found.version_id, found.plan) if found else None


def start_of(plan: Plan, step: int) -> Start | None:
    """The start that a route enters at; None where it enters elsewhere, and no schema holds."""
    planned = plan.nodes.get(step)
    node = planned.filling.node if planned and planned.filling else None
    return node if isinstance(node, Start) else None


def schema_of(plan: Plan, step: int) -> dict[str, Any] | None:
    """The JSON Schema that payloads must meet."""
    start = start_of(plan, step)
    return start.payload_schema if start else None

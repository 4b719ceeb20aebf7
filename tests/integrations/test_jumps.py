"""Jumps between flows, checked with the real catalog: what comes along, in whichever order flows are made and deployed."""

from __future__ import annotations

from typing import Any

import pytest

from flows import lifecycle
from flows.drafts import import_file, issues_of
from flows.engine.strictjson import dumps
from flows.models import Entity, Flow
from tests.integrations.makers import make_entity, node, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def entity() -> Entity:
    return make_entity()


def jump(slug: str, step: int) -> dict[str, Any]:
    return {"flow": slug, "step": step}


def sets(number: int, exits: dict[str, Any], **values: Any) -> dict[str, Any]:
    assignments = [{"name": name, "value": value} for name, value in values.items()]
    return node(number, "set_variable", {"assignments": assignments}, **exits)


def end(number: int, body: Any = None) -> dict[str, Any]:
    return node(number, "api_end", {"body": body})


def imported(entity: Entity, slug: str, *nodes: dict[str, Any]) -> Flow:
    file = {"format": 1, "slug": slug, "name": slug, "nodes": list(nodes)}
    return import_file(entity, dumps(file), by=person("builder"))


def deploy(flow: Flow) -> None:
    version = lifecycle.submit(flow, by=person("builder"))
    lifecycle.perform("approve", version, by=person("approver"))
    lifecycle.perform("deploy", version, by=person("approver"))


def found(flow: Flow, environment: str = "production") -> list[tuple[str, str]]:
    return [(issue.severity, issue.code) for issue in issues_of(flow, environment)]


def ping(entity: Entity) -> Flow:
    """Counts a hop, goes to pong, and comes back to tell where it was."""
    out = {"yes": jump("pong", 2), "no": 9}
    back = end(5, {"hops": "{{ hops }}", "trail": "{{ trail }}"})
    return imported(entity, "ping", node(1, next=2), sets(2, out, hops=1), back, end(9))


def pong(entity: Entity) -> Flow:
    """Counts on from what ping brings."""
    out = {"yes": jump("ping", 5), "no": 9}
    counts = sets(2, out, hops="{{ hops | default: 0 }}", trail="{{ trail | append: 'p' }}")
    return imported(entity, "pong", node(1, next=2), counts, end(9))


@pytest.mark.parametrize("order", [(ping, pong), (pong, ping)])
def test_flows_that_jump_to_each_other_can_be_deployed_in_either_order(entity, order):
    first, second = [make(entity) for make in order]
    assert found(first) == found(second) == [("warning", "jump_not_deployed")]
    deploy(first)
    assert found(second) == []
    deploy(second)
    assert found(first) == found(second) == []


def test_a_step_that_only_a_draft_jumps_to_may_be_missing(entity):
    target = imported(entity, "target", node(1, next=2), end(2))
    imported(entity, "source", node(1, next=jump("target", 7)))
    assert found(target) == [("warning", "route_step_gone")]


def broken_target(entity: Entity) -> Flow:
    """Its step 2 leads nowhere, which is no error as long as nobody comes there."""
    return imported(entity, "jc", node(1, next=3), sets(2, {}, total=1), end(3))


def test_a_flow_is_not_submitted_that_jumps_to_where_a_deployed_one_leads_nowhere(entity):
    deploy(broken_target(entity))
    source = imported(entity, "jd", node(1, next=jump("jc", 2)))
    assert found(source) == [("error", "jump_target_broken")]
    with pytest.raises(lifecycle.Refused, match="The exit “yes” of step 2 set_variable_2 leads nowhere"):
        lifecycle.submit(source, by=person("builder"))
    source = imported(entity, "jd", node(1, next=jump("jc", 3)))
    assert found(source) == []
    lifecycle.submit(source, by=person("builder"))


def approved(flow: Flow) -> Any:
    version = lifecycle.submit(flow, by=person("builder"))
    lifecycle.perform("approve", version, by=person("approver"))
    return version


def test_a_version_is_not_deployed_whose_jump_has_come_to_lead_nowhere(entity):
    target = broken_target(entity)
    waiting = approved(target)
    source = approved(imported(entity, "jd", node(1, next=jump("jc", 2))))
    lifecycle.perform("deploy", waiting, by=person("approver"))
    with pytest.raises(lifecycle.Refused, match="jumps to step 2 of the flow “jc”, which can't go on from there"):
        lifecycle.perform("deploy", source, by=person("approver"))


def test_a_version_is_not_deployed_that_leads_nowhere_where_production_has_come_to_enter(entity):
    deploy(imported(entity, "jc", node(1, next=3), sets(2, {"yes": 3, "no": 3}, total=1), end(3)))
    waiting = approved(broken_target(entity))
    deploy(imported(entity, "jd", node(1, next=jump("jc", 2))))
    told = (
        "can't go on where flow jd, deployed enters, at step 2: The exit “yes” of step 2 set_variable_2 leads nowhere"
    )
    with pytest.raises(lifecycle.Refused, match=told):
        lifecycle.perform("deploy", waiting, by=person("approver"))

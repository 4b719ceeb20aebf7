"""A GET into a flow that acts on the outside takes a reason: where a route is saved, and where a version is deployed."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from flows import lifecycle
from flows.models import Entity, Flow
from integrations.connections import save_connection
from integrations.endpoints import save_endpoint
from routing.models import Method, Route
from routing.routes import change_route, create_route
from tests.routing.makers import deploy, end, make_flow, make_house, person, start

pytestmark = pytest.mark.django_db
REASON = "The partner can only link to us; paying twice is caught by the bank."


@pytest.fixture
def entity() -> Entity:
    entity = make_house()
    save_connection(entity, by=person("integrator"), name="bank", production_address="https://bank.example.com")
    for name, method, repeat in (
        ("look", "GET", ""),
        ("pay", "POST", ""),
        ("pay_once", "POST", "idempotency_key"),
        ("search", "POST", "safe"),
    ):
        by = person("builder")
        save_endpoint(entity, by=by, name=name, connection="bank", path="/x", method=method, repeat=repeat)
    return entity


def calls(endpoint: str, number: int = 2, exits: Any = 3) -> dict[str, Any]:
    way = {"yes": exits, "no": exits}
    return {"number": number, "type": "api_integration", "settings": {"endpoint": endpoint}, "exits": way}


def calling(entity: Entity, endpoint: str, slug: str = "order-total", **more: Any) -> Flow:
    return make_flow(entity, start(), calls(endpoint, **more), end({}, number=3), slug=slug)


def harmless(entity: Entity, slug: str = "order-total") -> Flow:
    return make_flow(entity, start(), end({}), slug=slug)


def jumping(entity: Entity, to: str, slug: str) -> Flow:
    hop = {"number": 2, "type": "is_null", "settings": {"value": 1}, "exits": {"yes": 3, "no": {"flow": to, "step": 1}}}
    return make_flow(entity, start(), hop, end({}, number=3), slug=slug)


def get(flow: Flow, **values: Any) -> Route:
    return create_route(flow, by=person("approver"), method="GET", **values)


def change(route: Route, **values: Any) -> Route:
    return change_route(Route.objects.get(pk=route.pk), by=person("approver"), **values)


def refused(error: pytest.ExceptionInfo[ValidationError]) -> str:
    assert list(error.value.message_dict) == ["get_reason"]
    return error.value.message_dict["get_reason"][0]


@pytest.mark.parametrize("endpoint", ["pay", "pay_once"])
def test_a_get_that_acts_is_made_with_a_reason_only(entity: Entity, endpoint: str) -> None:
    flow = calling(entity, endpoint)
    with pytest.raises(ValidationError) as error:
        get(flow, get_reason="  ")
    told = refused(error)
    assert "step 2 api_integration_2 of order-total" in told
    assert "caches, prefetching browsers, crawlers" in told
    assert not Route.objects.exists()
    assert get(flow, get_reason=f" {REASON} ").get_reason == REASON


@pytest.mark.parametrize("endpoint", ["look", "search"])
def test_a_get_that_only_reads_takes_none(entity: Entity, endpoint: str) -> None:
    assert get(calling(entity, endpoint)).get_reason == ""


@pytest.mark.parametrize("method", sorted(set(Method.values) - {"GET"}))
def test_other_methods_take_none_and_keep_none(entity: Entity, method: str) -> None:
    flow = calling(entity, "pay")
    route = create_route(flow, by=person("approver"), method=method, get_reason=REASON)
    assert route.get_reason == ""
    with pytest.raises(ValidationError):
        change(route, method="GET")
    change(route, method="GET", get_reason=REASON)
    assert change(route, method=method).get_reason == ""


def test_only_steps_that_runs_come_to_count(entity: Entity) -> None:
    aside = make_flow(entity, start(), end({}), calls("pay", 4, 2))
    assert get(aside).pk
    with pytest.raises(ValidationError, match="step 4 api_integration_4"):
        get(aside, step=4)


def test_in_production_what_is_deployed_counts_and_in_the_sandbox_the_draft(entity: Entity) -> None:
    flow = deploy(harmless(entity))
    calling(entity, "pay")
    flow.refresh_from_db()
    assert get(flow).pk
    with pytest.raises(ValidationError, match="act on the outside"):
        create_route(flow, by=person("builder"), method="GET", environment="sandbox")


def test_a_change_asks_again_where_runs_come_to_act_anew(entity: Entity) -> None:
    route = get(calling(entity, "pay"), get_reason=REASON)
    assert change(route, rate_per_minute=7, allow="192.0.2.1").get_reason == REASON
    for values in ({"step": 2}, {"get_reason": ""}, {"step": 2, "get_reason": " "}):
        with pytest.raises(ValidationError) as error:
            change(route, **values)
        assert "step 2 api_integration_2" in refused(error)
    assert change(route, step=2, get_reason="Still so.").get_reason == "Still so."
    assert change(route, is_active=False, get_reason="").get_reason == ""
    with pytest.raises(ValidationError):
        change(route, is_active=True)
    Route.objects.filter(pk=route.pk).update(is_active=True)  # as one was made before this rule
    assert change(route, rate_per_minute=3).rate_per_minute == 3
    assert not change(route, is_active=False).is_active


def test_a_change_writes_what_it_was_given_and_nothing_stale(entity: Entity) -> None:
    route = get(harmless(entity))
    Route.objects.filter(pk=route.pk).update(mode="paused", rate_per_minute=9)
    change_route(route, by=person("approver"), name="new")
    route.refresh_from_db()
    assert (route.name, route.mode, route.rate_per_minute) == ("new", "paused", 9)


# --- Deployment -------------------------------------------------------------------------------------------------------


def told(flow: Flow) -> str:
    with pytest.raises(lifecycle.Refused) as refusal:
        deploy(flow)
    return refusal.value.message


def test_a_version_that_comes_to_act_is_not_deployed_behind_a_get_that_nobody_confirmed(entity: Entity) -> None:
    flow = deploy(harmless(entity))
    route = get(flow, name="links")
    sentence = told(calling(entity, "pay"))
    assert sentence.startswith(
        "The route links answers GET, and with order total · version 2 its runs would come to step"
    )
    assert "route change --get-reason" in sentence
    assert flow.versions.get(number=1).status == "deployed"
    change(route, get_reason=REASON)
    version = flow.versions.get(number=2)
    lifecycle.perform("deploy", version, by=person("approver"))
    assert version.status == "deployed"


@pytest.mark.parametrize("values", [{"method": "POST"}, {"is_active": False}])
def test_other_routes_do_not_stop_it(entity: Entity, values: dict[str, Any]) -> None:
    change(get(deploy(harmless(entity))), **values)
    assert deploy(calling(entity, "pay")).versions.get(number=2).status == "deployed"


def test_a_sandbox_route_does_not_stop_it(entity: Entity) -> None:
    flow = deploy(harmless(entity))
    create_route(flow, by=person("builder"), method="GET", environment="sandbox")
    assert deploy(calling(entity, "pay")).versions.count() == 2


def test_a_get_made_before_the_first_deployment_stops_it_too(entity: Entity) -> None:
    get(harmless(entity))
    assert "its runs would come to step 2" in told(calling(entity, "pay"))


def test_jumps_are_followed_from_the_route_and_from_the_deployment(entity: Entity) -> None:
    deploy(harmless(entity, "second"))
    first = deploy(jumping(entity, "second", "first"))
    get(first, name="links")
    sentence = told(calling(entity, "pay", "second"))
    assert "The route links answers GET" in sentence
    assert "step 2 api_integration_2 of second" in sentence
    deploy(calling(entity, "pay", "third"))
    with pytest.raises(ValidationError, match="step 2 api_integration_2 of third"):
        get(deploy(jumping(entity, "third", "fourth")))


def test_flows_that_lead_round_in_a_circle_are_walked_once(entity: Entity) -> None:
    harmless(entity, "pong")
    deploy(jumping(entity, "pong", "ping"))
    assert get(deploy(jumping(entity, "ping", "pong"))).pk
    assert deploy(jumping(entity, "pong", "ping")).versions.count() == 2

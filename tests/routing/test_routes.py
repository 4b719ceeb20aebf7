"""Channels, routes and tokens: who may have them, and what they must be."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from flows.drafts import import_file
from flows.engine.strictjson import dumps
from flows.entries import routes_into
from flows.members import grant
from flows.models import Role
from routing.channels import onboard, why_no_routes
from routing.models import Channel, Route, Token
from routing.route_tokens import MAX_LIVE, create_token, find_token, note_use, revoke_token
from routing.routes import change_route, create_route, remove_route, url_of
from tests.flows.makers import make_entity
from tests.routing.makers import deploy, end, make_flow, make_house, make_route, person, start

PEOPLE = [role.value for role in Role]


@pytest.fixture
def entity(db):
    return make_house()


@pytest.fixture
def flow(entity):
    return make_flow(entity)


def told(error):
    return " ".join(error.value.messages)


# --- Channels ----------------------------------------------------------------------------------------------------------


def test_before_the_channel_is_onboarded_no_route_can_be_added_and_it_is_said_why(db):
    entity = make_entity(**{name: name for name in PEOPLE})
    flow = make_flow(entity)
    assert "An owner onboards it" in why_no_routes(entity)
    with pytest.raises(ValidationError, match="isn't onboarded for acme yet"):
        create_route(flow, by=person("approver"))
    onboard(entity, "dynamic_api", by=person("owner"))
    assert why_no_routes(entity) == ""
    assert create_route(flow, by=person("approver")).pk


@pytest.mark.parametrize("name", PEOPLE)
def test_only_owners_onboard_a_channel(db, name):
    entity = make_entity(**{each: each for each in PEOPLE})
    if name == "owner":
        first = onboard(entity, "dynamic_api", by=person(name))
        assert onboard(entity, "dynamic_api", by=person("root")) == first
        return
    with pytest.raises(PermissionDenied, match="takes the role Owner"):
        onboard(entity, "dynamic_api", by=person(name))
    assert not Channel.objects.exists()


def test_an_unknown_channel_is_refused(entity):
    with pytest.raises(ValidationError, match="There is no channel 'pigeon'; there are dynamic_api"):
        onboard(entity, "pigeon", by=person("owner"))


# --- Routes ------------------------------------------------------------------------------------------------------------


def test_a_route_has_an_address_that_nobody_guesses(flow):
    routes = [create_route(flow, by=person("approver")) for _ in range(5)]
    assert len({route.pk for route in routes}) == 5
    assert all(len(route.pk) == 32 for route in routes)
    assert url_of(routes[0]) == f"http://testserver/dynamic/{routes[0].pk}"
    defaults = (1, "POST", "", False, "production", 25, None)
    route = routes[0]
    assert defaults == (
        route.step,
        route.method,
        route.allow,
        route.is_async,
        route.environment,
        route.deadline_seconds,
        route.rate_per_minute,
    )


@pytest.mark.parametrize("name", [*PEOPLE, "root"])
@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_production_routes_take_an_approver_and_sandbox_routes_a_builder(flow, name, environment):
    allowed = {"production": {"approver"}, "sandbox": {"builder", "root"}}[environment]
    manager = person("approver" if environment == "production" else "builder")
    route = create_route(flow, by=manager, environment=environment)
    token, _ = create_token(route, by=manager)
    acts = [
        lambda by: create_route(flow, by=by, environment=environment),
        lambda by: change_route(route, by=by, name="new"),
        lambda by: create_token(route, by=by),
        lambda by: revoke_token(token, by=by),
        lambda by: remove_route(route, by=by),
    ]
    for act in acts:
        if name in allowed:
            act(person(name))
            continue
        with pytest.raises(PermissionDenied, match="takes the role"):
            act(person(name))
    assert Route.objects.filter(name="new").count() == 0
    assert Token.objects.filter(revoked_at=None).count() == (0 if name in allowed else 1)


@pytest.mark.parametrize(
    ("name", "environment", "another"), [("builder", "sandbox", "production"), ("approver", "production", "sandbox")]
)
def test_a_route_keeps_its_environment(flow, name, environment, another):
    """A partner's address never begins to answer with a draft that nobody approved."""
    route = create_route(flow, by=person(name), environment=environment)
    grant(flow.entity, person(name), "builder" if name == "approver" else "approver", by=person("owner"))
    with pytest.raises(ValidationError, match="Make another route"):
        change_route(route, by=person(name), environment=another)
    assert Route.objects.get(pk=route.pk).environment == environment
    change_route(Route.objects.get(pk=route.pk), by=person(name), environment=environment, name="the same")


def test_the_database_keeps_a_route_where_it_is(flow):
    route = create_route(flow, by=person("approver"))
    other = make_flow(flow.entity, slug="other")
    elsewhere = make_entity("elsewhere")
    for values in ({"environment": "sandbox"}, {"flow": other}, {"entity": elsewhere}, {"id": "guessed"}):
        with pytest.raises(IntegrityError, match="of a route never change"), transaction.atomic():
            Route.objects.filter(pk=route.pk).update(**values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"method": "PATCH"}, "not a valid choice"),
        ({"environment": "moon"}, "not a valid choice"),
        ({"allow": "10.0.0.1/8"}, "Write 10.0.0.0/8"),
        ({"step": 3}, "There is no step 3 in the draft of order-total; it has 1, 2."),
        ({"step": 0}, "There is no step 0"),
        ({"deadline_seconds": 0}, "greater than or equal to 1"),
        ({"deadline_seconds": 61}, "less than or equal to 60"),
        ({"rate_per_minute": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_refused_with_its_reason_and_nothing_is_saved(flow, values, reason):
    with pytest.raises(ValidationError) as refused:
        create_route(flow, by=person("approver"), **values)
    assert reason in told(refused)
    assert not Route.objects.exists()


def test_the_allow_list_is_saved_in_its_canonical_form(flow):
    assert create_route(flow, by=person("approver"), allow="::1;10.0.0.1;;").allow == "10.0.0.1/32; ::1/128"


def test_a_flow_of_another_kind_has_no_routes(entity):
    file = {"format": 1, "slug": "talk", "name": "Talk", "kind": "standard", "nodes": [start(), end()]}
    flow = import_file(entity, dumps(file), by=person("builder"))
    with pytest.raises(ValidationError, match="talk isn't a Dynamic API flow"):
        create_route(flow, by=person("approver"))


def test_in_production_the_deployed_version_says_which_steps_there_are(entity):
    flow = deploy(make_flow(entity))
    make_flow(entity, start(), end(), end(number=3))
    flow.refresh_from_db()
    with pytest.raises(ValidationError, match="There is no step 3 in order total · version 1"):
        create_route(flow, by=person("approver"), step=3)
    assert create_route(flow, by=person("builder"), step=3, environment="sandbox").step == 3


def unfinished(entity):
    """A deployed flow; its step 3, to which nothing leads, has an exit that leads nowhere."""
    step = {"number": 3, "type": "set_variable", "settings": {"assignments": [{"name": "a", "value": 1}]}}
    return deploy(make_flow(entity, start(), end(), {**step, "exits": {"yes": 2}}))


def test_a_production_route_does_not_enter_where_the_deployed_version_leads_nowhere(entity):
    flow = unfinished(entity)
    with pytest.raises(ValidationError, match="enter order-total at step 3 would fail: The exit “no” of step 3"):
        create_route(flow, by=person("approver"), step=3)
    route = create_route(flow, by=person("approver"), step=2)
    with pytest.raises(ValidationError, match="The exit “no” of step 3 set_variable_3 leads nowhere"):
        change_route(route, by=person("approver"), step=3)
    assert create_route(flow, by=person("builder"), step=3, environment="sandbox").step == 3


def test_a_route_that_enters_where_runs_fail_can_be_closed_and_not_opened_again(entity):
    route = create_route(unfinished(entity), by=person("approver"), step=2)
    Route.objects.filter(pk=route.pk).update(step=3)
    route.refresh_from_db()
    assert change_route(route, by=person("approver"), rate_per_minute=1).rate_per_minute == 1
    assert not change_route(route, by=person("approver"), is_active=False).is_active
    with pytest.raises(ValidationError, match="leads nowhere"):
        change_route(route, by=person("approver"), is_active=True)


def test_a_flow_knows_which_routes_enter_it_where(flow):
    create_route(flow, by=person("approver"), name="orders", step=2)
    create_route(flow, by=person("builder"), environment="sandbox", name="try")
    assert sorted(routes_into(flow)) == [(1, False, "the route try"), (2, True, "the route orders")]


def test_without_a_step_a_route_enters_at_the_start_whatever_its_number(entity):
    flow = make_flow(entity, end(number=1), {**start(), "number": 7, "exits": {"next": 1}})
    assert create_route(flow, by=person("approver")).step == 7
    assert create_route(flow, by=person("approver"), step=1).step == 1


# --- Tokens ------------------------------------------------------------------------------------------------------------


def test_two_tokens_live_side_by_side_and_each_is_shown_once(flow):
    route, old = make_route(flow)
    new, text = create_token(route, by=person("approver"), name="new")
    assert find_token(route, old)
    assert find_token(route, text) == new
    assert text not in str(vars(new))
    assert str(new) == f"{new.prefix} · new"


def test_a_revoked_or_expired_token_opens_nothing(flow):
    route, text = make_route(flow)
    soon, later = create_token(route, by=person("approver"), expires_at=timezone.now() + timedelta(hours=1))
    assert find_token(route, later) == soon
    Token.objects.filter(pk=soon.pk).update(expires_at=timezone.now())
    assert find_token(route, later) is None
    token = find_token(route, text)
    revoked = revoke_token(token, by=person("approver")).revoked_at
    assert find_token(route, text) is None
    assert revoke_token(token, by=person("approver")).revoked_at == revoked


def test_a_token_that_would_be_expired_is_refused(flow):
    route, _ = make_route(flow)
    with pytest.raises(ValidationError, match="Give a time to come"):
        create_token(route, by=person("approver"), expires_at=timezone.now())


def test_a_route_has_so_many_live_tokens_and_no_more(flow):
    route, first = make_route(flow)
    for _ in range(MAX_LIVE - 1):
        create_token(route, by=person("approver"))
    with pytest.raises(ValidationError, match="Revoke one that nobody uses"):
        create_token(route, by=person("approver"))
    revoke_token(find_token(route, first), by=person("approver"))
    create_token(route, by=person("approver"))


def test_the_last_use_is_noted_once_a_minute(flow):
    route, text = make_route(flow)
    note_use(find_token(route, text))
    first = find_token(route, text).last_used_at
    note_use(find_token(route, text))
    assert find_token(route, text).last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(minutes=2))
    note_use(find_token(route, text))
    assert find_token(route, text).last_used_at > first

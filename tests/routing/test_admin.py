"""The pages of channels, routes and tokens in the admin."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from flows.models import Entity, Flow
from routing.models import Channel, Route, Token
from routing.route_tokens import find_token
from tests.admin_world import as_user, text_of, url
from tests.flows.makers import make_entity
from tests.routing.makers import EVERYBODY, deploy, make_flow, make_house, make_route, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow() -> Flow:
    return deploy(make_flow(make_house()))


def route_form(flow: Flow, **typed: Any) -> dict[str, Any]:
    known = {"flow": flow.pk, "name": "orders", "step": 1, "method": "POST", "environment": "production"}
    known |= {"allow": "203.0.113.7", "deadline_seconds": 25, "rate_per_minute": "", "is_active": "on"}
    return {**known, **typed}


def post(page: str, by: str, **typed: Any) -> str:
    answer = as_user(by).post(page, typed, follow=True)
    assert answer.status_code == 200
    return text_of(answer)


# --- Channels ---------------------------------------------------------------------------------------------------------


def test_before_the_channel_is_onboarded_no_route_can_be_added_and_the_page_says_why() -> None:
    entity = make_entity("acme", owner="owner", builder="builder", approver="approver")
    for name in ("builder", "approver", "root"):
        client = as_user(name)
        assert client.get(url(Route, "add")).status_code == 403
        page = text_of(client.get(url(Route, "changelist")))
        assert "The Dynamic API channel isn't onboarded for acme yet" in page
        assert "An owner onboards it under Channels." in page
        assert url(Channel, "changelist") in page
        assert 'aria-label="Channels"' not in page
    assert "Go to Channels" in text_of(as_user("owner").get(url(Route, "changelist")))
    text = post(url(Channel, "add"), "owner", entity=entity.pk, kind="dynamic_api")
    assert "routes can be added now" in text
    page = text_of(as_user("builder").get(url(Route, "changelist")))
    assert re.search(r'aria-current="page">Dynamic API<', page)
    assert as_user("builder").get(url(Route, "add")).status_code == 200


@pytest.mark.parametrize("name", ["builder", "approver", "integrator", "viewer"])
def test_only_owners_onboard(name: str) -> None:
    entity = make_entity("acme", **{role: role for role in ("builder", "approver", "integrator", "viewer")})
    answer = as_user(name).post(url(Channel, "add"), {"entity": entity.pk, "kind": "dynamic_api"})
    assert answer.status_code == 403
    assert not Channel.objects.exists()


def test_onboarding_twice_is_refused_in_words(flow: Flow) -> None:
    text = post(url(Channel, "add"), "owner", entity=flow.entity_id, kind="dynamic_api")
    assert "onboarded for Acme already" in text


# --- Routes -----------------------------------------------------------------------------------------------------------


def test_an_approver_adds_a_production_route(flow: Flow) -> None:
    text = post(url(Route, "add"), "approver", **route_form(flow, allow="2001:db8::/32;203.0.113.7"))
    route = Route.objects.get()
    assert (route.allow, route.environment) == ("203.0.113.7/32; 2001:db8::/32", "production")
    assert "Next, make a token" in text
    assert f"/dynamic/{route.pk}" in text
    assert "openapi.json" in text


def test_builders_add_sandbox_routes_only(flow: Flow) -> None:
    page = as_user("builder").get(url(Route, "add"))
    choices = page.context["adminform"].form.fields["environment"].choices
    assert [value for value, _ in choices] == ["sandbox"]
    post(url(Route, "add"), "builder", **route_form(flow))
    assert not Route.objects.exists()
    post(url(Route, "add"), "builder", **route_form(flow, environment="sandbox"))
    assert Route.objects.get().environment == "sandbox"


def test_builders_may_not_change_delete_or_open_a_production_route(flow: Flow) -> None:
    route, _ = make_route(flow)
    client = as_user("builder")
    assert client.post(url(route, "change", route.pk), route_form(flow, name="mine")).status_code == 403
    assert client.post(url(route, "delete", route.pk), {"post": "yes"}).status_code == 403
    client.post(url(route, "token", route.pk), {"name": "mine"})
    client.post(url(route, "revoke", route.pk, route.tokens.get().pk))
    assert route.tokens.get().revoked_at is None
    route.refresh_from_db()
    assert route.name != "mine"


def test_an_open_list_is_saved_with_a_warning(flow: Flow) -> None:
    text = post(url(Route, "add"), "approver", **route_form(flow, allow=EVERYBODY))
    assert "0.0.0.0/0 lets every IPv4 address in: only the token protects the route from them." in text


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("allow", "example.com", "Host names can't be used"),
        ("allow", "10.0.0.0/33", "from 0 to 32"),
        ("step", "7", "There is no step 7"),
        ("deadline_seconds", "900", "less than or equal to 60"),
        ("rate_per_minute", "0", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_with_a_route_stands_at_its_field(flow: Flow, field: str, value: str, told: str) -> None:
    answer = as_user("approver").post(url(Route, "add"), route_form(flow, **{field: value}))
    assert told in " ".join(answer.context["adminform"].form.errors[field])
    assert not Route.objects.exists()


def test_a_changed_route_holds_at_once_and_a_refused_change_does_not(flow: Flow) -> None:
    route, _ = make_route(flow)
    page = url(route, "change", route.pk)
    post(page, "approver", **route_form(flow, allow="198.51.100.0/24", name="renamed"))
    route.refresh_from_db()
    assert (route.allow, route.name) == ("198.51.100.0/24", "renamed")
    post(page, "approver", **route_form(flow, allow="nonsense", name="again"))
    route.refresh_from_db()
    assert (route.allow, route.name) == ("198.51.100.0/24", "renamed")


def test_flows_of_other_entities_and_kinds_are_not_offered_and_not_taken(flow: Flow) -> None:
    other = make_entity("other", other_builder="builder", other_approver="approver")
    foreign = Flow.objects.create(
        entity=other,
        slug="foreign",
        name="foreign",
        draft=flow.draft,
        changed_by=person("root"),
        created_by=person("root"),
    )
    standard = Flow.objects.create(
        entity=flow.entity,
        slug="std",
        name="std",
        kind="standard",
        draft=flow.draft,
        changed_by=person("root"),
        created_by=person("root"),
    )
    page = text_of(as_user("approver").get(url(Route, "add")))
    assert "foreign" not in page
    assert ">std" not in page
    for wrong in (foreign, standard):
        assert "Select a valid choice" in post(url(Route, "add"), "approver", **route_form(wrong))
    assert not Route.objects.exists()


def test_a_deleted_route_takes_its_tokens_along(flow: Flow) -> None:
    route, _ = make_route(flow)
    client = as_user("approver")
    assert "Its tokens go with it" in text_of(client.get(url(route, "delete", route.pk)))
    client.post(url(route, "delete", route.pk), {"post": "yes"})
    assert not Route.objects.exists()
    assert not Token.objects.exists()


# --- Tokens -----------------------------------------------------------------------------------------------------------


def made(client: Client, route: Route, **typed: Any) -> tuple[Any, str]:
    answer = client.post(url(route, "token", route.pk), typed)
    found = re.search(r"cft_[A-Za-z0-9_-]{40,}", text_of(answer))
    return answer, found[0] if found else ""


def test_a_token_is_shown_exactly_once_on_the_answer_itself(flow: Flow) -> None:
    route, _ = make_route(flow)
    client = as_user("approver")
    answer, text = made(client, route, name="Partner")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert find_token(route, text) is not None
    pages = [
        text_of(client.get(page))
        for page in (url(route, "change", route.pk), url(route, "history", route.pk), "/admin/")
    ]
    assert "Partner" in pages[0]
    assert text[:12] in pages[0]
    assert not any(text in page for page in pages)
    assert not any(text in str(session.get_decoded()) for session in Session.objects.all())
    assert not any(text in str(entry.__dict__) for entry in LogEntry.objects.all())
    assert text not in str(client.cookies)


def test_a_revoked_token_is_told_and_opens_nothing(flow: Flow) -> None:
    route, text = make_route(flow)
    token = route.tokens.get()
    told = post(url(route, "revoke", route.pk, token.pk), "approver")
    assert "is revoked: the next request with it gets 401." in told
    assert find_token(route, text) is None


def test_a_token_of_another_route_is_not_revoked_through_this_one(flow: Flow) -> None:
    route, _ = make_route(flow)
    second, _ = make_route(flow, name="second")
    as_user("approver").post(url(route, "revoke", route.pk, second.tokens.get().pk))
    assert second.tokens.get().revoked_at is None


@pytest.mark.parametrize("typed", [{"expires_at": "2020-01-01T00:00"}, {"expires_at": "x"}, {"name": "n" * 300}])
def test_a_refused_token_is_told_why(flow: Flow, typed: dict[str, str]) -> None:
    route, _ = make_route(flow)
    assert "No token was made." in post(url(route, "token", route.pk), "approver", **typed)
    assert route.tokens.count() == 1


def test_an_expiry_is_kept(flow: Flow) -> None:
    route, _ = make_route(flow)
    at = (timezone.now() + timedelta(days=3)).replace(second=0, microsecond=0)
    made(as_user("approver"), route, name="short", expires_at=at.strftime("%Y-%m-%dT%H:%M"))
    assert Token.objects.get(name="short").expires_at == at


def test_tokens_are_made_and_revoked_by_posts_only(flow: Flow) -> None:
    route, _ = make_route(flow)
    client = as_user("approver")
    assert client.get(url(route, "token", route.pk)).status_code == 405
    assert client.get(url(route, "revoke", route.pk, route.tokens.get().pk)).status_code == 405


def test_an_entity_without_the_channel_is_named_beside_the_routes_of_the_others(flow: Flow) -> None:
    second = Entity.objects.create(slug="second", name="Second")
    from flows.members import grant

    grant(second, person("viewer"), "viewer", by=person("root"))
    page = text_of(as_user("viewer").get(url(Route, "changelist")))
    assert "isn't onboarded for second yet" in page
    assert "isn't onboarded for acme yet" not in page

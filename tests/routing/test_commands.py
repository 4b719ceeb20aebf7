"""The commands of routes and tokens: whose routes they see, and what they say to a slip."""

import io

import pytest
from django.core.management import CommandError, call_command

from routing.models import Token
from tests.flows.makers import make_user
from tests.routing.makers import deploy, make_flow, make_house, make_route

pytestmark = pytest.mark.django_db


@pytest.fixture
def route():
    return make_route(deploy(make_flow(make_house())))[0]


def run(*words):
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_tokens_of_a_route_are_listed_for_those_who_may_view_it(route):
    prefix = Token.objects.get().prefix
    for more in ([], ["--as", "viewer"], ["--entity", "acme"], ["--as", "owner", "--entity", "acme"]):
        assert prefix in run("token", "list", route.pk, *more)
        assert prefix in run("token", "list", f"http://testserver/dynamic/{route.pk}/", *more)


@pytest.mark.parametrize("verb", ["list", "create"])
def test_to_others_there_is_no_such_route(route, verb):
    make_user("stranger")
    for more in (["--as", "stranger"], ["--as", "viewer", "--entity", "other"]):
        with pytest.raises(CommandError, match="There is no route"):
            run("token", verb, route.pk, *more)
    assert Token.objects.count() == 1


def test_a_viewer_is_told_which_role_creates_tokens(route):
    with pytest.raises(CommandError, match="Approver"):
        run("token", "create", route.pk, "--as", "viewer")


@pytest.mark.parametrize(
    "time",
    [
        "2030-13-01T00:00:00Z",
        "2030-02-30T00:00:00Z",
        "2030-01-01",
        "2030-01-01T00:00:00",
        "9999-12-31T23:59:59-01:00",
        "x",
    ],
)
def test_a_time_that_is_none_gets_one_clear_line(route, time):
    with pytest.raises(CommandError, match="--expires takes a time with its zone"):
        run("token", "create", route.pk, "--as", "approver", "--expires", time)
    assert Token.objects.count() == 1


def test_a_token_gets_the_end_that_was_given(route):
    run("token", "create", route.pk, "--as", "approver", "--expires", "2097-12-31T00:00:00+01:00")
    assert Token.objects.latest("id").expires_at.isoformat() == "2097-12-30T23:00:00+00:00"

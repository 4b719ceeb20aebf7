"""The commands of routes and tokens: whose routes they see, and what they say to a slip."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from routing.models import Route, Token
from routing.routes import url_of
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
        "9999-12-31T23:59:59-12:00",
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


def test_the_list_of_tokens_says_which_live_and_until_when(route):
    run("token", "create", route.pk, "--as", "approver", "--name", "b", "--expires", "2097-12-31T00:00:00Z")
    run("token", "create", route.pk, "--as", "approver", "--name", "c", "--expires", "2098-01-01T00:00:00Z")
    run("token", "create", route.pk, "--as", "approver", "--name", "d")
    Token.objects.filter(name="c").update(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    run("token", "revoke", Token.objects.get(name="d").prefix, "--as", "approver")
    lines = [line.split("\t") for line in run("token", "list", route.pk).splitlines()]
    assert sorted(line[1:] for line in lines) == [
        ["expired", "c", "never used", "expires 2020-01-01T00:00:00Z"],
        ["live", "", "never used", "never expires"],
        ["live", "b", "never used", "expires 2097-12-31T00:00:00Z"],
        ["revoked", "d", "never used", "never expires"],
    ]


def test_an_end_that_is_over_names_its_option(route):
    with pytest.raises(CommandError, match="^--expires: The token would have expired already"):
        run("token", "create", route.pk, "--as", "approver", "--expires", "2020-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("option", "value"), [("--deadline", "0"), ("--rate", "0"), ("--step", "-1"), ("--step", "7"), ("--allow", "x")]
)
def test_a_refusal_names_the_option_that_it_is_about(route, option, value):
    words = {"--flow": route.flow.slug, "--allow": "::/0", "--as": "approver", option: value}
    with pytest.raises(CommandError, match=f"^{option}: "):
        run("route", "create", *(word for pair in words.items() for word in pair))
    assert Route.objects.count() == 1


def test_a_route_is_changed_by_whoever_may_manage_it(route):
    make = ["route", "change", route.pk]
    told = run(*make, "--step", "2", "--allow", "192.0.2.1", "--active", "no", "--as", "approver")
    route.refresh_from_db()
    assert (route.step, route.allow, route.is_active) == (2, "192.0.2.1/32", False)
    assert told.split("\t")[3:] == ["2", "production", "sync", "192.0.2.1/32", "not active\n"]
    assert run("route", "list") == told
    run(*make, "--active", "yes", "--as", "approver")
    for words, said in (
        (["--step", "9", "--as", "approver"], "^--step: There is no step 9"),
        (["--allow", "x", "--as", "approver"], "^--allow: "),
        (["--as", "approver"], "Say what to change"),
        (["--step", "1", "--as", "viewer"], "takes the role Approver"),
    ):
        with pytest.raises(CommandError, match=said):
            run(*make, *words)
    route.refresh_from_db()
    assert (route.step, route.is_active) == (2, True)


def test_a_route_is_removed_with_its_tokens(route):
    with pytest.raises(CommandError, match="takes the role Approver"):
        run("route", "remove", route.pk, "--as", "builder")
    assert run("route", "remove", route.pk, "--as", "approver") == f"Removed {url_of(route)}.\n"
    assert not Route.objects.exists()
    assert not Token.objects.exists()

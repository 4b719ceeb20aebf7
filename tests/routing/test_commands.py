"""The commands of routes and tokens: whose routes they see, and what they say to a slip."""

import io
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from routing.allowlist import utc_today
from routing.models import Route, Token
from routing.route_tokens import create_token
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
        (["--rate", "many", "--as", "approver"], "neither a number nor “none”"),
        (["--concurrency", "0", "--as", "approver"], "^--concurrency: "),
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


def test_limits_are_set_and_taken_back(route):
    make = ["route", "change", route.pk, "--as", "approver"]
    run(*make, "--rate", "60", "--concurrency", "3", "--deadline", "7", "--name", "orders")
    route.refresh_from_db()
    assert (route.rate_per_minute, route.concurrency, route.deadline_seconds, route.name) == (60, 3, 7, "orders")
    run(*make, "--rate", "none", "--concurrency", "none")
    route.refresh_from_db()
    assert (route.rate_per_minute, route.concurrency, route.deadline_seconds) == (None, None, 7)


def test_a_list_with_notes_is_one_line_and_a_near_end_warns(route, capsys):
    today = utc_today()
    run("route", "change", route.pk, "--as", "approver", "--allow", f"192.0.2.1 until {today} # Ann\n10.0.0.1")
    assert capsys.readouterr().err == f"192.0.2.1/32 may call until {today} (UTC) only.\n"
    assert run("route", "list").split("\t")[6] == f"10.0.0.1/32; 192.0.2.1/32 until {today} # Ann"


@pytest.mark.parametrize(
    ("verb", "mode", "told"),
    [("pause", "paused", "Paused: asynchronous calls are kept"), ("drain", "draining", "Draining: what was accepted")],
)
def test_a_route_is_held_up_and_opened_by_whoever_may_manage_it(route, verb, mode, told):
    with pytest.raises(CommandError, match="takes the role Approver"):
        run("route", verb, route.pk, "--as", "builder")
    said = run("route", verb, route.pk, "--as", "approver")
    assert said.startswith(told)
    assert said.endswith("Runs that wait for it to open: 0.\n")
    assert Route.objects.get().mode == mode
    assert run("route", "list").endswith(f"\tactive, {mode}\n")
    assert run("route", "open", route.pk, "--as", "approver").startswith("Open. ")
    assert Route.objects.get().mode == "open"


def test_a_try_says_what_it_looked_at_and_which_rule_refused(route, monkeypatch):
    trying = ["route", "try", route.pk, "--address", "192.0.2.1"]
    with pytest.raises(CommandError, match="^Such a call is refused with 401 token_required. The call has no token. "):
        run(*trying)
    with pytest.raises(CommandError, match="^--token-from-env: there is no environment variable PARTNER"):
        run(*trying, "--token-from-env", "PARTNER")
    monkeypatch.setenv("PARTNER", create_token(route, by=route.created_by)[1])
    told = run(*trying, "--token-from-env", "PARTNER", "--forwarded", "203.0.113.9", "--method", "POST")
    assert told.splitlines()[0] == "Route: The route is active."
    assert told.splitlines()[-1] == "Such a call is let in."
    with pytest.raises(CommandError, match="405 method_not_allowed"):
        run(*trying, "--token-from-env", "PARTNER", "--method", "GET", "--as", "viewer")


def test_a_get_that_acts_takes_its_reason_as_an_option(route):
    with pytest.raises(CommandError, match="^--get-reason: Ensure this value has at most 200 characters"):
        run("route", "change", route.pk, "--as", "approver", "--method", "GET", "--get-reason", "x" * 201)
    run("route", "change", route.pk, "--as", "approver", "--method", "GET", "--get-reason", "It only reads.")
    route.refresh_from_db()
    assert (route.method, route.get_reason) == ("GET", "It only reads.")

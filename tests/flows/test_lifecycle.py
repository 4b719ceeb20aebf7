"""Who may take a version from where to where: all of it, spelled out; and what each transition leaves behind."""

from __future__ import annotations

import getpass

import pytest
from django.db import transaction

from flows import drafts, lifecycle
from flows.engine.protocols import Entry
from flows.lifecycle import Refused, Via, allowed, perform, submit, why_not
from flows.models import Decision, Status, Version
from flows.seals import tampering
from tests.flows.stage import Stage, flow_file

pytestmark = pytest.mark.django_db

ROLES = ["owner", "builder", "approver", "integrator", "viewer", "nobody", "super", "super+approver"]

# What may be done: s by a stranger to the version, c by a contributor, u by its submitter; - by none of them.
TABLE = """
                    owner  builder  approver  integrator  viewer  nobody  super  super+approver
submitted approve   -      -        s         -           -       -       -      s
submitted decline   -      -        scu       -           -       -       -      scu
submitted recall    -      u        -         -           -       -       u      u
submitted deploy    -      -        -         -           -       -       -      -
submitted withdraw  -      -        -         -           -       -       -      -
submitted retire    -      -        -         -           -       -       -      -
approved  approve   -      -        -         -           -       -       -      -
approved  decline   -      -        -         -           -       -       -      -
approved  recall    -      -        -         -           -       -       -      -
approved  deploy    -      -        s         -           -       -       -      s
approved  withdraw  -      -        scu       -           -       -       -      scu
approved  retire    -      -        -         -           -       -       -      -
declined  approve   -      -        -         -           -       -       -      -
declined  decline   -      -        -         -           -       -       -      -
declined  recall    -      -        -         -           -       -       -      -
declined  deploy    -      -        -         -           -       -       -      -
declined  withdraw  -      -        -         -           -       -       -      -
declined  retire    -      -        -         -           -       -       -      -
recalled  approve   -      -        -         -           -       -       -      -
recalled  decline   -      -        -         -           -       -       -      -
recalled  recall    -      -        -         -           -       -       -      -
recalled  deploy    -      -        -         -           -       -       -      -
recalled  withdraw  -      -        -         -           -       -       -      -
recalled  retire    -      -        -         -           -       -       -      -
deployed  approve   -      -        -         -           -       -       -      -
deployed  decline   -      -        -         -           -       -       -      -
deployed  recall    -      -        -         -           -       -       -      -
deployed  deploy    -      -        -         -           -       -       -      -
deployed  withdraw  -      -        -         -           -       -       -      -
deployed  retire    -      -        scu       -           -       -       -      scu
retired   approve   -      -        -         -           -       -       -      -
retired   decline   -      -        -         -           -       -       -      -
retired   recall    -      -        -         -           -       -       -      -
retired   deploy    -      -        scu       -           -       -       -      scu
retired   withdraw  -      -        -         -           -       -       -      -
retired   retire    -      -        -         -           -       -       -      -
"""
RESULT = {
    "approve": "approved",
    "decline": "declined",
    "recall": "recalled",
    "deploy": "deployed",
    "withdraw": "declined",
    "retire": "retired",
}
INVOLVED = {"s": "stranger", "c": "contributor", "u": "submitter"}
CELLS = {
    (status, name, role): cell
    for line in TABLE.strip().splitlines()[1:]
    for status, name, *cells in [line.split()]
    for role, cell in zip(ROLES, cells, strict=True)
}


def test_the_table_is_complete():
    assert len(CELLS) == len(Status.values) * len(RESULT) * len(ROLES) == 6 * 6 * 8
    assert {one.name for one in lifecycle.TRANSITIONS} == set(RESULT)


@pytest.mark.parametrize("involved", INVOLVED.values())
@pytest.mark.parametrize("status", Status.values)
def test_only_what_the_table_allows_can_be_done(stage: Stage, status: str, involved: str):
    version = version_with(stage, status, involved)
    person = stage.people["pat"]
    letter = next(letter for letter, word in INVOLVED.items() if word == involved)
    for role in ROLES:
        become(stage, role)
        for name, result in RESULT.items():
            expected = letter in CELLS[status, name, role]
            assert (name in allowed(version, person)) == expected, (status, name, role, involved)
            assert (why_not(name, version, person) == "") == expected, (status, name, role, involved)
            assert done(name, version.pk, person) == (result if expected else status), (status, name, role, involved)


def version_with(stage: Stage, status: str, involved: str) -> Version:
    """A version with that status, and pat involved in it like that."""
    pat = stage.people["pat"] = stage.person("pat", "builder")
    if involved == "contributor":
        drafts.import_file(stage.entity, flow_file(status=201), by=pat)
    flow = stage.draft()
    if involved != "submitter":
        return stage.in_status(status, flow)
    stage.people["ben"] = pat
    return stage.in_status(status, flow)


def become(stage: Stage, role: str) -> None:
    pat = stage.people["pat"]
    pat.is_superuser = role.startswith("super")
    pat.save()
    stage.set_roles(pat, *{"nobody": [], "super": [], "super+approver": ["approver"]}.get(role, [role]))


def done(name: str, pk: int, person) -> str:
    """The status after trying, tried in a transaction that is rolled back."""
    with transaction.atomic():
        version = Version.objects.get(pk=pk)
        before = Decision.objects.filter(version=version).count()
        try:
            decision = perform(name, version, by=person, comment="Because.")
        except Refused:
            assert Decision.objects.filter(version=version).count() == before
        else:
            assert decision.to_status == version.status
            assert Decision.objects.filter(version=version).count() == before + 1
            assert tampering(version) == ""
        status = Version.objects.get(pk=pk).status
        transaction.set_rollback(True)
    return status


def test_submitting_takes_the_role_builder(stage: Stage):
    flow = stage.draft()
    for name in ("cleo", "olga", "ines", "vito"):
        with pytest.raises(Refused, match="Builder"):
            submit(flow, by=stage.people[name])
    assert submit(flow, by=stage.ana).status == "submitted"


def test_a_flow_has_one_submitted_version_at_a_time(stage: Stage):
    stage.submitted()
    with pytest.raises(Refused, match="Order Update · version 1 is submitted already"):
        stage.submitted(stage.draft(status=201))


def test_a_flow_with_errors_is_not_submitted_and_the_errors_are_listed(stage: Stage):
    with pytest.raises(Refused, match=r"order-update has .*error.*\[unknown_endpoint\]"):
        stage.submitted(stage.draft(endpoint="orders"))
    assert not Version.objects.exists()


def test_submitting_leaves_the_draft_alone_and_later_drafts_leave_the_version_alone(stage: Stage):
    flow = stage.draft()
    version = stage.submitted(flow)
    flow.refresh_from_db()
    assert flow.draft_revision == 1
    text = version.content.text
    stage.draft(status=500)
    version.refresh_from_db()
    assert version.content.text == text


def test_submitting_what_changed_since_one_looked_is_refused(stage: Stage):
    flow = stage.draft()
    stage.draft(status=500, by=stage.ben)
    with pytest.raises(Refused, match="has changed since you looked"):
        submit(flow, by=stage.ana, based_on_revision=1)
    assert submit(flow, by=stage.ana, based_on_revision=2).number == 1


def test_versions_are_numbered_per_flow(stage: Stage):
    first = stage.in_status("recalled")
    assert [first.number, stage.in_status("declined", first.flow).number] == [1, 2]
    assert stage.submitted(stage.draft(slug="another")).number == 1


@pytest.mark.parametrize(("status", "name"), [("submitted", "decline"), ("approved", "withdraw")])
def test_sending_back_takes_a_reason(stage: Stage, status: str, name: str):
    version = stage.in_status(status)
    with pytest.raises(Refused, match="reason"):
        perform(name, version, by=stage.dan, comment="  ")
    assert perform(name, version, by=stage.dan, comment="Too early.").comment == "Too early."


def test_deploying_retires_what_was_deployed_with_a_decision_of_its_own(stage: Stage):
    first = stage.deployed()
    second = stage.deployed(stage.draft(status=201))
    first.refresh_from_db()
    assert (first.status, second.status) == ("retired", "deployed")
    last = first.decisions.last()
    assert (last.name, last.by, last.comment) == ("retire", stage.cleo, "Version 2 takes its place.")
    assert tampering(first) == tampering(second) == ""


def test_going_back_to_an_older_version_retires_the_newer(stage: Stage):
    first = stage.deployed()
    second = stage.deployed(stage.draft(status=201))
    first.refresh_from_db()
    perform("deploy", first, by=stage.ana)
    second.refresh_from_db()
    assert (first.status, second.status) == ("deployed", "retired")


def test_a_version_whose_production_routes_would_lose_their_step_is_not_deployed(stage: Stage):
    version = stage.approved()
    stage.catalog.enters = [Entry(9, "the route r_1", production=True)]
    with pytest.raises(Refused, match="the route r_1 enters at step 9"):
        perform("deploy", version, by=stage.cleo)
    stage.catalog.enters = [Entry(9, "the route r_1", production=False)]
    assert perform("deploy", version, by=stage.cleo).to_status == "deployed"


def test_a_command_leaves_the_operating_systems_user(stage: Stage):
    version = submit(stage.draft(), by=stage.ben, via=Via.COMMAND)
    by_command = perform("approve", version, by=stage.cleo, via=Via.COMMAND)
    assert (by_command.by_command, by_command.os_user) == (True, getpass.getuser())
    on_the_page = perform("deploy", version, by=stage.cleo)
    assert (on_the_page.by_command, on_the_page.os_user) == (False, "")


def test_whoever_looks_at_an_old_page_is_told_that_somebody_was_faster(stage: Stage):
    version = stage.submitted()
    seen = Version.objects.get(pk=version.pk)
    perform("recall", version, by=stage.ben)
    with pytest.raises(Refused, match="Somebody was faster: .* is recalled now"):
        perform("approve", seen, by=stage.cleo)


def test_a_refusal_says_what_would_do(stage: Stage):
    version = stage.submitted()
    assert why_not("approve", version, stage.ben).startswith("You submitted")
    assert why_not("approve", version, stage.ana).startswith("You worked on")
    assert "Approver" in why_not("approve", version, stage.olga)
    assert why_not("deploy", version, stage.cleo) == (
        "Only a version that is approved or retired can be deployed; Order Update · version 1 is submitted."
    )
    assert "There is no transition 'bless'" in why_not("bless", version, stage.cleo)


def test_the_page_says_whose_turn_it_is(stage: Stage):
    version = stage.submitted()
    assert lifecycle.next_actors(version) == "Waits for cleo, dan or ines to approve or decline it."
    perform("approve", version, by=stage.cleo)
    assert lifecycle.next_actors(version) == "Waits for cleo, dan or ines to deploy it."
    perform("deploy", version, by=stage.cleo)
    assert lifecycle.next_actors(version) == ""


def test_where_nobody_may_act_the_page_says_who_can_help(stage: Stage):
    version = stage.submitted()
    for name in ("cleo", "dan", "ines"):
        stage.set_roles(stage.people[name])
    assert lifecycle.next_actors(version) == (
        "Nobody is there to approve or decline it: it takes an Approver who didn't work on it; olga can grant the role."
    )


@pytest.mark.parametrize("odd", ["a\0b", "\ud800b"])
def test_characters_that_cannot_be_kept_are_refused_in_a_sentence(stage: Stage, odd: str):
    with pytest.raises(Refused, match="The summary has a NUL character"):
        submit(stage.draft(), by=stage.ana, summary=odd)
    version = stage.in_status("submitted")
    with pytest.raises(Refused, match="The comment has a NUL character"):
        perform("decline", version, by=stage.cleo, comment=odd)
    version.refresh_from_db()
    assert (version.status, version.decisions.count()) == ("submitted", 1)

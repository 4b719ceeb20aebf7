"""Ways around the four eyes: what a builder who may also approve could try, and where each of them ends."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from flows import contents, drafts, lifecycle, triggers
from flows.contents import ContentRefused
from flows.engine import strictjson
from flows.engine.errors import GraphRefused
from flows.lifecycle import Refused, perform, submit
from flows.models import Content, Contributor, Decision, Edit, Flow, Membership, Run, RunState, Version
from flows.roles import may
from flows.sealing import sha256_of, store
from tests.flows.makers import make_entity, make_run
from tests.flows.stage import Stage, flow_file

pytestmark = pytest.mark.django_db


def forged(version: Version, name: str, source: str, target: str, by, **more) -> Decision:
    """A decision written past Chatflow, by the book as far as the database can see."""
    fields = {"from_status": source, "to_status": target, "by": by, "sha256": version.content_id, "seal": "0" * 64}
    return Decision.objects.create(version=version, name=name, **{**fields, **more})


def test_the_submitter_may_not_approve(stage: Stage):
    version = stage.submitted(by=stage.ben)
    with pytest.raises(Refused, match="You submitted"):
        perform("approve", version, by=stage.ben)


def test_whoever_edited_the_draft_may_not_approve_what_somebody_else_submitted(stage: Stage):
    version = submit(stage.draft(by=stage.ana), by=stage.ben)
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", version, by=stage.ana)


def test_an_edit_that_was_undone_still_counts(stage: Stage):
    flow = stage.draft(by=stage.ben)
    text = flow.draft
    flow = stage.draft(by=stage.ana, status=500)
    drafts.save_draft(flow, text, by=stage.ben, based_on_revision=flow.draft_revision)
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", submit(flow, by=stage.ben), by=stage.ana)


def test_whoever_edited_a_definition_that_is_used_may_not_approve(stage: Stage):
    stage.catalog.add_shop()
    stage.edit("connection:1", stage.ines)
    version = stage.submitted(stage.draft(endpoint="orders"))
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", version, by=stage.ines)
    assert perform("approve", version, by=stage.cleo).to_status == "approved"


def test_whoever_edited_a_definition_that_is_not_used_may_approve(stage: Stage):
    stage.catalog.add_shop()
    stage.edit("connection:1", stage.ines)
    assert perform("approve", stage.submitted(), by=stage.ines).to_status == "approved"


def test_a_contributor_may_not_deploy_first_what_somebody_else_approved(stage: Stage):
    version = stage.approved()
    with pytest.raises(Refused, match="You worked on"):
        perform("deploy", version, by=stage.ana)
    with pytest.raises(Refused, match="You submitted"):
        perform("deploy", version, by=stage.ben)


def test_a_second_submission_by_somebody_else_doesnt_wash_the_first_authors_work(stage: Stage):
    flow = stage.draft(by=stage.ana)
    first = submit(flow, by=stage.ana)
    perform("recall", first, by=stage.ana)
    second = submit(flow, by=stage.ben)
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", second, by=stage.ana)


def test_a_declined_version_in_between_doesnt_wash_it_either(stage: Stage):
    first = submit(stage.draft(by=stage.ana), by=stage.ana)
    perform("decline", first, by=stage.cleo, comment="No.")
    second = submit(stage.draft(by=stage.ben, status=201), by=stage.ben)
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", second, by=stage.ana)


def test_after_a_deployment_only_new_work_counts(stage: Stage):
    stage.deployed(stage.draft(by=stage.ana))
    version = submit(stage.draft(by=stage.ben, status=201), by=stage.ben)
    assert perform("approve", version, by=stage.ana).to_status == "approved"


def test_a_definition_that_the_deployed_version_didnt_hold_is_new_however_old_it_is(stage: Stage):
    stage.edit("endpoint:1", stage.ines)
    stage.deployed()
    stage.catalog.add_shop()
    version = submit(stage.draft(by=stage.ben, endpoint="orders"), by=stage.ben)
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", version, by=stage.ines)


def test_clocks_that_disagree_hide_nobodys_work(stage: Stage):
    """The submission is made on a machine whose clock is an hour ahead of the one on which ana edits afterwards."""
    ahead = timezone.now() + timedelta(hours=1)
    flow = stage.draft(by=stage.ben)
    Edit.objects.create(entity=stage.entity, subject="endpoint:9", by=stage.ben, at=ahead)
    version = submit(flow, by=stage.ben)
    assert version.submitted_at > ahead
    perform("approve", version, by=stage.cleo)
    perform("deploy", version, by=stage.cleo)
    following = submit(stage.draft(by=stage.ana, status=201), by=stage.ben)
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", following, by=stage.ana)


def test_renaming_the_account_or_taking_away_and_giving_back_the_role_changes_nothing(stage: Stage):
    version = stage.submitted()
    stage.ben.username = "benedict"
    stage.ben.save()
    stage.set_roles(stage.ben)
    stage.set_roles(stage.ben, "approver")
    with pytest.raises(Refused, match="You submitted"):
        perform("approve", version, by=stage.ben)


def test_a_superuser_is_no_exception(stage: Stage):
    root = stage.root
    version = stage.submitted()
    with pytest.raises(Refused, match="role Approver"):
        perform("approve", version, by=root)
    mine = submit(stage.draft(slug="mine", by=root), by=root)
    Membership.objects.create(entity=stage.entity, user=root, role="approver", granted_by=stage.olga)
    with pytest.raises(Refused, match="You submitted"):
        perform("approve", mine, by=root)
    assert perform("approve", version, by=root).to_status == "approved"


def test_nobody_gives_themselves_a_role_not_even_in_the_table(stage: Stage):
    with pytest.raises(IntegrityError, match="membership_not_by_oneself"), transaction.atomic():
        Membership.objects.create(entity=stage.entity, user=stage.root, role="approver", granted_by=stage.root)
    assert not may(stage.root, stage.entity, "approve versions")


def test_an_approver_elsewhere_is_nobody_here(stage: Stage):
    make_entity("elsewhere", eve="approver")
    eve = Membership.objects.get(user__username="eve").user
    with pytest.raises(Refused, match="eve may not approve versions in acme"):
        perform("approve", stage.submitted(), by=eve)


def test_an_account_that_was_switched_off_approves_nothing(stage: Stage):
    stage.cleo.is_active = False
    stage.cleo.save()
    with pytest.raises(Refused, match="cleo"):
        perform("approve", stage.submitted(), by=stage.cleo)


def test_the_shell_changes_no_status_and_no_content(stage: Stage):
    version = stage.submitted()
    evil = store("{}")
    for change in ({"status": "approved"}, {"status": "deployed"}, {"content": evil}, {"submitted_by": stage.cleo}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Version.objects.filter(pk=version.pk).update(**change)
    version.status = "deployed"
    with pytest.raises(IntegrityError), transaction.atomic():
        version.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        Contributor.objects.filter(version=version).delete()
    assert Version.objects.get(pk=version.pk).status == "submitted"


def test_a_draft_doesnt_change_behind_everybodys_back(stage: Stage):
    flow = stage.draft()
    flow.draft = "[]"
    with pytest.raises(IntegrityError, match="records by whom"), transaction.atomic():
        flow.save()
    with pytest.raises(IntegrityError, match="records by whom"), transaction.atomic():
        type(flow).objects.filter(pk=flow.pk).update(draft="[]")


def changed_by_sql(flow: Flow, by, at) -> None:
    """A draft changed past Chatflow, by the book as far as the row itself shows."""
    changed = {"draft": flow.draft.replace("200", "500"), "draft_revision": flow.draft_revision + 1}
    with transaction.atomic():
        assert Flow.objects.filter(pk=flow.pk).update(**changed, changed_by=by, changed_at=at) == 1


def test_an_edit_that_is_dated_before_the_deployed_version_is_not_recorded(stage: Stage):
    """Dan would be no contributor of what he smuggled in: it would look as old as what is deployed."""
    flow = stage.deployed().flow
    old = flow.changed_at + timedelta(microseconds=1)
    with pytest.raises(IntegrityError, match="recorded when it is made"), transaction.atomic():
        Edit.objects.create(entity=flow.entity, subject=f"flow:{flow.pk}", by=stage.dan, at=old)
    with pytest.raises(IntegrityError, match="records by whom"):
        changed_by_sql(flow, stage.dan, old)


def test_a_record_of_an_edit_is_not_kept_for_later(stage: Stage):
    """Made before a version was submitted, or in another entity's name, and used after that version was deployed."""
    flow = stage.draft()
    kept = flow.changed_at + timedelta(microseconds=1)
    Edit.objects.create(entity=flow.entity, subject=f"flow:{flow.pk}", by=stage.dan, at=kept)
    stage.deployed(flow)
    with pytest.raises(IntegrityError, match="records by whom"):
        changed_by_sql(flow, stage.dan, kept)
    other = make_entity("other")
    odd = kept + timedelta(microseconds=1)
    Edit.objects.create(entity=other, subject=f"flow:{flow.pk}", by=stage.dan, at=odd)
    with pytest.raises(IntegrityError, match="records by whom"):
        changed_by_sql(flow, stage.dan, odd)


def test_a_draft_that_was_changed_by_sql_in_ones_own_name_is_not_approved_by_oneself(stage: Stage):
    flow = stage.deployed().flow
    edit = Edit.objects.create(entity=flow.entity, subject=f"flow:{flow.pk}", by=stage.dan, at=timezone.now())
    changed_by_sql(flow, stage.dan, edit.at)
    with pytest.raises(Refused, match="You worked on"):
        perform("approve", submit(flow, by=stage.ana), by=stage.dan)


def test_a_flow_with_versions_is_not_taken_away_and_put_back_with_another_draft(stage: Stage):
    flow = stage.deployed().flow
    with pytest.raises(IntegrityError, match="stays with them"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM flows_flow WHERE id = %s", [flow.pk])


def test_an_approval_that_was_written_past_chatflow_is_refused_when_it_counts(stage: Stage):
    version = stage.submitted()
    forged(version, "approve", "submitted", "approved", stage.cleo)
    Version.objects.filter(pk=version.pk).update(status="approved")
    version.refresh_from_db()
    with pytest.raises(Refused, match="tampered with"):
        perform("deploy", version, by=stage.dan)
    forged(version, "deploy", "approved", "deployed", stage.dan)
    Version.objects.filter(pk=version.pk).update(status="deployed")
    with pytest.raises(ContentRefused, match="wasn't made by Chatflow"):
        contents.deployed(version.flow_id)
    with pytest.raises(ContentRefused, match="wasn't made by Chatflow"):
        contents.plan_of(version.content_id)


def test_a_seal_copied_from_another_decision_doesnt_fit(stage: Stage):
    genuine = stage.deployed()
    seals = {decision.name: decision.seal for decision in genuine.decisions.all()}
    version = stage.submitted(stage.draft(status=500))
    perform("retire", genuine, by=stage.cleo)
    forged(version, "approve", "submitted", "approved", stage.cleo, seal=seals["approve"])
    Version.objects.filter(pk=version.pk).update(status="approved")
    forged(version, "deploy", "approved", "deployed", stage.cleo, seal=seals["deploy"])
    Version.objects.filter(pk=version.pk).update(status="deployed")
    with pytest.raises(ContentRefused):
        contents.deployed(version.flow_id)


def test_a_rollback_that_was_written_past_chatflow_is_refused_in_a_process_that_knew_the_version(stage: Stage):
    first = stage.deployed()
    assert contents.deployed(first.flow_id) is not None
    seal = first.decisions.get(name="deploy").seal
    perform("retire", first, by=stage.cleo)
    forged(first, "deploy", "retired", "deployed", stage.cleo, seal=seal)
    Version.objects.filter(pk=first.pk).update(status="deployed")
    with pytest.raises(ContentRefused, match="wasn't made by Chatflow"):
        contents.deployed(first.flow_id)


def test_a_submission_that_was_written_in_anothers_name_is_not_approved(stage: Stage):
    """Ana could hide that it is her work, and then approve it for good."""
    content = store(stage.submitted().content.text.replace('"status":200', '"status":500'))
    flow = stage.draft(slug="another", by=stage.ben)
    version = Version.objects.create(
        flow=flow, number=1, content=content, submitted_by=stage.ben, changed_by=stage.ben, changed_at=timezone.now()
    )
    forged(version, "submit", "", "submitted", stage.ben)
    with pytest.raises(Refused, match="tampered with"):
        perform("approve", version, by=stage.ana)
    assert perform("decline", version, by=stage.ana, comment="Who was that?").to_status == "declined"


def test_a_content_that_nobody_approved_doesnt_run_whatever_a_run_says(stage: Stage):
    """A run could be written into the queue with a content of one's own, addressed to production."""
    version = stage.deployed()
    text = version.content.text.replace('"status":200', '"status":500')
    evil = store(text)
    run = make_run(version.flow, RunState.QUEUED, content=evil, environment="production", version=version)
    assert Run.objects.get(pk=run.pk).content_id == sha256_of(text)
    with pytest.raises(ContentRefused, match="Nobody approved and deployed it"):
        contents.plan_of(evil.pk)
    submitted = stage.submitted(stage.draft(slug="pending"))
    with pytest.raises(ContentRefused):
        contents.plan_of(submitted.content_id)


def test_a_content_for_the_sandbox_cant_point_at_secrets_of_production(stage: Stage):
    secret = {"connection": 1, "environment": "sandbox", "host": "https://shop.example.com:443"}
    stage.catalog.add_shop()
    stage.catalog.add("connection", "shop", "connection:1", address="https://shop.example.com", secret=secret)
    text = contents.sandbox_content(stage.draft(endpoint="orders"))[0].text
    forged_text = text.replace(
        '"secret":{"connection":1,"environment":"sandbox"', '"secret":{"connection":1,"environment":"production"'
    )
    assert forged_text != text
    with pytest.raises(ContentRefused, match="for the sandbox, its 'shop' is not"):
        contents.plan_of(store(forged_text).pk)


@pytest.mark.parametrize("environment", ["production", ""])
def test_a_content_for_the_sandbox_cant_point_at_keys_of_production(stage: Stage, environment: str):
    content = strictjson.loads(contents.sandbox_content(stage.draft())[0].text)
    key = {"key": 1, "kind": "hmac", "pretend": False, "environment": "sandbox"}
    content["definitions"]["key"] = {"signing": key}
    assert contents.plan_of(store(strictjson.canonical(content)).pk).definitions["key"]["signing"] == key
    pointed = {**key, "environment": environment} if environment else {"key": 1, "kind": "hmac", "public_key": "none"}
    content["definitions"]["key"]["signing"] = pointed
    with pytest.raises(ContentRefused, match="for the sandbox, its 'signing' is not"):
        contents.plan_of(store(strictjson.canonical(content)).pk)


def test_whoever_can_drop_triggers_still_cant_change_what_runs(stage: Stage):
    version = stage.deployed()
    text = version.content.text.replace('"status":200', '"status":500')
    with triggers.lifted():
        Content.objects.filter(pk=version.content_id).update(text=text)
    with pytest.raises(ContentRefused, match="was changed"):
        contents.deployed(version.flow_id)
    with triggers.lifted():
        Version.objects.filter(pk=version.pk).update(content=store(text))
    with pytest.raises(ContentRefused, match="another content"):
        contents.deployed(version.flow_id)


def test_taking_oneself_off_the_list_of_contributors_breaks_the_seal(stage: Stage):
    version = stage.submitted()
    with triggers.lifted():
        Contributor.objects.filter(version=version, user=stage.ana).delete()
    with pytest.raises(Refused, match="tampered with"):
        perform("approve", version, by=stage.ana)


def test_raw_statements_are_refused_too(stage: Stage):
    version = stage.submitted()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE flows_version SET status = 'deployed' WHERE id = %s", [version.pk])
    with pytest.raises(IntegrityError), transaction.atomic():
        forged(version, "approve", "submitted", "approved", stage.ana)


def test_a_definition_changed_after_approval_doesnt_reach_production(stage: Stage):
    stage.catalog.add_shop()
    version = stage.approved(stage.draft(endpoint="orders"))
    stage.catalog.add(
        "connection", "shop", "connection:1", address="https://evil.example.com", auth={"kind": "bearer", "name": ""}
    )
    perform("deploy", version, by=stage.cleo)
    found = contents.deployed(version.flow_id)
    assert found is not None
    assert found.plan.definitions["connection"]["shop"]["address"] == "https://shop.example.com"


def test_keys_that_are_gone_take_the_versions_with_them_and_old_keys_keep_them(stage: Stage, settings):
    version = stage.deployed()
    settings.CHATFLOW_KEYS = ["a new key, long enough for anybody", *settings.CHATFLOW_KEYS]
    contents.forget()
    assert contents.deployed(version.flow_id) is not None
    settings.CHATFLOW_KEYS = settings.CHATFLOW_KEYS[:1]
    contents.forget()
    with pytest.raises(ContentRefused, match="seal"):
        contents.deployed(version.flow_id)


def test_the_same_wall_stands_for_commands(stage: Stage):
    version = stage.submitted()
    with pytest.raises(Refused, match="You submitted"):
        perform("approve", version, by=stage.ben, via=lifecycle.Via.COMMAND)


def test_the_file_format_brings_no_way_in(stage: Stage):
    """A file can't say that it is approved, nor whose it is."""
    for key in ("status", "versions", "entity", "submitted_by"):
        with pytest.raises(GraphRefused, match=key):
            drafts.import_file(stage.entity, json.dumps(json.loads(flow_file()) | {key: "x"}), by=stage.ana)

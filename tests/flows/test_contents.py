"""Loading: what production and sandbox run, when it changes, and what it costs."""

from __future__ import annotations

import pytest

from flows import contents
from flows.contents import ContentRefused
from flows.engine.errors import RunError
from flows.lifecycle import perform
from flows.sealing import store
from tests.flows.stage import Stage

pytestmark = pytest.mark.django_db


def status_of(plan) -> int:
    """The status that the flow of `flow_file` answers with, which tells one version from another."""
    return next(node for node in plan.nodes.values() if node.type == "api_end").filling.node.status


def test_nothing_runs_until_it_is_deployed(stage: Stage):
    version = stage.submitted()
    assert contents.deployed(version.flow_id) is None
    perform("approve", version, by=stage.cleo)
    assert contents.deployed(version.flow_id) is None
    perform("deploy", version, by=stage.cleo)
    found = contents.deployed(version.flow_id)
    assert found is not None
    assert (found.version_id, found.plan.sha256) == (version.pk, version.content_id)
    perform("retire", version, by=stage.cleo)
    assert contents.deployed(version.flow_id) is None


def test_a_deployment_holds_at_once_and_so_does_going_back(stage: Stage):
    first = stage.deployed()
    assert contents.deployed(first.flow_id).version_id == first.pk
    second = stage.deployed(stage.draft(status=201))
    assert contents.deployed(first.flow_id).version_id == second.pk
    first.refresh_from_db()
    perform("deploy", first, by=stage.cleo)
    assert contents.deployed(first.flow_id).version_id == first.pk


def test_what_is_deployed_costs_one_query_once_it_is_known(stage: Stage, django_assert_num_queries):
    version = stage.deployed()
    contents.deployed(version.flow_id)
    with django_assert_num_queries(1):
        contents.deployed(version.flow_id)


def test_a_plan_is_compiled_once(stage: Stage, django_assert_num_queries):
    version = stage.deployed()
    plan = contents.plan_of(version.content_id)
    with django_assert_num_queries(0):
        assert contents.plan_of(version.content_id) is plan


def test_runs_of_a_version_go_on_after_it_was_retired(stage: Stage):
    version = stage.deployed()
    perform("retire", version, by=stage.cleo)
    assert contents.plan_of(version.content_id).sha256 == version.content_id


def test_the_sandbox_runs_the_draft_as_it_is_saved(stage: Stage):
    flow = stage.draft()
    content, plan = contents.sandbox_content(flow)
    assert (plan.environment, plan.sha256) == ("sandbox", content.pk)
    assert contents.sandbox_content(stage.draft(status=201))[0] != content


def test_a_jump_in_production_leads_to_what_is_deployed(stage: Stage):
    with pytest.raises(RunError, match="no flow 'order-update'") as refusal:
        contents.find_flow(stage.entity.pk, "order-update", "dynamic_api", "production")
    assert refusal.value.code == "CT04"
    version = stage.approved()
    with pytest.raises(RunError, match="No version of the flow") as refusal:
        contents.find_flow(stage.entity.pk, "order-update", "dynamic_api", "production")
    assert refusal.value.code == "CT04"
    perform("deploy", version, by=stage.cleo)
    found = contents.find_flow(stage.entity.pk, "order-update", "dynamic_api", "production")
    assert found.sha256 == version.content_id


def test_a_jump_in_the_sandbox_leads_to_the_draft(stage: Stage):
    stage.draft()
    assert contents.find_flow(stage.entity.pk, "order-update", "dynamic_api", "sandbox").environment == "sandbox"


def test_a_jump_stays_in_its_entity_and_its_kind(stage: Stage):
    stage.deployed()
    for entity_id, kind in ((stage.entity.pk, "standard"), (stage.entity.pk + 1, "dynamic_api")):
        with pytest.raises(RunError, match="no flow"):
            contents.find_flow(entity_id, "order-update", kind, "production")


def test_a_content_that_isnt_there_or_cant_be_read_is_refused_loudly(stage: Stage, caplog):
    with pytest.raises(ContentRefused, match="no content"):
        contents.plan_of("0" * 64)
    text = contents.sandbox_content(stage.draft())[0].text
    with pytest.raises(ContentRefused, match=r"can't read .* nodes\[1\].type: there is no node type 'magic'"):
        contents.plan_of(store(text.replace("api_end", "magic")).pk)
    assert [record.levelname for record in caplog.records] == ["CRITICAL", "CRITICAL"]

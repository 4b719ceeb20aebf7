"""Before a start: a release that can't run what is deployed or under way says so, with flow and node."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from flows import checks, contents, triggers
from flows.engine.node import NODE_TYPES
from flows.models import RunState
from tests.flows.makers import make_run
from tests.flows.stage import Stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def without_api_end(monkeypatch: pytest.MonkeyPatch):
    """A release that has lost a node type."""

    def lose() -> None:
        monkeypatch.delitem(NODE_TYPES, "api_end")
        contents.forget()

    return lose


def test_what_can_be_run_is_no_problem(stage: Stage):
    version = stage.deployed()
    make_run(version.flow, content=contents.sandbox_content(version.flow)[0])
    checks.verify_contents()
    assert run_checks(tags=["contents"], include_deployment_checks=True) == []


def test_a_deployed_version_that_cant_be_read_keeps_everything_from_starting(stage: Stage, without_api_end):
    stage.deployed()
    without_api_end()
    with pytest.raises(ImproperlyConfigured, match=r"order-update: .*nodes\[1\].type: there is no node type 'api_end'"):
        checks.verify_contents()
    assert [message.id for message in run_checks(tags=["contents"], include_deployment_checks=True)] == ["flows.E001"]


def test_so_does_an_unfinished_run_but_not_a_finished_one(stage: Stage, without_api_end):
    flow = stage.draft()
    content = contents.sandbox_content(flow)[0]
    run = make_run(flow, RunState.SUCCEEDED, wake_in_seconds=None, content=content)
    without_api_end()
    checks.verify_contents()
    unfinished = ((RunState.QUEUED, 1), (RunState.QUEUED, None), (RunState.WAITING, 60), (RunState.IN_DOUBT, None))
    for state, wake in unfinished:
        run = make_run(flow, state, wake_in_seconds=wake, content=content)
        with pytest.raises(ImproperlyConfigured, match="unfinished run"):
            checks.verify_contents()
        run.delete()


def test_a_setting_that_a_release_no_longer_takes_is_told_with_its_node(stage: Stage, monkeypatch):
    version = stage.deployed()
    stricter = NODE_TYPES["api_end"].model_fields["status"]
    assert stricter is not None

    class Stricter(NODE_TYPES["api_end"]):
        tone: str

    monkeypatch.setitem(NODE_TYPES, "api_end", Stricter)
    contents.forget()
    with pytest.raises(ImproperlyConfigured, match=rf"{version}: node 2 done \(api_end\): tone is missing"):
        checks.verify_contents()


def test_a_database_without_its_triggers_keeps_everything_from_starting(db):
    triggers.remove()
    try:
        with pytest.raises(ImproperlyConfigured, match="lost its guard"):
            checks.verify_contents()
    finally:
        triggers.install()


def test_a_tampered_version_keeps_everything_from_starting(stage: Stage):
    version = stage.deployed()
    with triggers.lifted():
        version.decisions.filter(name="approve").update(comment="Fine.")
    with pytest.raises(ImproperlyConfigured, match="order-update: .* The seal of the decision 'approve'"):
        checks.verify_contents()

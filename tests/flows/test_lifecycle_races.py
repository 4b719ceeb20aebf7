"""Two people at the same moment: one of them wins, and the record is whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from flows import contents, drafts
from flows.contributors import record_edit
from flows.drafts import DraftConflict
from flows.lifecycle import Refused, perform, submit
from flows.models import Content, Decision, Edit, Flow, Version
from flows.sealing import store
from flows.seals import tampering
from tests.flows.stage import Stage, flow_file

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Run each in a thread of its own, begun together; gives results, or what was raised if it was a refusal."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        try:
            barrier.wait(10)
            return act()
        except (Refused, DraftConflict) as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def in_a_thread(act: Callable[[], Version]) -> Version:
    """Run it in a thread of its own, with a connection of its own."""
    try:
        return act()
    finally:
        connections.close_all()


def smuggled(flow: Flow) -> dict[str, Any]:
    return {"draft": flow.draft.replace("200", "500"), "draft_revision": flow.draft_revision + 1}


def refused(results: list[object]) -> int:
    return sum(isinstance(result, Exception) for result in results)


def again(version: Version) -> Version:
    return Version.objects.get(pk=version.pk)


def test_approving_and_recalling_at_once_does_one_of_them(stage: Stage):
    for _ in range(ROUNDS):
        version = stage.submitted()
        results = at_once(
            lambda version=version: perform("approve", again(version), by=stage.cleo),
            lambda version=version: perform("recall", again(version), by=stage.ben),
        )
        assert refused(results) == 1
        version.refresh_from_db()
        assert (version.decisions.count(), tampering(version)) == (2, "")
        if version.status == "approved":
            perform("withdraw", version, by=stage.cleo, comment="Next round.")


def test_two_approvals_at_once_leave_one_decision(stage: Stage):
    for _ in range(ROUNDS):
        version = stage.submitted()
        results = at_once(
            lambda version=version: perform("approve", again(version), by=stage.cleo),
            lambda version=version: perform("approve", again(version), by=stage.dan),
        )
        assert refused(results) == 1
        assert Decision.objects.filter(version=version, name="approve").count() == 1
        perform("withdraw", again(version), by=stage.cleo, comment="Next round.")


def test_two_submissions_at_once_leave_one_version(stage: Stage):
    flow = stage.draft()
    results = at_once(lambda: submit(flow, by=stage.ana), lambda: submit(flow, by=stage.ben))
    assert refused(results) == 1
    assert Version.objects.count() == 1


def test_two_deployments_at_once_leave_one_deployed(stage: Stage):
    flow = stage.draft()
    stage.deployed(flow)
    second = stage.approved(flow)
    third = stage.approved(stage.draft(status=201))
    at_once(
        lambda: perform("deploy", again(second), by=stage.cleo),
        lambda: perform("deploy", again(third), by=stage.dan),
    )
    assert Version.objects.filter(flow=flow, status="deployed").count() == 1
    assert [tampering(version) for version in Version.objects.all()] == ["", "", ""]
    assert contents.deployed(flow.pk) is not None


def test_an_edit_under_way_during_a_submission_counts_now_or_next_time(stage: Stage):
    """Whichever comes first: if ana's work isn't in the version, she is counted for the next one."""
    for status in range(300, 300 + ROUNDS):
        flow = stage.draft(by=stage.ben, status=status - 100)
        results = at_once(
            lambda flow=flow: submit(flow, by=stage.ben),
            lambda status=status: drafts.import_file(stage.entity, flow_file(status=status), by=stage.ana),
        )
        version = next(result for result in results if isinstance(result, Version))
        hers = f'"status":{status}' in version.content.text
        assert version.contributors.filter(user=stage.ana).exists() == hers
        perform("approve", version, by=stage.cleo)
        perform("deploy", version, by=stage.cleo)
        following = submit(flow, by=stage.ben)
        assert following.contributors.filter(user=stage.ana).exists() == (not hers)
        perform("approve", following, by=stage.cleo)
        perform("deploy", following, by=stage.cleo)


def test_two_saves_on_the_same_revision_keep_one(stage: Stage):
    flow = stage.draft()
    texts = [flow.draft.replace("200", "201"), flow.draft.replace("200", "202")]
    results = at_once(
        *[lambda text=text: drafts.save_draft(flow, text, by=stage.ana, based_on_revision=1) for text in texts]
    )
    assert refused(results) == 1
    assert Flow.objects.get(pk=flow.pk).draft_revision == 2


def test_the_same_text_stored_at_once_is_one_content(stage: Stage):
    contents_made = at_once(*[lambda: store('{"a":1}') for _ in range(4)])
    assert len({content.pk for content in contents_made if isinstance(content, Content)}) == 1


def test_a_submission_waits_for_an_edit_by_sql_that_is_under_way(stage: Stage):
    """Else it would freeze the draft as it was, and the edit, committed later, would lie before it."""
    flow = stage.draft()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            edit = Edit.objects.create(entity=stage.entity, subject=f"flow:{flow.pk}", by=stage.dan, at=timezone.now())
            Flow.objects.filter(pk=flow.pk).update(**smuggled(flow), changed_by=stage.dan, changed_at=edit.at)
            future = pool.submit(in_a_thread, lambda: submit(flow, by=stage.ben))
            with suppress(FutureTimeout):
                future.result(0.5)
        version = future.result(30)
    assert version.contributors.filter(user=stage.dan).exists()


def test_a_transaction_that_doesnt_see_the_submission_changes_no_draft(stage: Stage):
    if connection.vendor != "postgresql":
        pytest.skip("On SQLite whoever reads an old state can't write.")
    flow = stage.draft()
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old = Flow.objects.get(pk=flow.pk).changed_at + timedelta(microseconds=1)
        pool.submit(in_a_thread, lambda: stage.deployed(flow)).result(30)
        Edit.objects.create(entity=stage.entity, subject=f"flow:{flow.pk}", by=stage.dan, at=old)
        row = Flow.objects.filter(pk=flow.pk)
        with pytest.raises(OperationalError, match="could not serialize"), transaction.atomic():
            row.update(**smuggled(flow), changed_by=stage.dan, changed_at=old)


def test_an_edit_waits_for_a_submission_that_is_under_way(stage: Stage):
    """The edit's time is taken when its turn has come, so it lies after the submission that didn't see it."""
    flow = stage.draft()
    begun = threading.Event()

    def edit() -> object:
        begun.set()
        try:
            with transaction.atomic():
                return record_edit(stage.entity, "endpoint:1", by=stage.ines)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            version = submit(flow, by=stage.ben)
            future = pool.submit(edit)
            begun.wait(10)
        recorded = future.result(30)
    assert recorded.at > version.submitted_at

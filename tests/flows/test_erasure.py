"""A person is forgotten: every run that holds an identifier of theirs is deleted, and nobody else's."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from flows import changes, erasure
from flows.admin import forgetting
from flows.erasure import forget
from flows.identifiers import Person
from flows.models import TERMINAL, Case, Change, Effect, Run, RunState, Segment
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow():
    return make_flow(make_entity("acme", olga="owner", ben="builder"))


def who(name: str) -> User:
    return User.objects.get(username=name)


def run_with(flow, state: str = RunState.SUCCEEDED, **texts: Any) -> Run:
    finished = timezone.now() if state in TERMINAL else None
    return make_run(flow, state, finished_at=finished, wake_in_seconds=None, **texts)


FOUND = [
    ("ann@example.com", '{"payload":{"mail":"Ann@Example.com"}}'),
    ("ann@example.com", '{"payload":"Dear ann@example.com, hello"}'),
    ("ann@example.com", '{"path":"/people/ann%40example.com/orders"}'),
    ("+49 170 1234567", '{"payload":{"phone":"+491701234567"}}'),
    ("+491701234567", '{"payload":{"phone":"0049 170 / 123-4567"}}'),
    ("00491701234567", '{"payload":{"phone":491701234567}}'),
    ("K-1001", '{"payload":{"customer":"k-1001"}}'),
    ("Zoë Müller", '{"payload":"Zoe\u0308 MÜLLER"}'),
    ('The "Duke"', '{"payload":"The \\"Duke\\""}'),
]


@pytest.mark.parametrize(("identifier", "request_text"), FOUND, ids=lambda text: text[:30])
def test_an_identifier_is_found_in_its_usual_spellings(flow, identifier, request_text):
    run_with(flow, request=request_text)
    assert forget(flow.entity, Person([identifier]), by=who("olga")).deleted == 1
    assert not Run.objects.exists()


NOT_FOUND = [
    ("ann@example.com", '{"payload":"joann@example.com"}'),
    ("ann@example.com", '{"payload":"jo.ann@example.com"}'),
    ("ann@example.com", '{"payload":"ann@example.com.au"}'),
    ("+491701234567", '{"payload":"4917012345678"}'),
    ("+491701234567", '{"payload":"1491701234567"}'),
    ("K-1001", '{"payload":"K-10012"}'),
]


@pytest.mark.parametrize(("identifier", "request_text"), NOT_FOUND, ids=lambda text: text[:30])
def test_somebody_of_a_similar_name_is_left_alone(flow, identifier, request_text):
    run_with(flow, request=request_text)
    assert forget(flow.entity, Person([identifier]), by=who("olga")).deleted == 0
    assert Run.objects.exists()


def test_every_text_of_a_run_is_looked_through(flow):
    for column in ("request", "answer", "error", "trace"):
        run_with(flow, **{column: '{"mail":"ann@example.com"}'})
    Segment.objects.create(run=run_with(flow), number=1, state='"ann@example.com"', steps="[]", at=timezone.now())
    Segment.objects.create(run=run_with(flow), number=1, state="{}", steps='"ann@example.com"', at=timezone.now())
    for column in ("request", "outcome"):
        run = run_with(flow)
        texts = {"request": "{}", column: '{"to":"ann@example.com"}'}
        Effect.objects.create(key=f"{run.pk}:1:0", run=run, repeat="never", started_at=timezone.now(), **texts)
    untouched = run_with(flow)
    found = forget(flow.entity, Person(["ann@example.com"]), by=who("olga"))
    assert (found.seen, found.deleted) == (9, 8)
    assert list(Run.objects.all()) == [untouched]


def test_runs_of_other_entities_are_left_alone(flow):
    run_with(make_flow(make_entity("other")), request='"ann@example.com"')
    assert forget(flow.entity, Person(["ann@example.com"]), by=who("olga")).seen == 0
    assert Run.objects.exists()


@pytest.mark.parametrize("state", sorted(set(RunState) - TERMINAL))
def test_a_run_that_is_not_over_is_named_and_only_deleted_if_it_may_be_cancelled(flow, state):
    run = run_with(flow, state, request='"ann@example.com"')
    found = forget(flow.entity, Person(["ann@example.com"]), by=who("olga"))
    assert (found.deleted, found.unfinished) == (0, [str(run.pk)])
    found = forget(flow.entity, Person(["ann@example.com"]), by=who("olga"), cancel=True)
    assert (found.deleted, found.unfinished, Run.objects.count()) == (1, [], 0)


def test_what_authors_wrote_is_named_and_not_changed(flow):
    Case.objects.create(flow=flow, name="Ann", text='{"payload":"ann@example.com"}')
    found = forget(flow.entity, Person(["ann@example.com"]), by=who("olga"))
    assert found.written_by_authors == ["the test case Ann of order-update"]
    assert Case.objects.exists()


def test_a_dry_run_counts_and_deletes_nothing(flow):
    run_with(flow, request='"ann@example.com"')
    found = forget(flow.entity, Person(["ann@example.com"]), by=who("olga"), dry_run=True)
    assert (found.deleted, Run.objects.count()) == (1, 1)
    assert not Change.objects.filter(action=erasure.ACTION).exists()


def test_it_is_recorded_without_naming_the_person(flow):
    run_with(flow, request='"ann@example.com"')
    forget(flow.entity, Person(["ann@example.com"]), by=who("olga"))
    change = Change.objects.get(action=erasure.ACTION)
    assert change.by == who("olga")
    assert "ann@" not in change.after
    assert json.loads(change.after) == {"identifiers": [erasure.digest("ann@example.com")], "left": 0, "runs": 1}
    assert changes.holds(change, changes.FIRST)


def test_only_an_owner_forgets(flow):
    with pytest.raises(PermissionDenied, match="Owner"):
        forget(flow.entity, Person(["ann@example.com"]), by=who("ben"))


@pytest.mark.parametrize("identifiers", [[], ["  "], ["42"], [f"person-{n}" for n in range(21)]])
def test_identifiers_that_name_nobody_or_everybody_are_refused(identifiers):
    with pytest.raises(ValidationError):
        Person(identifiers)


def test_more_runs_than_a_batch_are_looked_through_with_progress(flow, monkeypatch):
    monkeypatch.setattr(erasure, "BATCH", 2)
    for _ in range(5):
        run_with(flow, request='"ann@example.com"')
    told: list[tuple[int, int | None]] = []
    found = forget(flow.entity, Person(["ann@example.com"]), by=who("olga"), progress=lambda *now: told.append(now))
    assert (found.deleted, told) == (5, [(2, 5), (4, 5), (5, 5)])


def told(monkeypatch, text: str, *arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    call_command("forget", *arguments, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_command_reads_identifiers_from_standard_input(flow, monkeypatch):
    run_with(flow, request='"ann@example.com"')
    run_with(flow, request='"+49 170 1234567"')
    answer = told(monkeypatch, "ann@example.com\n+491701234567\n", "--entity", "acme", "--as", "olga")
    assert (answer["entity"], answer["seen"], answer["deleted"], answer["unfinished"]) == ("acme", 2, 2, [])


def test_the_command_fails_where_something_was_left(flow, monkeypatch):
    run_with(flow, RunState.WAITING, request='"ann@example.com"')
    with pytest.raises(CommandError, match="1 runs aren't over"):
        told(monkeypatch, "ann@example.com", "--entity", "acme", "--as", "olga")
    assert told(monkeypatch, "ann@example.com", "--entity", "acme", "--as", "olga", "--cancel")["deleted"] == 1


def page(flow) -> str:
    return reverse("admin:flows_entity_forget", args=[flow.entity.pk])


def test_an_owner_looks_first_and_deletes_then(flow, client):
    run_with(flow, request='"ann@example.com"')
    client.force_login(who("olga"))
    assert b"Forget a person" in client.get(reverse("admin:flows_entity_change", args=[flow.entity.pk])).content
    typed = {"identifiers": "ann@example.com"}
    looked = client.post(page(flow), {**typed, "look": "1"})
    assert (b"1 would be deleted" in looked.content, Run.objects.count()) == (True, 1)
    done = client.post(page(flow), {**typed, "delete": "1"}, follow=True)
    assert (b"Deleted 1 runs of Acme." in done.content, Run.objects.count()) == (True, 0)


def test_the_page_refuses_what_names_everybody(flow, client):
    client.force_login(who("olga"))
    assert b"too short" in client.post(page(flow), {"identifiers": "42", "delete": "1"}).content


def test_the_page_sends_owners_of_many_runs_to_the_terminal(flow, client, monkeypatch):
    monkeypatch.setattr(forgetting, "MAX_RUNS_HERE", 1)
    run_with(flow), run_with(flow)
    client.force_login(who("olga"))
    assert b"manage.py forget --entity acme" in client.post(page(flow), {"identifiers": "ann@example.com"}).content


@pytest.mark.parametrize("name", ["ben", "stranger"])
def test_the_page_is_for_owners(flow, client, name):
    make_entity("other", stranger="owner")
    client.force_login(who(name))
    assert client.post(page(flow), {"identifiers": "ann@example.com", "delete": "1"}).status_code in (302, 403)

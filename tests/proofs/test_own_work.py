"""Twelve ways to approve one's own work: each ends in a refusal, or in a version that isn't loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from flows import contents, lifecycle, seals
from flows.contents import ContentRefused
from flows.lifecycle import perform, submit
from flows.members import grant
from flows.models import Contributor, Decision, Edit, Membership, Version
from tests.admin_world import as_user, url
from tests.flows.conftest import stage
from tests.flows.stage import Stage
from tests.flows.test_four_eyes import forged
from tests.proofs.proof import Proof

__all__ = ["stage"]

pytestmark = pytest.mark.django_db

REFUSALS = (PermissionDenied, ValidationError, CommandError, DatabaseError, ContentRefused)
"""What a refusal looks like; anything else that goes wrong is a bug of the proof or of ours."""

Attempt = Callable[[], Any]
Way = Callable[["Own"], Iterator[Attempt]]


class Own:
    """Ana's draft, submitted by Ben; both are Approvers too, and so is Root, who is a superuser."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.ana, self.ben, self.cleo = stage, stage.ana, stage.ben, stage.cleo
        self.workers = [self.ana, self.ben]
        self.version = stage.submitted()
        self.decide = url(self.version, "decide", self.version.pk, "approve")

    def fresh(self) -> Version:
        return Version.objects.get(pk=self.version.pk)

    def got_through(self) -> bool:
        """Whether one of the workers has it approved, with a record that counts; or whether production would run it."""
        version = self.fresh()
        approved = version.status in ("approved", "deployed") and not seals.tampering(version)
        by = version.decisions.filter(to_status__in=("approved", "deployed")).values_list("by", flat=True)
        if approved and {worker.pk for worker in self.workers} & set(by):
            return True
        contents.forget()
        try:
            return contents.deployed(version.flow_id) is not None
        except ContentRefused:
            return False

    def by_sql(self, statement: str, *values: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


def as_the_submitter(own: Own) -> Iterator[Attempt]:
    yield lambda: perform("approve", own.fresh(), by=own.ben)
    perform("approve", own.fresh(), by=own.cleo)
    yield lambda: perform("deploy", own.fresh(), by=own.ben)


def as_a_co_editor(own: Own) -> Iterator[Attempt]:
    yield lambda: perform("approve", own.fresh(), by=own.ana)
    own.stage.catalog.add_shop()
    own.stage.edit("connection:1", own.stage.ines)
    own.workers.append(own.stage.ines)
    own.version = submit(own.stage.draft(by=own.ana, slug="with-shop", endpoint="orders"), by=own.ben)
    yield lambda: perform("approve", own.fresh(), by=own.stage.ines)
    perform("approve", own.fresh(), by=own.stage.dan)
    yield lambda: perform("deploy", own.fresh(), by=own.stage.ines)


def as_a_superuser(own: Own) -> Iterator[Attempt]:
    root = own.stage.root
    own.workers.append(root)
    own.version = submit(own.stage.draft(by=root, slug="roots"), by=root)
    yield lambda: perform("approve", own.fresh(), by=root)
    yield lambda: grant(own.stage.entity, root, "approver", by=root)
    grant(own.stage.entity, root, "approver", by=own.stage.olga)
    yield lambda: perform("approve", own.fresh(), by=root)
    yield lambda: as_user("root").post(url(own.version, "decide", own.version.pk, "approve"), {"status": "submitted"})
    own.version = own.stage.submitted(own.stage.draft(slug="of-ana", by=own.ana))
    User.objects.filter(pk=own.ben.pk).update(is_superuser=True)
    yield lambda: perform("approve", own.fresh(), by=User.objects.get(pk=own.ben.pk))


def in_a_second_tab(own: Own) -> Iterator[Attempt]:
    """One tab was opened before the other submitted, recalled, or lost the role."""
    one, other = as_user("ben"), as_user("ben")
    page = url(own.version, "change", own.version.pk)
    assert b"You submitted" in one.get(page).content
    yield lambda: other.post(own.decide, {"status": "submitted"})
    perform("recall", own.fresh(), by=own.ben)
    yield lambda: one.post(own.decide, {"status": "submitted"})
    yield lambda: one.post(own.decide, {"status": "recalled"})
    own.version = own.stage.submitted(own.stage.draft(by=own.ana, status=201))
    own.decide = url(own.version, "decide", own.version.pk, "approve")
    yield lambda: one.post(own.decide, {"status": "submitted"})
    yield lambda: as_user("ana").post(own.decide, {"status": "submitted"})


def by_a_bulk_action(own: Own) -> Iterator[Attempt]:
    selected = {"_selected_action": [own.version.pk], "index": "0", "select_across": "1", "post": "yes"}
    for action in ("approve", "deploy", "delete_selected", "perform"):
        yield lambda action=action: as_user("ben").post(url(Version, "changelist"), {"action": action, **selected})  # type: ignore[misc]


def by_a_raw_post(own: Own) -> Iterator[Attempt]:
    claims = {"status": "submitted", "by": own.cleo.pk, "by_id": own.cleo.pk, "user": "cleo", "comment": "Fine."}
    change = {"status": "approved", "submitted_by": own.cleo.pk, "content": own.version.content_id, "_save": "Save"}
    headers = {"X-User": "cleo", "Remote-User": "cleo", "X-Forwarded-User": "cleo", "X-HTTP-Method-Override": "PUT"}
    for one in ("ben", "ana"):
        yield lambda one=one: as_user(one).post(own.decide, claims)  # type: ignore[misc]
        yield lambda one=one: as_user(one).post(own.decide, claims, headers=headers, REMOTE_USER="cleo")  # type: ignore[misc]
        yield lambda one=one: as_user(one).put(own.decide, claims)  # type: ignore[misc]
        yield lambda one=one: as_user(one).get(own.decide, claims)  # type: ignore[misc]
        yield lambda one=one: as_user(one).post(url(own.version, "change", own.version.pk), change)  # type: ignore[misc]
        yield lambda one=one: as_user(one).post(url(Version, "add"), change)  # type: ignore[misc]
        for name in ("deploy", "Approve", "approve%20", "submit"):
            there = own.decide.replace("approve", name)
            yield lambda one=one, there=there: as_user(one).post(there, {"status": "approved"})  # type: ignore[misc]
    yield lambda: Client().post(own.decide, claims)


def by_command(own: Own) -> Iterator[Attempt]:
    slug = own.version.flow.slug
    for one in ("ben", "ana", "root", "nobody", ""):
        for verb in ("approve", "deploy"):
            yield lambda one=one, verb=verb: call_command(  # type: ignore[misc]
                "flow", verb, slug, "--entity", "acme", "--as", one, "--comment", "x", stdout=StringIO()
            )
    yield lambda: perform("approve", own.fresh(), by=own.ben, via=lifecycle.Via.COMMAND)


def by_the_shell(own: Own) -> Iterator[Attempt]:
    versions = Version.objects.filter(pk=own.version.pk)
    for status in ("approved", "deployed"):
        yield lambda status=status: versions.update(status=status)  # type: ignore[misc]
        yield lambda status=status: _saved(own.fresh(), status=status)  # type: ignore[misc]
        yield lambda status=status: Version.objects.bulk_update([_with(own.fresh(), status=status)], ["status"])  # type: ignore[misc]
    yield lambda: versions.update(submitted_by=own.cleo)
    yield lambda: versions.delete()
    yield lambda: Version.objects.bulk_create([_with(own.fresh(), status="approved")], ignore_conflicts=True)
    yield lambda: Version.objects.create(**_copy(own.version, status="deployed", number=99))
    yield lambda: Contributor.objects.filter(version=own.version).delete()
    yield lambda: Contributor.objects.filter(version=own.version).update(user=own.cleo)
    yield lambda: Edit.objects.all().delete()
    yield lambda: Edit.objects.update(by=own.cleo)
    for worker in own.workers:
        yield lambda worker=worker: forged(own.version, "approve", "submitted", "approved", worker)  # type: ignore[misc]
    yield lambda: Decision.objects.filter(version=own.version).update(name="approve", to_status="approved")
    yield lambda: _with(own.version.decisions.get(), to_status="approved", name="approve").save()


def by_raw_sql(own: Own) -> Iterator[Attempt]:
    """The last ones are written: in Cleo's name, whose seal nobody can make."""
    yield lambda: own.by_sql("UPDATE flows_version SET status = 'deployed' WHERE id = %s", own.version.pk)
    yield lambda: own.by_sql("DELETE FROM flows_contributor WHERE version_id = %s", own.version.pk)
    yield lambda: own.by_sql("UPDATE flows_version SET submitted_by_id = %s", own.cleo.pk)
    yield lambda: own.by_sql("UPDATE auth_user SET id = 9999 WHERE id = %s", own.ben.pk)
    yield lambda: own.by_sql(
        "INSERT INTO flows_decision (version_id, name, from_status, to_status, by_id, at, comment, sha256, by_command,"
        " os_user, seal) SELECT version_id, 'approve', 'submitted', 'approved', %s, at, comment, sha256, by_command,"
        " os_user, seal FROM flows_decision WHERE version_id = %s",
        own.ben.pk,
        own.version.pk,
    )
    forged(own.version, "approve", "submitted", "approved", own.cleo, seal=own.version.decisions.get().seal)
    yield lambda: own.by_sql("UPDATE flows_version SET status = 'approved' WHERE id = %s", own.version.pk)
    yield lambda: perform("deploy", own.fresh(), by=own.cleo)
    yield lambda: perform("deploy", own.fresh(), by=own.ben)
    forged(own.version, "deploy", "approved", "deployed", own.cleo)
    yield lambda: own.by_sql("UPDATE flows_version SET status = 'deployed' WHERE id = %s", own.version.pk)
    yield lambda: contents.deployed(own.version.flow_id)
    yield lambda: contents.plan_of(own.version.content_id)


def under_another_name(own: Own) -> Iterator[Attempt]:
    _saved(own.ben, username="benedict", email="cleo@example.com")
    yield lambda: perform("approve", own.fresh(), by=User.objects.get(pk=own.ben.pk))
    _saved(own.cleo, username="cleopatra")
    _saved(own.ben, username="cleo", first_name="Cleo")
    yield lambda: as_user("cleo").post(own.decide, {"status": "submitted"})
    yield lambda: call_command("flow", "approve", own.version.flow.slug, "--as", "cleo", stdout=StringIO())
    own.by_sql("UPDATE auth_user SET username = 'zed' WHERE id = %s", own.ana.pk)
    yield lambda: as_user("zed").post(own.decide, {"status": "submitted"})
    yield lambda: perform("approve", own.fresh(), by=_with(User.objects.get(pk=own.ben.pk), pk=None))


def as_a_delegate(own: Own) -> Iterator[Attempt]:
    """Roles come and go, and are given by others; the person stays who they are."""
    entity, olga = own.stage.entity, own.stage.olga
    yield lambda: grant(entity, own.ben, "owner", by=own.ben)
    grant(entity, own.ben, "owner", by=olga)
    yield lambda: grant(entity, own.ben, "viewer", by=own.ben)
    yield lambda: perform("approve", own.fresh(), by=own.ben)
    own.stage.set_roles(own.ben)
    own.stage.set_roles(own.ben, "approver")
    yield lambda: perform("approve", own.fresh(), by=own.ben)
    own.ben.user_permissions.set(Permission.objects.all())
    yield lambda: as_user("ben").post(own.decide, {"status": "submitted"})
    yield lambda: Membership.objects.create(entity=entity, user=own.ana, role="owner", granted_by=own.ana)
    own.by_sql(
        "INSERT INTO flows_membership (entity_id, user_id, role, granted_by_id, granted_at) VALUES (%s, %s, 'integrator', %s, %s)",
        *(entity.pk, own.ana.pk, own.cleo.pk, timezone.now()),
    )
    yield lambda: perform("approve", own.fresh(), by=own.ana)


def by_a_form_of_somebody_else(own: Own) -> Iterator[Attempt]:
    """What Cleo once sent, sent again by Ben: with his session, with her token, at another version."""
    cleos, bens = Client(enforce_csrf_checks=True), Client(enforce_csrf_checks=True)
    cleos.force_login(own.cleo)
    bens.force_login(own.ben)
    first = own.version
    cleos.get(url(first, "change", first.pk))
    sent = {"status": "submitted", "comment": "Fine.", "csrfmiddlewaretoken": cleos.cookies["csrftoken"].value}
    yield lambda: bens.post(own.decide, sent)
    bens.cookies["csrftoken"] = cleos.cookies["csrftoken"].value
    yield lambda: bens.post(own.decide, sent)
    assert cleos.post(own.decide, sent).status_code == 302
    assert own.fresh().status == "approved"
    perform("withdraw", own.fresh(), by=own.cleo, comment="Not this one.")
    yield lambda: cleos.post(own.decide, sent)
    own.version = own.stage.submitted(own.stage.draft(by=own.ana, status=201))
    yield lambda: cleos.post(own.decide, sent)
    yield lambda: bens.post(url(own.version, "decide", own.version.pk, "approve"), sent)
    yield lambda: bens.post(url(own.version, "decide", own.version.pk, "deploy"), sent | {"status": "approved"})


WAYS: tuple[Way, ...] = (
    as_the_submitter,
    as_a_co_editor,
    as_a_superuser,
    in_a_second_tab,
    by_a_bulk_action,
    by_a_raw_post,
    by_command,
    by_the_shell,
    by_raw_sql,
    under_another_name,
    as_a_delegate,
    by_a_form_of_somebody_else,
)


def test_nobody_gets_their_own_work_through(stage: Stage, proof: Proof) -> None:
    tries, through = 0, []
    for way in WAYS:
        with transaction.atomic():
            own = Own(stage)
            for attempt in way(own):
                tries += 1
                try:
                    with transaction.atomic():
                        attempt()
                except REFUSALS:
                    pass
                if own.got_through():
                    through.append(f"{way.__name__}, try {tries}")
            transaction.set_rollback(True)
        contents.forget()
        for person in stage.people.values():
            person.refresh_from_db()
    proof.count("ways", len(WAYS))
    proof.count("tries", tries)
    proof.count("got through", len(through))
    assert through == []


def test_what_somebody_else_approves_and_deploys_does_get_through(stage: Stage) -> None:
    """Otherwise the proof would prove nothing."""
    own = Own(stage)
    perform("approve", own.fresh(), by=own.cleo)
    assert not own.got_through()
    perform("deploy", own.fresh(), by=own.stage.dan)
    assert own.got_through()


def _with(row: Any, **values: object) -> Any:
    for name, value in values.items():
        setattr(row, name, value)
    return row


def _saved(row: Any, **values: object) -> None:
    _with(row, **values).save()


def _copy(version: Version, **values: object) -> dict[str, Any]:
    names = ("flow", "content", "submitted_by", "changed_by", "changed_at")
    return {**{name: getattr(version, name) for name in names}, **values}

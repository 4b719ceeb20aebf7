"""Whose work is in a version. Four eyes looks at persons: whoever contributed may neither approve nor deploy it first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Max, QuerySet
from django.utils import timezone

from flows.engine.strictjson import stored
from flows.models import Edit, Entity, Flow, Status, Version
from flows.sealing import Sealed
from flows.seals import tampering


def take_turn(entity_id: int) -> Entity:
    """Let edits, submissions and decisions of an entity happen one at a time, until the transaction ends.

    Without it an edit that is under way while somebody submits could fall between two versions, and its author into
    the contributors of neither.
    """
    return Entity.objects.select_for_update(no_key=True).get(pk=entity_id)


def moment(entity: Entity, *, after: datetime | None = None) -> datetime:
    """Now, for whoever has their turn: later than `after` and than every edit and submission of the entity.

    The clocks of two machines never agree; who worked on what must not depend on it.
    """
    edited = Edit.objects.filter(entity=entity).aggregate(last=Max("at"))["last"]
    submitted = Version.objects.filter(flow__entity=entity).aggregate(last=Max("submitted_at"))["last"]
    before = [time for time in (edited, submitted, after) if time is not None]
    return max([timezone.now(), *(time + timedelta(microseconds=1) for time in before)])


def record_edit(entity: Entity, subject: str, *, by: User, after: datetime | None = None) -> Edit:
    """Write down who changes `subject` (`flow:7`, `endpoint:3`), within the transaction that changes it."""
    take_turn(entity.pk)
    return Edit.objects.create(entity=entity, subject=subject, by=by, at=moment(entity, after=after))


def flow_subject(flow: Flow) -> str:
    """How the record of edits names a flow."""
    return f"flow:{flow.pk}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a second person has seen already: when it was submitted, and the definitions it held, as (kind, name)."""

    submitted_at: datetime | None = None
    definitions: frozenset[tuple[str, str]] = frozenset()


def baseline_of(flow: Flow) -> Baseline:
    """The version of the flow that was deployed last. One whose record was tampered with doesn't count."""
    deployed = Version.objects.filter(flow=flow, decisions__to_status=Status.DEPLOYED).order_by("-decisions__id")
    for version in deployed.select_related("content"):
        if tampering(version):
            continue
        held = stored(version.content.text)["definitions"]
        names = frozenset((kind, name) for kind, named in held.items() for name in named)
        return Baseline(version.submitted_at, names)
    return Baseline()


def contributors_of(flow: Flow, sealed: Sealed, submitter: User) -> frozenset[int]:
    """The ids of everyone whose work a submission of `sealed` would bring along, the submitter included.

    That is whoever edited the draft or a definition in it since the last deployed version was submitted. What that
    version didn't hold is new to everybody: there every edit ever made counts.
    """
    baseline = baseline_of(flow)
    edits = Edit.objects.filter(subject=flow_subject(flow))
    people = {submitter.pk, *_editors(edits, baseline.submitted_at)}
    if baseline.submitted_at is None or flow.changed_at > baseline.submitted_at:
        people.add(flow.changed_by_id)
    if baseline.submitted_at is None:
        people.add(flow.created_by_id)
    for subject, definition in sealed.subjects.items():
        since = baseline.submitted_at if definition in baseline.definitions else None
        people |= _editors(Edit.objects.filter(subject=subject), since)
    return frozenset(people)


def _editors(edits: QuerySet[Edit], since: datetime | None) -> set[int]:
    if since is not None:
        edits = edits.filter(at__gt=since)
    return set(edits.values_list("by", flat=True))

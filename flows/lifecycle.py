"""From draft to production: the table of transitions, and the one way to make one (docs/lifecycle.md).

Buttons, commands and pages ask `allowed` and `why_not`; what they say is what `perform` does. The database holds the
same rules once more, written apart from these (flows/guard.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from flows import origin, outside
from flows.acting import why_not_deployed
from flows.contributors import contributors_of, moment, take_turn
from flows.engine.errors import FlowError
from flows.engine.graph import read_graph
from flows.engine.limits import MAX_CONTENT_BYTES
from flows.engine.strictjson import loads, stored
from flows.issues import Issue, broken_from, check, sealed_flow
from flows.models import Contributor, Decision, Environment, Flow, Status, Version
from flows.notices import decided, next_actors
from flows.roles import require
from flows.sealing import Sealed, seal, store
from flows.seals import contributor_ids, seal_of, tampering

__all__ = ["TRANSITIONS", "Refused", "Transition", "Via", "allowed", "next_actors", "perform", "submit", "why_not"]


class Refused(PermissionDenied):
    """A transition that isn't made. `message` is a sentence for the person who asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Via(Enum):
    """How somebody asked. A command is run by whoever has the machine: the decision says so, and as which OS user."""

    ADMIN = "admin"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Transition:
    """`name` takes a version from `source` to `target`, for people who have `ability` in its entity."""

    name: str
    source: Status
    target: Status
    ability: str
    label: str
    four_eyes: bool = False
    only_submitter: bool = False
    needs_reason: bool = False
    brings_live: bool = False


SUBMIT = "submit"

TRANSITIONS = (
    Transition("approve", Status.SUBMITTED, Status.APPROVED, "approve versions", "Approve", four_eyes=True),
    Transition("decline", Status.SUBMITTED, Status.DECLINED, "approve versions", "Decline", needs_reason=True),
    Transition("recall", Status.SUBMITTED, Status.RECALLED, "build flows", "Recall", only_submitter=True),
    Transition(
        "deploy", Status.APPROVED, Status.DEPLOYED, "approve versions", "Deploy", four_eyes=True, brings_live=True
    ),
    Transition("withdraw", Status.APPROVED, Status.DECLINED, "approve versions", "Withdraw", needs_reason=True),
    Transition("retire", Status.DEPLOYED, Status.RETIRED, "approve versions", "Retire"),
    Transition("deploy", Status.RETIRED, Status.DEPLOYED, "approve versions", "Roll back to this", brings_live=True),
)
"""Every way a version changes its status. Submitting, which makes the version, is `submit`."""


def available(version: Version) -> list[Transition]:
    """The transitions from the status that the version has, whoever may make them."""
    return [transition for transition in TRANSITIONS if transition.source == version.status]


def allowed(version: Version, user: User) -> list[str]:
    """The names of the transitions that `user` may make now."""
    return [one.name for one in available(version) if not _objection(one, version, user)]


def why_not(name: str, version: Version, user: User) -> str:
    """Why `user` may not make that transition now, as a sentence; empty where they may."""
    transition = _find(name, version)
    return _wrong_status(name, version) if transition is None else _objection(transition, version, user)


def submit(
    flow: Flow, *, by: User, summary: str = "", via: Via = Via.ADMIN, based_on_revision: int | None = None
) -> Version:
    """Freeze the flow's draft, with everything it uses, as a version for others to approve. The draft isn't touched.

    Raises Refused: without the role, with error-level issues, with another version submitted, or where the draft is no
    longer at `based_on_revision`.
    """
    _refuse_odd_characters("summary", summary)
    with transaction.atomic():
        take_turn(flow.entity_id)
        flow = Flow.objects.select_related("entity").get(pk=flow.pk)
        _require(by, flow, "build flows")
        _refuse_second_submission(flow)
        if based_on_revision not in (None, flow.draft_revision):
            raise Refused(f"The draft of {flow.slug} has changed since you looked at it; look again, then submit.")
        sealed = _seal_for_production(flow)
        version = _make_version(flow, sealed, by, summary.strip())
        _decide(version, SUBMIT, "", Status.SUBMITTED, by=by, comment=summary.strip(), via=via)
    return version


def perform(name: str, version: Version, *, by: User, comment: str = "", via: Via = Via.ADMIN) -> Decision:
    """Make a transition: role, four eyes, decision, status, in one transaction. Raises Refused; then nothing happened.

    `version.status` is what the person who asks believes it to be; it is brought up to date.
    """
    believed = version.status
    _refuse_odd_characters("comment", comment)
    try:
        with transaction.atomic():
            take_turn(version.flow.entity_id)
            version.refresh_from_db()
            if version.status != believed:
                raise Refused(f"Somebody was faster: {version} is {version.get_status_display().lower()} now.")
            transition = _find(name, version)
            if transition is None:
                raise Refused(_wrong_status(name, version))
            objection = _objection(transition, version, by) or _missing_reason(transition, comment)
            if objection:
                raise Refused(objection)
            if transition.brings_live:
                _refuse_broken_ways(version)
                _retire_deployed(version, by, via)
            return _change_status(version, transition, by=by, comment=comment.strip(), via=via)
    except IntegrityError as error:
        raise Refused(f"The database refused to {name} {version}: {_first_line(error)}.") from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def _find(name: str, version: Version) -> Transition | None:
    return next((one for one in available(version) if one.name == name), None)


def _wrong_status(name: str, version: Version) -> str:
    sources = [one.source.label.lower() for one in TRANSITIONS if one.name == name]
    if not sources:
        names = ", ".join(dict.fromkeys(one.name for one in TRANSITIONS))
        return f"There is no transition {name!r}; there are {names}."
    return f"Only a version that is {' or '.join(sources)} can be {_DONE[name]}; {version} is {_status(version)}."


_DONE = {
    "approve": "approved",
    "decline": "declined",
    "recall": "recalled",
    "deploy": "deployed",
    "withdraw": "withdrawn",
    "retire": "retired",
}


def _status(version: Version) -> str:
    return str(version.get_status_display()).lower()


def _objection(transition: Transition, version: Version, user: User) -> str:
    """What speaks against `user` making the transition, apart from its reason; empty where nothing does."""
    try:
        require(user, version.flow.entity, transition.ability)
    except PermissionDenied as error:
        return str(error)
    if transition.only_submitter and user.pk != version.submitted_by_id:
        return f"Only {version.submitted_by}, who submitted {version}, can recall it; an approver can decline it."
    if transition.four_eyes:
        objection = _four_eyes(transition, version, user)
        if objection:
            return objection
    if transition.four_eyes or transition.brings_live:
        tampered = tampering(version)
        if tampered:
            return f"The record of {version} was tampered with. {tampered} Decline it and submit the flow again."
    return ""


def _four_eyes(transition: Transition, version: Version, user: User) -> str:
    if user.pk == version.submitted_by_id:
        return f"You submitted {version}; somebody else has to {transition.name} it."
    if user.pk in contributor_ids(version):
        return f"You worked on {version}; somebody who didn't has to {transition.name} it."
    return ""


def _missing_reason(transition: Transition, comment: str) -> str:
    if transition.needs_reason and not comment.strip():
        return f"Say why: to {transition.name} a version takes a reason, which its author reads."
    return ""


def _refuse_odd_characters(name: str, text: str) -> None:
    """What the databases keep in different ways, or not at all; a decision has to be sealed, too."""
    if _ODD.search(text):
        raise Refused(f"The {name} has a NUL character or half of a character, which can't be kept; type it anew.")


_ODD = re.compile("[\x00\ud800-\udfff]")


def _require(user: User, flow: Flow, ability: str) -> None:
    try:
        require(user, flow.entity, ability)
    except PermissionDenied as error:
        raise Refused(str(error)) from None


def _refuse_second_submission(flow: Flow) -> None:
    waiting = flow.versions.filter(status=Status.SUBMITTED).first()
    if waiting is not None:
        raise Refused(f"{waiting} is submitted already and waits for a decision; {waiting.submitted_by} can recall it.")


def _seal_for_production(flow: Flow) -> Sealed:
    catalog = outside.catalog(flow.entity, Environment.PRODUCTION, flow.kind)
    graph = read_graph(loads(flow.draft))
    _refuse_errors(flow, check(graph, slug=flow.slug, kind=flow.kind, catalog=catalog))
    sealed = seal(flow, Environment.PRODUCTION, catalog)
    if sealed.missing:
        kind, name = sealed.missing[0]
        raise Refused(f"{flow.slug} can't be submitted: there is no {kind} {name!r}.")
    if len(sealed.text.encode()) > MAX_CONTENT_BYTES:
        raise Refused(f"{flow.slug} and what it uses are larger than {MAX_CONTENT_BYTES} bytes; split the flow.")
    return sealed


def _refuse_errors(flow: Flow, issues: list[Issue]) -> None:
    errors = [issue for issue in issues if issue.severity == "error"]
    if errors:
        told = " ".join(f"[{issue.code}] {issue.message}" for issue in errors[:10])
        count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
        raise Refused(f"{flow.slug} has {count}: {told}")


def _make_version(flow: Flow, sealed: Sealed, by: User, summary: str) -> Version:
    latest: int | None = flow.versions.aggregate(latest=Max("number"))["latest"]
    version = Version.objects.create(
        flow=flow,
        number=(latest or 0) + 1,
        content=store(sealed.text),
        summary=summary,
        submitted_by=by,
        submitted_at=moment(flow.entity),
        changed_by_id=flow.changed_by_id,
        changed_at=flow.changed_at,
    )
    people = sorted(contributors_of(flow, sealed, by))
    Contributor.objects.bulk_create([Contributor(version=version, user_id=person) for person in people])
    return version


def _refuse_broken_ways(version: Version) -> None:
    """Since submission a route or a jump of production may have come to lead to a step that this version doesn't have, or
    from which it can't go on; and a jump of this version to where another flow can't.
    """
    flow = version.flow
    catalog = outside.catalog(flow.entity, Environment.PRODUCTION, flow.kind)
    try:
        sealed = sealed_flow(stored(version.content.text))
    except FlowError as error:
        raise Refused(f"This release can't read {version}: {error.message} {error.hint}".strip()) from None
    entries = [entry for entry in catalog.entries(flow.slug) if entry.production]
    lost = [entry for entry in entries if entry.step not in sealed.graph.nodes]
    if lost:
        told = "; ".join(f"{entry.by} enters at step {entry.step}" for entry in lost)
        raise Refused(f"{version} lacks steps that production enters at: {told}. Change what enters there first.")
    for entry in entries:
        for issue in broken_from(sealed, flow.slug, flow.kind, entry, catalog):
            raise Refused(f"{version} can't go on where {entry.by} enters, at step {entry.step}: {issue.message}")
    for issue in check(sealed.graph, slug=flow.slug, kind=flow.kind, catalog=catalog):
        if issue.code in ("jump_target_broken", "jump_step_missing"):
            raise Refused(f"{version} would lead runs astray: {issue.message} {issue.hint}")
    if reason := why_not_deployed(version, sealed, catalog):
        raise Refused(reason)


def _retire_deployed(version: Version, by: User, via: Via) -> None:
    """Make room for the version that is about to be deployed."""
    deployed = version.flow.versions.filter(status=Status.DEPLOYED).first()
    if deployed is None:
        return
    retire = next(one for one in TRANSITIONS if one.target == Status.RETIRED)
    _change_status(deployed, retire, by=by, comment=f"Version {version.number} takes its place.", via=via)


def _change_status(version: Version, transition: Transition, *, by: User, comment: str, via: Via) -> Decision:
    decision = _decide(version, transition.name, transition.source, transition.target, by=by, comment=comment, via=via)
    unchanged = Version.objects.filter(pk=version.pk, status=transition.source)
    if not unchanged.update(status=transition.target):
        raise Refused(f"Somebody was faster: {version} isn't {transition.source.label.lower()} any more.")
    version.status = transition.target
    return decision


def _decide(version: Version, name: str, source: str, target: Status, *, by: User, comment: str, via: Via) -> Decision:
    decision = Decision(
        version=version,
        name=name,
        from_status=source,
        to_status=target,
        by=by,
        at=timezone.now(),
        comment=comment,
        sha256=version.content_id,
        by_command=via is Via.COMMAND,
        os_user=origin.os_user() if via is Via.COMMAND else "",
    )
    decision.seal = seal_of(decision, contributor_ids(version))
    decision.save(force_insert=True)
    decided(decision)
    return decision

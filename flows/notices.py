"""Tell people that it is their turn: in a sentence on the page, and by e-mail once the transaction is committed.

A mail that can't be sent is logged and forgotten; the page still says whose turn it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.urls import NoReverseMatch, reverse

from flows.models import Decision, Entity, Role, Run, Status, Version
from flows.roles import ABILITIES
from flows.seals import contributor_ids

MAIL_TIMEOUT_SECONDS = 5
"""The person who clicked waits for it."""

MAX_NAMES = 5

log = logging.getLogger(__name__)


def next_actors(version: Version) -> str:
    """Who has to act next on the version, as a sentence; empty where nobody has to."""
    if version.status == Status.SUBMITTED:
        task = "to approve or decline it"
    elif version.status == Status.APPROVED:
        task = "to deploy it"
    else:
        return ""
    people = outsiders(version)
    if people:
        return f"Waits for {_names(people)} {task}."
    owners = _members(version.flow.entity, {Role.OWNER})
    helper = f"{_names(owners)} can grant the role" if owners else "a superuser can grant the role"
    return f"Nobody is there {task}: it takes an Approver who didn't work on it; {helper}."


def outsiders(version: Version) -> list[User]:
    """Approvers of the entity who didn't work on the version: they may approve it, and deploy it first."""
    involved = {version.submitted_by_id, *contributor_ids(version)}
    return [user for user in _members(version.flow.entity, ABILITIES["approve versions"]) if user.pk not in involved]


def decided(decision: Decision) -> None:
    """Mail whoever acts next, and the submitter about their version."""
    tell = _TELL.get(decision.name)
    if tell is not None:
        tell(decision)


def run_is_dead(run: Run) -> None:
    """Mail the entity's owners: a run was given up."""
    _mail_owners(run, "was given up", "It was tried several times and never came to an end.")


def run_is_in_doubt(run: Run) -> None:
    """Mail the entity's owners: nobody knows whether an outside action of a run happened."""
    _mail_owners(
        run, "is in doubt", "It isn't known whether its last outside action arrived; say so on the run's page."
    )


def _submitted(decision: Decision) -> None:
    version = decision.version
    text = f"{decision.by} submitted {version}.\n\n{version.summary}\n\nPlease approve or decline it."
    _mail(outsiders(version), f"To approve: {version}", text, _link(version))


def _approved(decision: Decision) -> None:
    version = decision.version
    others = [user for user in outsiders(version) if user.pk != decision.by_id]
    _mail([version.submitted_by], f"Approved: {version}", _told(decision, "approved"), _link(version))
    _mail(others, f"To deploy: {version}", f"{_told(decision, 'approved')}\n\nIt can be deployed now.", _link(version))


def _sent_back(verb: str, decision: Decision) -> None:
    version = decision.version
    text = f"{_told(decision, verb)}\n\nChange the draft as needed and submit it again."
    _mail([version.submitted_by], f"{verb.capitalize()}: {version}", text, _link(version))


_TELL: dict[str, Callable[[Decision], None]] = {
    "submit": _submitted,
    "approve": _approved,
    "decline": partial(_sent_back, "declined"),
    "withdraw": partial(_sent_back, "withdrew"),
}


def _told(decision: Decision, verb: str) -> str:
    reason = f"\n\n{decision.comment}" if decision.comment else ""
    return f"{decision.by} {verb} {decision.version}.{reason}"


def _mail_owners(run: Run, what: str, more: str) -> None:
    subject = f"A run of {run.flow} {what}"
    text = f"Run {run.pk} of the flow {run.flow} {what}. {more}"
    _mail(_members(run.entity, {Role.OWNER}), subject, text, _link(run))


def _mail(people: Iterable[User], subject: str, text: str, link: str) -> None:
    """One mail per person, after the commit."""
    to = [user.email for user in people if user.email]
    if to:
        body = f"{text}\n\n{link}\n"
        transaction.on_commit(partial(_send, " ".join(subject.split()), body, to), robust=True)


def _send(subject: str, body: str, to: list[str]) -> None:
    try:
        connection = get_connection(timeout=MAIL_TIMEOUT_SECONDS)
        connection.send_messages([EmailMessage(subject, body, to=[one], connection=connection) for one in to])
    except (SMTPException, OSError):
        log.exception("The mail %r could not be sent.", subject)


def _link(subject: Version | Run) -> str:
    """The subject's page in the admin."""
    try:
        page = reverse(f"admin:{subject._meta.app_label}_{subject._meta.model_name}_change", args=[subject.pk])
    except NoReverseMatch:
        page = ""  # the admin leaves it out
    return f"{settings.PUBLIC_URL}{page}"


def _members(entity: Entity, roles: Iterable[Role]) -> list[User]:
    members = User.objects.filter(is_active=True, memberships__entity=entity, memberships__role__in=list(roles))
    return list(members.distinct().order_by("username"))


def _names(people: list[User]) -> str:
    names = [user.get_full_name() or user.get_username() for user in people[:MAX_NAMES]]
    if len(people) > MAX_NAMES:
        return f"{', '.join(names)} or {len(people) - MAX_NAMES} others"
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

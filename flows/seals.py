"""Seals of decisions: HMACs with keys that the database doesn't hold, so that a row written past Chatflow is seen.

A seal covers the decision, the version it is about and who worked on that. The first of CHATFLOW_KEYS seals, all of
them verify: a key stays in the list as long as a version decided under it is deployed (docs/lifecycle.md).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC
from hashlib import sha256

from django.conf import settings

from flows.engine.strictjson import canonical
from flows.models import Decision, Status, Version

PURPOSE = b"chatflow: seal of a decision, 1"


def seal_of(decision: Decision, contributors: Sequence[int]) -> str:
    """The seal that belongs on the decision, made with today's key."""
    return mac(settings.CHATFLOW_KEYS[0], PURPOSE, _message(decision, contributors))


def holds(decision: Decision, contributors: Sequence[int]) -> bool:
    """Whether the decision is as Chatflow sealed it."""
    message = _message(decision, contributors)
    return any(hmac.compare_digest(mac(key, PURPOSE, message), decision.seal) for key in settings.CHATFLOW_KEYS)


def tampering(version: Version) -> str:
    """What is wrong with the record of a version, as a sentence; empty where it is whole.

    Whole means: every decision is sealed and about this content, each begins where the one before ended, the last
    gave the version its status, and nobody approved or first deployed what they worked on. Looks twice, since a
    decision may be made while it reads.
    """
    return _wrong(version) and _wrong(Version.objects.get(pk=version.pk))


def _wrong(version: Version) -> str:
    decisions = list(version.decisions.order_by("id"))
    contributors = contributor_ids(version)
    status = ""
    for decision in decisions:
        decision.version = version
        if not holds(decision, contributors):
            return (
                f"The seal of the decision {decision.name!r} ({decision.pk}) doesn't fit: it wasn't made by Chatflow."
            )
        if decision.sha256 != version.content_id:
            return f"The decision {decision.name!r} ({decision.pk}) is about another content."
        if decision.from_status != status:
            return f"The decision {decision.name!r} ({decision.pk}) doesn't follow the one before it."
        if needs_four_eyes(decision) and decision.by_id in {version.submitted_by_id, *contributors}:
            return f"The decision {decision.name!r} ({decision.pk}) was made by somebody who worked on the version."
        status = decision.to_status
    if status != version.status:
        return f"No decision made it {version.status!r}; the last one says {status or 'nothing'!r}."
    return ""


def needs_four_eyes(decision: Decision) -> bool:
    """Whether it takes somebody who didn't work on the version: approving it, and deploying it for the first time."""
    first_deployment = (decision.from_status, decision.to_status) == (Status.APPROVED, Status.DEPLOYED)
    return first_deployment or decision.to_status == Status.APPROVED


def contributor_ids(version: Version) -> list[int]:
    """The ids of the people whose work is in the version, in order."""
    return sorted(version.contributors.values_list("user", flat=True))


def _message(decision: Decision, contributors: Sequence[int]) -> bytes:
    version = decision.version
    return canonical(
        {
            "version": version.pk,
            "flow": version.flow_id,
            "number": version.number,
            "submitted_by": version.submitted_by_id,
            "submitted_at": version.submitted_at.astimezone(UTC).isoformat(),
            "contributors": list(contributors),
            "name": decision.name,
            "from": str(decision.from_status),
            "to": str(decision.to_status),
            "by": decision.by_id,
            "at": decision.at.astimezone(UTC).isoformat(),
            "sha256": decision.sha256,
            "comment": decision.comment,
            "by_command": decision.by_command,
            "os_user": decision.os_user,
        }
    ).encode()


def mac(key: str, purpose: bytes, message: bytes) -> str:
    """The seal of a message. A key makes another one for each purpose, so that no seal is taken for one of another."""
    derived = hmac.digest(key.encode(), purpose, sha256)
    return hmac.new(derived, message, sha256).hexdigest()

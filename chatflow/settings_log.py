"""What the instance is set to, in the log of changes: noted when a part starts with other settings than it last had."""

from __future__ import annotations

import platform

from django.conf import settings
from django.db import transaction

from flows import origin, seals
from flows.changes import record, take_turn_in_chain
from flows.engine.strictjson import stored
from flows.models import Change

WATCHED = (
    "ALLOWED_HOSTS",
    "DEBUG",
    "METRICS_ALLOWED",
    "OUTBOUND_ALLOWED_NETWORKS",
    "PUBLIC_URL",
    "TRUSTED_PROXIES",
)
"""Who may talk to us, and whom we may talk to."""

PURPOSE = b"chatflow: fingerprint of a key, 1"


def note_settings(part: str) -> None:
    """Record what differs from when `part` (`web`, `worker`) last started, with the machine it starts on."""
    subject, now = f"settings:{part}", _now()
    if _last(subject) == now:
        return
    place = f"start of the {part} on {platform.node()} by {origin.os_user()}"
    with transaction.atomic(), origin.coming_from(lambda: place):
        take_turn_in_chain(None)  # several start at once
        record(None, by=None, action="set", subject=subject, title=part, before=_last(subject), after=now)


def fingerprint(key: str) -> str:
    """What tells one of CHATFLOW_KEYS from the others, and nothing else about it."""
    return seals.mac(key, PURPOSE, b"")[:12]


def _now() -> dict[str, object]:
    watched = {name: getattr(settings, name) for name in WATCHED}
    return {**watched, "CHATFLOW_KEYS": [fingerprint(key) for key in settings.CHATFLOW_KEYS]}


def _last(subject: str) -> dict[str, object] | None:
    """Each row holds what differed: together they say what it was set to."""
    rows = Change.objects.filter(entity=None, subject=subject).order_by("id").values_list("after", flat=True)
    told = [stored(text) for text in rows]
    return {name: value for one in told for name, value in one.items()} if told else None

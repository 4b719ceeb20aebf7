"""The log of changes to roles, tokens, allow-lists, connections and settings: who, when, from where, what.

Each entity has a chain of its own, and the instance one for what belongs to no entity. A seal covers its row and the
seal before it, with a key that the database doesn't hold: a row that was edited, added, moved or deleted past Chatflow
shows (flows/chains.py). Nothing here is ever a secret.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from flows import origin, seals
from flows.contributors import take_turn
from flows.engine.strictjson import canonical
from flows.models import Change, Entity

PURPOSE = b"chatflow: seal of a change, 1"
FIRST = ""
"""What stands for the seal before the first row of a chain."""

MAX_TEXT = 50_000
"""Characters of one value: more than any allow-list has. The body of an endpoint may be longer; its hash tells it."""

_INSTANCE_LOCK = 0x63680001
"""Any number that nothing else locks: PostgreSQL's name for the turn of what belongs to no entity."""

Facts = Mapping[str, object]


def record(
    entity: Entity | None,
    *,
    by: User | None,
    action: str,
    subject: str,
    title: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> Change | None:
    """Write down a change, within the transaction that makes it; None where `before` and `after` are the same.

    `subject` is `route:<id>` and so on, `title` its name now. Of `before` and `after` only what differs is kept; a new
    thing has no `before`, a removed one no `after`. Never give a secret.
    """
    assert connection.in_atomic_block, "A change is recorded within the transaction that makes it."
    if before is not None and after is not None:
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        if not names:
            return None
        before, after = ({name: facts.get(name) for name in names} for facts in (before, after))
    take_turn_in_chain(entity)
    change = Change(
        entity=entity,
        at=timezone.now(),
        by=by,
        place=origin.place()[:200],
        action=action,
        subject=subject,
        title=title[:200],
        before=_text(before),
        after=_text(after),
    )
    change.seal = seal_of(change, head(entity.pk if entity else None))
    change.save(force_insert=True)
    return change


def take_turn_in_chain(entity: Entity | None) -> None:
    """One row at a time in each chain, until the transaction ends. On SQLite that has the whole database."""
    if entity is not None:
        take_turn(entity.pk)
    elif connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_INSTANCE_LOCK])


def facts(row: Model, *names: str) -> dict[str, object]:
    """The values of these fields now, as `record` takes them."""
    return {name: getattr(row, name) for name in names}


def subject_of(row: Model) -> str:
    """How the log names a row, like `route:3f62…`."""
    return f"{row._meta.model_name}:{row.pk}"


def head(entity_id: int | None) -> str:
    """The last seal of a chain: whoever keeps it elsewhere sees whether rows were cut off its end."""
    seal = Change.objects.filter(entity=entity_id).order_by("-id").values_list("seal", flat=True).first()
    return FIRST if seal is None else seal


def seal_of(change: Change, before: str) -> str:
    """The seal that belongs on the row, after the seal `before`, made with today's key."""
    return seals.mac(settings.CHATFLOW_KEYS[0], PURPOSE, _message(change, before))


def holds(change: Change, before: str) -> bool:
    """Whether the row is as Chatflow sealed it, after the row with the seal `before`."""
    message = _message(change, before)
    return any(hmac.compare_digest(seals.mac(key, PURPOSE, message), change.seal) for key in settings.CHATFLOW_KEYS)


def _text(facts: Facts | None) -> str:
    return "" if facts is None else canonical({name: _plain(value) for name, value in facts.items()})


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    return value if value is None or isinstance(value, bool | int) else _bounded(str(value))


def _bounded(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    digest = sha256(text.encode()).hexdigest()
    return f"{text[:MAX_TEXT]}… ({len(text)} characters in all, SHA-256 {digest})"


def _message(change: Change, before: str) -> bytes:
    return canonical(
        {
            "before_it": before,
            "entity": change.entity_id,
            "at": change.at.astimezone(UTC).isoformat(),
            "by": change.by_id,
            "place": change.place,
            "action": change.action,
            "subject": change.subject,
            "title": change.title,
            "before": change.before,
            "after": change.after,
        }
    ).encode()

"""After a new key was put first in CHATFLOW_KEYS: every secret is encrypted anew, with that key.

Batch by batch, each in a transaction of its own. What the new key encrypted already is left alone, so a call that was
interrupted is made again and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model

from flows import sensitive
from flows.models import TERMINAL, Effect, Environment, Run, Segment
from flows.roles import require
from flows.vault import SecretUnreadable, reseal
from integrations import connections, keys
from integrations.definitions import put
from integrations.models import Key, KeyKind, Secret

BATCH = 200


@dataclass(frozen=True, slots=True)
class Part:
    """A column with sealed texts: `renew` gives a row's text encrypted with the first key."""

    title: str
    model: type[Model]
    column: str
    renew: Callable[[Any], str]
    only: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """How far a part is. `unreadable` names rows that no key opens."""

    title: str
    seen: int = 0
    renewed: int = 0
    unreadable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.title}: {self.seen} looked at, {self.renewed} encrypted anew, {len(self.unreadable)} unreadable"


def _run(run: Run) -> str:
    return reseal(run.sealed, sensitive.place_of(run.pk, "answer" if run.state in TERMINAL else "request"))


PARTS = (
    Part("Secrets of connections", Secret, "sealed", lambda row: reseal(row.sealed, connections.place_of(row))),
    Part("Keys", Key, "sealed", lambda row: reseal(row.sealed, keys.place_of(row)), {"kind__in": keys.SECRET_KINDS}),
    Part(
        "Keys of the sandbox",
        Key,
        "sandbox_sealed",
        lambda row: reseal(row.sandbox_sealed, keys.place_of(row, Environment.SANDBOX)),
    ),
    Part("Runs", Run, "sealed", _run),
    Part("States of runs", Segment, "state", lambda row: sensitive.resealed(row.run_id, row.state)),
    Part("Calls of runs", Effect, "request", lambda row: sensitive.resealed(row.run_id, row.request)),
    Part("Outcomes of calls", Effect, "outcome", lambda row: sensitive.resealed(row.run_id, row.outcome)),
)
OF_RUNS = frozenset({Segment, Effect})


def reseal_everything() -> Iterator[Progress]:
    """Each part's progress, after each batch and at its end. Public keys are left to `reseal_public_keys`."""
    for part in PARTS:
        yield from _batches(part)


def _batches(part: Part) -> Iterator[Progress]:
    progress, last = Progress(part.title), None
    rows: Any = part.model._default_manager.filter(**part.only).exclude(**{part.column: ""}).order_by("pk")
    if part.model in OF_RUNS:
        rows = rows.exclude(run__sealed="").exclude(run__state__in=TERMINAL)
    while True:
        with transaction.atomic():
            later = rows if last is None else rows.filter(pk__gt=last)
            batch = list(later.select_for_update(of=("self",))[:BATCH])
            for row in batch:
                _renew(part, row, progress)
        if not batch:
            yield progress
            return
        last = batch[-1].pk
        yield progress


def _renew(part: Part, row: Any, progress: Progress) -> None:
    progress.seen += 1
    try:
        text = part.renew(row)
    except SecretUnreadable:
        progress.unreadable.append(f"{part.title}: {row.pk} {row}")
        return
    if text != getattr(row, part.column):
        part.model._default_manager.filter(pk=row.pk).update(**{part.column: text})
        progress.renewed += 1


def public_keys_to_reseal() -> list[Key]:
    """Public keys that an older key encrypts still. The database lets nobody change them without a record by whom."""
    return [key for key in Key.objects.filter(kind=KeyKind.RSA_PUBLIC).select_related("entity") if _is_old(key)]


def reseal_public_keys(*, by: User) -> int:
    """Encrypt them anew, recorded as edits of that person. Returns how many. Raises PermissionDenied."""
    old = public_keys_to_reseal()
    for key in old:
        require(by, key.entity, "manage keys")
        with transaction.atomic():
            values = {"sealed": reseal(key.sealed, keys.place_of(key))}
            put(Key, key.entity, key.name, values, by=by, embedded=keys.EMBEDDED_OF_PUBLIC)
    return len(old)


def _is_old(key: Key) -> bool:
    try:
        return bool(key.sealed) and reseal(key.sealed, keys.place_of(key)) != key.sealed
    except SecretUnreadable:
        return False  # it has to be given again, which its page says

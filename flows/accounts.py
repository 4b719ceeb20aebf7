"""Accounts in the log of changes, by whatever way they are saved: the admin, `setup`, Django's own commands, a shell.

Accounts are Django's, so this listens to what Django says of them rather than asks everybody to come by a function.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save

from flows import origin
from flows.changes import facts, record, subject_of

WATCHED = ("username", "email", "is_active", "is_staff", "is_superuser")
PASSWORD = "password"  # noqa: S105 - the name of a field


def listen() -> None:
    """Called once, from `AppConfig.ready()`."""
    pre_save.connect(_remember, sender=User, dispatch_uid="flows.accounts")
    post_save.connect(_note, sender=User, dispatch_uid="flows.accounts")
    post_delete.connect(_note_removal, sender=User, dispatch_uid="flows.accounts")


def _remember(instance: User, raw: bool, update_fields: frozenset[str] | None, **kwargs: Any) -> None:
    """What the account is until now. A login saves when it was, and nothing that is watched."""
    ours = update_fields is None or not update_fields.isdisjoint({*WATCHED, PASSWORD})
    known = User.objects.filter(pk=instance.pk).first() if ours and instance.pk and not raw else None
    instance.__dict__["_known"] = known


def _note(instance: User, created: bool, raw: bool, **kwargs: Any) -> None:
    known: User | None = instance.__dict__.pop("_known", None)
    if raw or (known is None and not created):
        return
    about: dict[str, Any] = {"by": origin.person(), "subject": subject_of(instance), "title": instance.username}
    with transaction.atomic():
        if known is None:
            record(None, action="made", after=facts(instance, *WATCHED), **about)
            return
        stored = User.objects.get(pk=instance.pk)  # of what the object says, only some fields may have been saved
        record(None, action="changed", before=facts(known, *WATCHED), after=facts(stored, *WATCHED), **about)
        if known.password != stored.password:
            record(None, action="set password", **about)


def _note_removal(instance: User, **kwargs: Any) -> None:
    about: dict[str, Any] = {"by": origin.person(), "subject": f"user:{instance.pk}", "title": instance.username}
    with transaction.atomic():
        record(None, action="removed", before=facts(instance, *WATCHED), **about)

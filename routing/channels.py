"""Onboarding a channel for an entity: the step before its flows can be reached."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from flows.changes import record, subject_of
from flows.contributors import take_turn
from flows.models import Entity
from flows.roles import require
from routing.models import Channel, ChannelKind


@transaction.atomic
def onboard(entity: Entity, kind: str, *, by: User) -> Channel:
    """Onboard a channel; nothing changes where it is already. Raises PermissionDenied, ValidationError."""
    require(by, entity, "manage channels")
    if kind not in ChannelKind.values:
        raise ValidationError({"kind": f"There is no channel {kind!r}; there are {', '.join(ChannelKind.values)}."})
    take_turn(entity.pk)
    channel, made = Channel.objects.get_or_create(entity=entity, kind=kind, defaults={"onboarded_by": by})
    if made:
        record(entity, by=by, action="onboarded", subject=subject_of(channel), title=str(channel), after={"kind": kind})
    return channel


def why_no_routes(entity: Entity) -> str:
    """Why the entity can't have routes yet, as a sentence; empty where it can."""
    if Channel.objects.filter(entity=entity, kind=ChannelKind.DYNAMIC_API).exists():
        return ""
    return (
        f"The Dynamic API channel isn't onboarded for {entity.slug} yet, so no route can be added."
        " An owner onboards it under Channels."
    )

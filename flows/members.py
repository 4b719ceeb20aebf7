"""Who gets a role, and from whom: an owner of the entity or a superuser, never oneself. And the entities themselves."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from flows.changes import facts, record, subject_of
from flows.contributors import take_turn
from flows.models import Entity, Membership, Role
from flows.roles import require

GIVEN = ("name", "keep_runs_days")
"""What of an entity can be changed; its slug is given once."""


@transaction.atomic
def grant(entity: Entity, user: User, role: str, *, by: User) -> Membership:
    """Give `user` a role; nothing happens where it is there already. Raises PermissionDenied."""
    require(by, entity, "manage members")
    if user.pk == by.pk:
        raise PermissionDenied("Nobody grants a role to themselves; another owner or a superuser can do it.")
    take_turn(entity.pk)
    membership, made = Membership.objects.get_or_create(
        entity=entity, user=user, role=Role(role), defaults={"granted_by": by}
    )
    if not made:
        return membership
    granted = _told(membership)
    if not user.is_staff:
        User.objects.filter(pk=user.pk).update(is_staff=True)
        granted["may_log_in_from_now_on"] = True
    record(entity, by=by, action="granted", subject=subject_of(membership), title=str(membership), after=granted)
    return membership


@transaction.atomic
def revoke(membership: Membership, *, by: User) -> None:
    """Take a role away. Raises PermissionDenied, also for the last owner: somebody has to be left to grant roles."""
    entity = membership.entity
    require(by, entity, "manage members")
    take_turn(entity.pk)
    owners = Membership.objects.select_for_update().filter(entity=entity, role=Role.OWNER)
    if membership.role == Role.OWNER and owners.count() == 1:
        raise PermissionDenied(f"{membership.user} is the only owner of {entity}; make another one first.")
    record(
        entity,
        by=by,
        action="revoked",
        subject=subject_of(membership),
        title=str(membership),
        before=_told(membership),
    )
    membership.delete()


@transaction.atomic
def make_entity(slug: str, name: str, *, by: User, keep_runs_days: int | None = None) -> Entity:
    """A new entity. Only a superuser makes one. Raises PermissionDenied, ValidationError."""
    if not (by.is_active and by.is_superuser):
        raise PermissionDenied(f"{by} may not make the entity {slug!r}: that takes a superuser.")
    entity = Entity(slug=slug, name=name or slug, keep_runs_days=keep_runs_days)
    entity.full_clean()
    entity.save()
    made = facts(entity, "slug", *GIVEN)
    record(entity, by=by, action="made", subject=subject_of(entity), title=entity.slug, after=made)
    return entity


@transaction.atomic
def change_entity(entity: Entity, *, by: User, **values: Any) -> Entity:
    """Change what GIVEN names. Raises PermissionDenied, ValidationError."""
    require(by, entity, "manage members")
    unknown = values.keys() - set(GIVEN)
    if unknown:
        raise TypeError(f"An entity has no {', '.join(sorted(unknown))} to change.")
    before = facts(take_turn(entity.pk), *GIVEN)
    for name, value in values.items():
        setattr(entity, name, value)
    entity.full_clean()
    entity.save(update_fields=list(values))
    after = {**before, **values}
    record(entity, by=by, action="changed", subject=subject_of(entity), title=entity.slug, before=before, after=after)
    return entity


def _told(membership: Membership) -> dict[str, object]:
    return {"person": membership.user.username, "role": str(membership.role)}

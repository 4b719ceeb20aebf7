"""Who gets a role, and from whom: an owner of the entity or a superuser, never oneself."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from flows.models import Entity, Membership, Role
from flows.roles import require


def grant(entity: Entity, user: User, role: str, *, by: User) -> Membership:
    """Give `user` a role; nothing happens where it is there already. Raises PermissionDenied."""
    require(by, entity, "manage members")
    if user.pk == by.pk:
        raise PermissionDenied("Nobody grants a role to themselves; another owner or a superuser can do it.")
    membership, made = Membership.objects.get_or_create(
        entity=entity, user=user, role=Role(role), defaults={"granted_by": by}
    )
    if made and not user.is_staff:
        User.objects.filter(pk=user.pk).update(is_staff=True)
    return membership


def revoke(membership: Membership, *, by: User) -> None:
    """Take a role away. Raises PermissionDenied, also for the last owner: somebody has to be left to grant roles."""
    require(by, membership.entity, "manage members")
    with transaction.atomic():
        owners = Membership.objects.select_for_update().filter(entity=membership.entity, role=Role.OWNER)
        if membership.role == Role.OWNER and owners.count() == 1:
            raise PermissionDenied(
                f"{membership.user} is the only owner of {membership.entity}; make another one first."
            )
        membership.delete()


def make_entity(slug: str, name: str, *, by: User) -> Entity:
    """A new entity. Only a superuser makes one. Raises PermissionDenied, ValidationError."""
    if not (by.is_active and by.is_superuser):
        raise PermissionDenied(f"{by} may not make the entity {slug!r}: that takes a superuser.")
    entity = Entity(slug=slug, name=name or slug)
    entity.full_clean()
    entity.save()
    return entity

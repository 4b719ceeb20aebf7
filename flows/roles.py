"""Who may do what in an entity. One table; buttons, commands and pages ask `may` and `require`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from flows.models import Entity, Membership, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

    Person = User | AbstractBaseUser | AnonymousUser

ABILITIES: dict[str, frozenset[Role]] = {
    "view": frozenset(Role),
    "manage members": frozenset({Role.OWNER}),
    "manage channels": frozenset({Role.OWNER}),
    "build flows": frozenset({Role.BUILDER}),
    "approve versions": frozenset({Role.APPROVER}),
    "manage sandbox routes": frozenset({Role.BUILDER}),
    "manage production routes": frozenset({Role.APPROVER}),
    "see changes": frozenset({Role.OWNER, Role.APPROVER}),
    "erase data": frozenset({Role.OWNER}),
    "look after runs": frozenset({Role.OWNER, Role.BUILDER, Role.APPROVER}),
    "manage endpoints": frozenset({Role.BUILDER}),
    "manage connections": frozenset({Role.INTEGRATOR}),
    "manage keys": frozenset({Role.INTEGRATOR}),
}
"""What a member may do, and the roles that allow it."""

NOT_FOR_SUPERUSERS = frozenset({"approve versions", "manage production routes"})
"""A superuser may do the rest everywhere; approving takes the Approver role, granted by somebody else."""


def may(user: Person, entity: Entity, ability: str) -> bool:
    """Whether `user` may do `ability` in `entity`. Inactive people may do nothing."""
    if not user.is_active or not user.is_authenticated:
        return False
    if getattr(user, "is_superuser", False) and ability not in NOT_FOR_SUPERUSERS:
        return True
    return Membership.objects.filter(entity=entity, user_id=user.pk, role__in=ABILITIES[ability]).exists()


def require(user: Person, entity: Entity, ability: str) -> None:
    """Raise PermissionDenied, with a sentence that names the missing role, unless `may`."""
    if may(user, entity, ability):
        return
    roles = " or ".join(sorted(role.label for role in ABILITIES[ability]))
    raise PermissionDenied(
        f"{user} may not {ability} in {entity.slug}: that takes the role {roles}. An owner of {entity.slug} can grant it."
    )


def entities_of(user: Person, ability: str = "view") -> QuerySet[Entity]:
    """The entities in which `user` may do `ability`."""
    if not user.is_active or not user.is_authenticated:
        return Entity.objects.none()
    if getattr(user, "is_superuser", False) and ability not in NOT_FOR_SUPERUSERS:
        return Entity.objects.all()
    mine = Membership.objects.filter(user_id=user.pk, role__in=ABILITIES[ability])
    return Entity.objects.filter(pk__in=mine.values("entity"))

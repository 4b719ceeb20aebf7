"""What saving and deleting have in common for connections, endpoints and keys.

A name is given once: flows find a definition by it. What people call it is its title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from flows.engine.graph import NAME_PATTERN
from flows.models import Edit, Entity
from integrations.models import Definition
from integrations.where_used import uses_of

D = TypeVar("D", bound=Definition)


class Problems:
    """What is wrong with a definition, by field, so that a form shows all of it at once."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, field: str, sentence: str) -> None:
        self._found.setdefault(field, []).append(sentence)

    def check_name(self, name: str) -> None:
        if not re.fullmatch(NAME_PATTERN, name):
            self.add("name", f"{name!r} isn't a name: letters, digits and _, at most 64, beginning with a letter or _.")

    def check_choice(self, field: str, value: str, choices: list[str]) -> None:
        if value not in choices:
            self.add(field, f"{value!r} isn't one of {', '.join(choices)}.")

    def check_texts(self, model: type[Definition], values: Mapping[str, Any]) -> None:
        """What a database would refuse: texts that are too long, and NUL."""
        for field, value in values.items():
            longest = getattr(model._meta.get_field(field), "max_length", None)
            if isinstance(value, str) and longest and len(value) > longest:
                self.add(field, f"The {field.replace('_', ' ')} has {len(value)} characters; {longest} is the most.")
            if isinstance(value, str) and "\x00" in value:
                self.add(field, f"The {field.replace('_', ' ')} holds a NUL character.")

    def refuse(self) -> None:
        """Raise ValidationError if there is anything."""
        if self._found:
            raise ValidationError(self._found)  # type: ignore[arg-type]


def lock(entity: Entity) -> None:
    """Let the definitions of an entity be changed by one transaction at a time."""
    Entity.objects.select_for_update(no_key=True).get(pk=entity.pk)


def put(model: type[D], entity: Entity, name: str, values: Mapping[str, Any], *, by: User) -> tuple[D, frozenset[str]]:
    """Create or change the definition of that name, within the caller's transaction; also which values changed."""
    lock(entity)
    manager = model._default_manager
    row = manager.filter(entity=entity, name=name).first() or model(entity=entity, name=name, created_by=by)
    changed = frozenset(field for field, value in values.items() if row.pk is None or getattr(row, field) != value)
    if changed:
        for field in changed:
            setattr(row, field, values[field])
        row.changed_by, row.changed_at = by, timezone.now()
        row.save()
    return row, changed


def subject_of(row: Definition) -> str:
    """How the record of edits names it, like `endpoint:7`."""
    return f"{row._meta.model_name}:{row.pk}"


def record_edit(row: Definition, *, by: User) -> None:
    """Whoever changed what flows embed may not approve the version that carries the change."""
    Edit.objects.create(entity=row.entity, subject=subject_of(row), by=by)


def remove(row: Definition, *, by: User) -> None:
    """Delete a definition that nothing uses, within the caller's transaction. Raises ValidationError that says what does."""
    lock(row.entity)
    kind = str(row._meta.model_name)
    users = uses_of(row.entity, kind, row.name)
    if users:
        raise ValidationError(
            f"The {kind} {row.name} is used by {'; '.join(users)}. Take it out there first, then delete it."
        )
    record_edit(row, by=by)
    row.delete()

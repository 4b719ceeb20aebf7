"""What saving and deleting have in common for connections, endpoints and keys.

A name is given once: flows find a definition by it. What people call it is its title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from flows import changes
from flows.contributors import record_edit, take_turn
from flows.engine.records import NAME_PATTERN
from flows.models import Edit, Entity
from integrations.models import Definition
from integrations.where_used import uses_of

D = TypeVar("D", bound=Definition)

NOT_TOLD = frozenset(
    {"id", "entity", "name", "changed_by", "changed_at", "created_by", "created_at"}
    | {"sealed", "sandbox_sealed", "sample"}
)
"""Fields that stay out of the log of changes: what it says anyway, what is secret, what may hold somebody's data."""


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
            raise ValidationError(self._found)


def put(
    model: type[D], entity: Entity, name: str, values: Mapping[str, Any], *, by: User, embedded: frozenset[str]
) -> D:
    """Create or change the definition of that name, within the caller's transaction.

    A change of what versions embed is recorded as an edit: whoever made it may not approve the version that carries it.
    """
    row = row_of(model, entity, name, by=by, **{field: values[field] for field in values if _is_relation(model, field)})
    before = _told(row) if Edit.objects.filter(subject=subject_of(row)).exists() else None  # a new one is blank
    changed = {field for field, value in values.items() if getattr(row, field) != value}
    for field in changed:
        setattr(row, field, values[field])
    if changed & embedded:
        record(row, by=by)
    elif changed:
        touch(row, by=by)
    _record(row, "changed" if before else "made", by, before=before, after=_told(row))
    return row


def _told(row: Definition) -> dict[str, object]:
    return changes.facts(row, *(field.name for field in row._meta.concrete_fields if field.name not in NOT_TOLD))


def _record(
    row: Definition, action: str, by: User, *, before: changes.Facts | None, after: changes.Facts | None
) -> None:
    subject, title = subject_of(row), row.name
    changes.record(row.entity, by=by, action=action, subject=subject, title=title, before=before, after=after)


def row_of(model: type[D], entity: Entity, name: str, *, by: User, **points_at: Any) -> D:
    """The definition of that name; where there is none, a blank one, which the database lets nobody fill unrecorded."""
    take_turn(entity.pk)
    known = model._default_manager.filter(entity=entity, name=name).first()
    blank = {"entity": entity, "name": name, "created_by": by, "changed_by": by}
    return known or model._default_manager.create(**blank, **points_at)


def _is_relation(model: type[Definition], field: str) -> bool:
    return bool(model._meta.get_field(field).is_relation)


def record(row: Definition, *, by: User) -> None:
    """Write down an edit of the definition, and save it as changed by the same person at the same time."""
    edit = record_edit(row.entity, subject_of(row), by=by, after=row.changed_at)
    touch(row, by=by, at=edit.at)


def touch(row: Definition, *, by: User, at: datetime | None = None) -> None:
    """Save a change."""
    row.changed_by, row.changed_at = by, at or timezone.now()
    row.save()


def subject_of(row: Definition) -> str:
    """How the record of edits names it, like `endpoint:7`."""
    return f"{row._meta.model_name}:{row.pk}"


def remove(row: Definition, *, by: User) -> None:
    """Delete a definition that nothing uses, within the caller's transaction. Raises ValidationError that says what does."""
    take_turn(row.entity_id)
    kind = str(row._meta.model_name)
    users = uses_of(row.entity, kind, row.name)
    if users:
        raise ValidationError(
            f"The {kind} {row.name} is used by {'; '.join(users)}. Take it out there first, then delete it."
        )
    record_edit(row.entity, subject_of(row), by=by)
    _record(row, "removed", by, before=_told(row), after=None)
    row.delete()

"""What the database refuses of connections, endpoints and keys: a change of what versions embed that nobody recorded.

A new row is blank. What fills it is a change like any other, so no definition comes without a record either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Field, Model

from flows.triggers import Rule, no_replace, unrecorded
from integrations import connections, endpoints, keys
from integrations.models import Connection, Endpoint, Key, KeyKind

GUARDED: tuple[tuple[type[Model], frozenset[str]], ...] = (
    (Connection, connections.EMBEDDED),
    (Endpoint, endpoints.EMBEDDED),
    (Key, keys.EMBEDDED),
)


def rules() -> tuple[Rule, ...]:
    """What flows.triggers has to know of our tables."""
    return tuple(rule for model, embedded in GUARDED for rule in _rules(model, embedded))


def _rules(model: type[Model], embedded: frozenset[str]) -> Iterator[Rule]:
    table, kind = model._meta.db_table, str(model._meta.model_name)
    fields = [field for field in model._meta.concrete_fields if field.name in embedded]
    changed = [f"NEW.{field.column} <> OLD.{field.column}" for field in fields]
    if model is Key:
        changed.append(f"(NEW.kind = '{KeyKind.RSA_PUBLIC}' AND NEW.sealed <> OLD.sealed)")
    yield Rule(
        table,
        "UPDATE",
        "recorded",
        f"({' OR '.join(changed)}) AND {unrecorded(kind)}",
        f"A {kind} changes through integrations.{kind}s, which records by whom.",
        turn="NEW.entity_id",
    )
    yield Rule(table, "INSERT", "blank", _filled(model, fields), f"A new {kind} is blank; what fills it is recorded.")
    yield Rule(
        table,
        "UPDATE",
        "identity",
        "NEW.id <> OLD.id OR NEW.entity_id <> OLD.entity_id OR NEW.name <> OLD.name",
        f"Entity and name of a {kind} never change.",
    )
    yield no_replace(table, "t.id = NEW.id OR (t.entity_id = NEW.entity_id AND t.name = NEW.name)")


def _filled(model: type[Model], fields: Iterable[Field[Any, Any]]) -> str:
    """Whether a new row holds anything but defaults. What it points at is no default; that is guarded itself."""
    sealed = ["sealed", "sandbox_sealed"] if model is Key else []
    blank = {field.column: field.get_default() for field in fields if not field.is_relation} | dict.fromkeys(sealed, "")
    return " OR ".join(f"NEW.{column} <> {_literal(value)}" for column, value in blank.items())


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"

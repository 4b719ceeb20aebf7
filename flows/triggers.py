"""What the database itself refuses, on SQLite and PostgreSQL: the last wall of the four eyes (docs/lifecycle.md).

Each rule is one trigger; flows/guard.py has those of the tables of flows. They are built anew at the end of every
`migrate`, since changing a table on SQLite means building it anew, which loses its triggers without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection as default_connection
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

PREFIX = "chatflow_"

_EDIT = "SELECT 1 FROM flows_edit e WHERE e.subject"


@dataclass(frozen=True, slots=True)
class Rule:
    """Refuse an event on a row of `table` where the condition holds. `only` names the one vendor that needs it.

    `turn` is the id of the entity whose turn is taken first, as contributors.take_turn does. `timing` is AFTER where
    the condition asks for a new row's id, which SQLite gives last.
    """

    table: str
    event: str
    name: str
    refused_if: str
    message: str
    only: str = ""
    turn: str = ""
    timing: str = "BEFORE"

    @property
    def trigger(self) -> str:
        return f"{PREFIX}{self.table.removeprefix('flows_')}_{self.name}"


def unrecorded(kind: str) -> str:
    """A condition for an UPDATE: no record says that `changed_by` edited this row at `changed_at`, and just now.

    A record that is older than a submission could have been kept for later: whoever made it would not be counted.
    """
    subject = f"'{kind}:' || NEW.id"
    return (
        "(NEW.changed_at <= OLD.changed_at"
        f" OR NOT EXISTS ({_EDIT} = {subject}"
        " AND e.by_id = NEW.changed_by_id AND e.at = NEW.changed_at)"
        f" OR {is_old('NEW.entity_id', 'NEW.changed_at')}"
        f" OR EXISTS ({_EDIT} = {subject} AND e.at > NEW.changed_at))"
    )


def is_old(entity: str, at: str) -> str:
    """Whether a version of the entity was submitted at that time or later."""
    return (
        "EXISTS (SELECT 1 FROM flows_version v JOIN flows_flow f ON f.id = v.flow_id"  # noqa: S608 - names of ours
        f" WHERE f.entity_id = {entity} AND v.submitted_at >= {at})"
    )


def never(table: str, event: str, message: str) -> Rule:
    return Rule(table, event, event.lower(), "1 = 1", message)


def no_replace(table: str, taken: str) -> Rule:
    """INSERT OR REPLACE deletes the row it meets without firing any DELETE trigger."""
    condition = f"EXISTS (SELECT 1 FROM {table} t WHERE {taken})"  # noqa: S608 - names of ours
    return Rule(table, "INSERT", "replace", condition, "The row is there already; it can't be replaced.", "sqlite")


_registered: list[Rule] = []

KEPT_TABLES = (
    "flows_content",
    "flows_version",
    "flows_decision",
    "flows_contributor",
    "flows_edit",
    "flows_change",
)
"""PostgreSQL can empty a table without touching a row; not these."""


def register(rules: Iterable[Rule]) -> None:
    """Called once, from `AppConfig.ready()` of an app whose tables are guarded."""
    _registered.extend(rules)


def install(connection: BaseDatabaseWrapper = default_connection) -> None:
    """Build every trigger anew, on the tables that are there: `migrate` may stop half way."""
    tables = set(connection.introspection.table_names())
    if "flows_version" not in tables:
        return
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        _drop(cursor, connection, present(connection))
        schema = _schema(cursor, connection)
        for statement in _statements(connection.vendor, schema, tables):
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper = default_connection) -> None:
    """Drop every trigger, those of other releases too."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        _drop(cursor, connection, present(connection))


@contextmanager
def lifted(connection: BaseDatabaseWrapper = default_connection) -> Iterator[None]:
    """Do something that the triggers refuse, such as emptying a test database."""
    remove(connection)
    try:
        yield
    finally:
        install(connection)


def missing(connection: BaseDatabaseWrapper = default_connection) -> set[str]:
    """Names of the triggers that should be there and aren't."""
    wanted = {rule.trigger for rule in _rules(connection.vendor)}
    if connection.vendor == "postgresql":
        wanted |= {_truncate_name(table) for table in KEPT_TABLES}
    return wanted - {trigger for _, trigger in present(connection)}


def present(connection: BaseDatabaseWrapper = default_connection) -> set[tuple[str, str]]:
    """Our triggers that are there and at work, as (table, name)."""
    if connection.vendor == "sqlite":
        query = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND NOT t.tgisinternal AND t.tgenabled <> 'D'"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return {(table, name) for table, name in cursor.fetchall() if name.startswith(PREFIX)}


def before_migrate(*, using: str, plan: Iterable[tuple[Any, bool]] = (), **kwargs: object) -> None:
    """Receiver of pre_migrate: out of the way while tables of ours are changed."""
    guarded = {rule.table.partition("_")[0] for rule in _rules(connections[using].vendor)}
    if any(migration.app_label in guarded for migration, _ in plan):
        remove(connections[using])


def after_migrate(*, using: str, **kwargs: object) -> None:
    """Receiver of post_migrate."""
    install(connections[using])


def _rules(vendor: str) -> list[Rule]:
    return [rule for rule in _registered if rule.only in ("", vendor)]


def _truncate_name(table: str) -> str:
    return f"{PREFIX}{table.removeprefix('flows_')}_truncate"


def _schema(cursor: Any, connection: BaseDatabaseWrapper) -> str:
    if connection.vendor == "sqlite":
        return "main"
    cursor.execute("SELECT current_schema()")
    return connection.ops.quote_name(cursor.fetchone()[0])


def _drop(cursor: Any, connection: BaseDatabaseWrapper, triggers: Iterable[tuple[str, str]]) -> None:
    for table, trigger in triggers:
        if connection.vendor == "sqlite":
            cursor.execute(f"DROP TRIGGER {trigger}")
        else:
            cursor.execute(f"DROP TRIGGER {trigger} ON {table}")
            cursor.execute(f"DROP FUNCTION IF EXISTS {trigger}()")


def _statements(vendor: str, schema: str, tables: set[str]) -> Iterator[str]:
    for rule in _rules(vendor):
        if rule.table not in tables:
            continue
        if vendor == "sqlite":
            yield _sqlite(rule)
        else:
            yield from _postgresql(rule, schema)
    if vendor == "postgresql":
        for table in KEPT_TABLES:
            yield from _refuse_truncate(table, schema)


def _sqlite(rule: Rule) -> str:
    condition = rule.refused_if.replace("{sha256}", "SHA256(NEW.text)")  # a function that Django adds
    return (
        f"CREATE TRIGGER {rule.trigger} {rule.timing} {rule.event} ON {rule.table} FOR EACH ROW WHEN {condition}"
        f" BEGIN SELECT RAISE(ABORT, '{_quoted(rule.message)}'); END"
    )


def _postgresql(rule: Rule, schema: str) -> Iterator[str]:
    condition = rule.refused_if.replace("{sha256}", "encode(sha256(convert_to(NEW.text, 'UTF8')), 'hex')")
    result = "OLD" if rule.event == "DELETE" else "NEW"
    # An update, where a lock would do among equals: it refuses a transaction that still sees an older submission.
    turn = f"UPDATE flows_entity SET slug = slug WHERE id = {rule.turn}; " if rule.turn else ""  # noqa: S608
    body = f"{turn}IF {condition} THEN {_raise(rule.message)} END IF; RETURN {result};"
    yield _function(rule.trigger, schema, body)
    yield (
        f"CREATE TRIGGER {rule.trigger} {rule.timing} {rule.event} ON {rule.table}"
        f" FOR EACH ROW EXECUTE FUNCTION {rule.trigger}()"
    )


def _refuse_truncate(table: str, schema: str) -> Iterator[str]:
    name = _truncate_name(table)
    yield _function(name, schema, _raise("This table can't be emptied.") + " RETURN NULL;")
    yield f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"


def _function(name: str, schema: str, body: str) -> str:
    # pg_temp last: a temporary table called flows_decision must not be taken for ours.
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" SET search_path = pg_catalog, {schema}, pg_temp AS $trigger$ BEGIN {body} END $trigger$"
    )


def _raise(message: str) -> str:
    return f"RAISE EXCEPTION '{_quoted(message)}' USING ERRCODE = 'check_violation';"


def _quoted(message: str) -> str:
    return message.replace("'", "''")

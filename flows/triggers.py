"""What the database itself refuses, on SQLite and PostgreSQL: the last wall of the four eyes (docs/lifecycle.md).

Each rule is one trigger. They are built anew at the end of every `migrate`, since changing a table on SQLite means
building it anew, which loses its triggers without a word.
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

ARROWS = (
    ("submit", "", "submitted"),
    ("approve", "submitted", "approved"),
    ("decline", "submitted", "declined"),
    ("recall", "submitted", "recalled"),
    ("withdraw", "approved", "declined"),
    ("deploy", "approved", "deployed"),
    ("deploy", "retired", "deployed"),
    ("retire", "deployed", "retired"),
)
"""Name, from, to. Spelled out here, apart from lifecycle.TRANSITIONS, so that one mistake doesn't open both walls."""

_ARROWS_SQL = ", ".join(f"('{name}', '{source}', '{target}')" for name, source, target in ARROWS)

_VERSION = "SELECT 1 FROM flows_version v WHERE v.id = NEW.version_id"
_DECISION = "SELECT 1 FROM flows_decision d WHERE d.version_id"
_LATEST = "SELECT MAX(l.id) FROM flows_decision l WHERE l.version_id = OLD.id"
_EDIT = "SELECT 1 FROM flows_edit e WHERE e.subject"
_CONTRIBUTOR = "SELECT 1 FROM flows_contributor c WHERE c.version_id = NEW.version_id"
_CHANGE = "SELECT 1 FROM flows_change c WHERE c.entity_id"


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
        f" OR {_is_old('NEW.entity_id', 'NEW.changed_at')}"
        f" OR EXISTS ({_EDIT} = {subject} AND e.at > NEW.changed_at))"
    )


def _is_old(entity: str, at: str) -> str:
    """Whether a version of the entity was submitted at that time or later."""
    return (
        "EXISTS (SELECT 1 FROM flows_version v JOIN flows_flow f ON f.id = v.flow_id"  # noqa: S608 - names of ours
        f" WHERE f.entity_id = {entity} AND v.submitted_at >= {at})"
    )


def _never(table: str, event: str, message: str) -> Rule:
    return Rule(table, event, event.lower(), "1 = 1", message)


def no_replace(table: str, taken: str) -> Rule:
    """INSERT OR REPLACE deletes the row it meets without firing any DELETE trigger."""
    condition = f"EXISTS (SELECT 1 FROM {table} t WHERE {taken})"  # noqa: S608 - names of ours
    return Rule(table, "INSERT", "replace", condition, "The row is there already; it can't be replaced.", "sqlite")


RULES = (
    # A content is written once, and its key is its hash.
    _never("flows_content", "UPDATE", "A content never changes."),
    Rule(
        "flows_content", "INSERT", "hash", "{sha256} <> NEW.sha256", "The key of a content is the SHA-256 of its text."
    ),
    Rule(
        "flows_content",
        "DELETE",
        "delete",
        "EXISTS (SELECT 1 FROM flows_version v WHERE v.content_id = OLD.sha256)",
        "A version holds this content; it stays.",
    ),
    no_replace("flows_content", "t.sha256 = NEW.sha256"),
    # A version begins as submitted, and only its status ever changes, each time with a decision that says so.
    Rule(
        "flows_version",
        "INSERT",
        "insert",
        "NEW.status <> 'submitted'",
        "A version begins as submitted.",
        turn="(SELECT f.entity_id FROM flows_flow f WHERE f.id = NEW.flow_id)",
    ),
    Rule(
        "flows_version",
        "UPDATE",
        "frozen",
        "NEW.id <> OLD.id OR NEW.flow_id <> OLD.flow_id OR NEW.number <> OLD.number OR NEW.content_id <> OLD.content_id"
        " OR NEW.summary <> OLD.summary OR NEW.submitted_by_id <> OLD.submitted_by_id"
        " OR NEW.submitted_at <> OLD.submitted_at OR NEW.changed_by_id <> OLD.changed_by_id"
        " OR NEW.changed_at <> OLD.changed_at",
        "A submitted version never changes; submit a new one.",
    ),
    Rule(
        "flows_version",
        "UPDATE",
        "decided",
        f"NEW.status <> OLD.status AND NOT EXISTS ({_DECISION} = OLD.id AND d.from_status = OLD.status"
        " AND d.to_status = NEW.status AND d.sha256 = OLD.content_id"
        f" AND d.id = ({_LATEST}))",
        "A version changes its status with a decision only.",
    ),
    Rule(
        "flows_version",
        "UPDATE",
        "one_deployed",
        "NEW.status = 'deployed' AND EXISTS (SELECT 1 FROM flows_version v"
        " WHERE v.flow_id = NEW.flow_id AND v.status = 'deployed' AND v.id <> NEW.id)",
        "Another version of the flow is deployed; retire it first.",
    ),
    _never("flows_version", "DELETE", "A version is kept for ever."),
    no_replace(
        "flows_version",
        "t.id = NEW.id OR (t.flow_id = NEW.flow_id AND (t.number = NEW.number OR t.status = 'submitted'))",
    ),
    # A decision fits the version as it stands, and is made by somebody who may make it.
    Rule(
        "flows_decision",
        "INSERT",
        "arrow",
        f"(NEW.name, NEW.from_status, NEW.to_status) NOT IN (VALUES {_ARROWS_SQL})",
        "There is no such transition.",
    ),
    Rule(
        "flows_decision",
        "INSERT",
        "fits",
        f"NOT EXISTS ({_VERSION} AND v.content_id = NEW.sha256"
        " AND v.status = CASE WHEN NEW.name = 'submit' THEN 'submitted' ELSE NEW.from_status END)"
        f" OR (NEW.name = 'submit' AND EXISTS ({_DECISION} = NEW.version_id))"
        f" OR (NEW.name <> 'submit' AND NOT EXISTS ({_DECISION} = NEW.version_id AND d.name = 'submit'))",
        "The decision isn't about the version as it stands.",
    ),
    Rule(
        "flows_decision",
        "INSERT",
        "submitter",
        f"NEW.name IN ('submit', 'recall') AND NOT EXISTS ({_VERSION} AND v.submitted_by_id = NEW.by_id)",
        "Only the submitter submits and recalls a version.",
    ),
    Rule(
        "flows_decision",
        "INSERT",
        "four_eyes",
        "NEW.from_status IN ('submitted', 'approved') AND NEW.to_status IN ('approved', 'deployed')"
        f" AND (EXISTS ({_VERSION} AND v.submitted_by_id = NEW.by_id)"
        f" OR EXISTS ({_CONTRIBUTOR} AND c.user_id = NEW.by_id))",
        "Nobody approves, or deploys for the first time, what they worked on.",
    ),
    _never("flows_decision", "UPDATE", "A decision never changes."),
    _never("flows_decision", "DELETE", "A decision is kept for ever."),
    no_replace("flows_decision", "t.id = NEW.id"),
    # Who worked on a version is settled with its submission.
    Rule(
        "flows_contributor",
        "INSERT",
        "settled",
        f"EXISTS ({_DECISION} = NEW.version_id)",
        "The contributors of a version are settled when it is submitted.",
    ),
    _never("flows_contributor", "UPDATE", "The contributors of a version never change."),
    _never("flows_contributor", "DELETE", "The contributors of a version never change."),
    no_replace("flows_contributor", "t.id = NEW.id OR (t.version_id = NEW.version_id AND t.user_id = NEW.user_id)"),
    # Who edited what is written once, when it happens.
    Rule(
        "flows_edit",
        "INSERT",
        "new",
        f"{_is_old('NEW.entity_id', 'NEW.at')} OR EXISTS ({_EDIT} = NEW.subject AND e.at >= NEW.at)",
        "An edit is recorded when it is made: later than what was edited and submitted before.",
    ),
    _never("flows_edit", "UPDATE", "The record of an edit never changes."),
    _never("flows_edit", "DELETE", "The record of an edit is kept for ever."),
    no_replace("flows_edit", "t.id = NEW.id"),
    # The log of changes only ever grows, each chain at its end.
    _never("flows_change", "UPDATE", "The record of a change never changes."),
    _never("flows_change", "DELETE", "The record of a change is kept for ever."),
    Rule(
        "flows_change",
        "INSERT",
        "last",
        f"EXISTS ({_CHANGE} = NEW.entity_id AND c.id > NEW.id)"
        f" OR (NEW.entity_id IS NULL AND EXISTS ({_CHANGE} IS NULL AND c.id > NEW.id))",
        "A change is recorded after those before it.",
        timing="AFTER",
    ),
    no_replace("flows_change", "t.id = NEW.id"),
    # A draft changes with a record of who did it, and a flow stays the flow it is.
    Rule(
        "flows_flow",
        "UPDATE",
        "identity",
        "NEW.id <> OLD.id OR NEW.entity_id <> OLD.entity_id OR NEW.slug <> OLD.slug OR NEW.kind <> OLD.kind"
        " OR NEW.created_by_id <> OLD.created_by_id OR NEW.created_at <> OLD.created_at",
        "Entity, slug, kind and creator of a flow never change.",
    ),
    Rule(
        "flows_flow",
        "UPDATE",
        "recorded",
        "(NEW.draft <> OLD.draft OR NEW.name <> OLD.name)"
        f" AND (NEW.draft_revision <= OLD.draft_revision OR {unrecorded('flow')})",
        "A draft changes through flows.drafts, which records by whom.",
        turn="NEW.entity_id",
    ),
    Rule(
        "flows_flow",
        "DELETE",
        "delete",
        "EXISTS (SELECT 1 FROM flows_version v WHERE v.flow_id = OLD.id)",
        "The flow has versions and stays with them.",
    ),
    no_replace("flows_flow", "t.id = NEW.id OR (t.entity_id = NEW.entity_id AND t.slug = NEW.slug)"),
)

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
    """Called once, from `AppConfig.ready()` of an app whose tables are guarded too."""
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
    return [rule for rule in (*RULES, *_registered) if rule.only in ("", vendor)]


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

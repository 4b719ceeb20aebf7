"""The database's own wall: statements that go past Chatflow, and what the database makes of them."""

from __future__ import annotations

from itertools import product

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from flows import guard, lifecycle, triggers
from flows.changes import record
from flows.models import Change, Content, Contributor, Decision, Edit, Flow, Version
from tests.flows.stage import Stage

pytestmark = pytest.mark.django_db

EVERYWHERE = """
UPDATE flows_content SET text = '{}' WHERE sha256 = {content}                           | content never changes
UPDATE flows_content SET sha256 = 'x' WHERE sha256 = {content}                          | content never changes
DELETE FROM flows_content WHERE sha256 = {content}                                      | holds this content
INSERT INTO flows_content (sha256, text, created_at) VALUES ('abc', 'evil', {now})      | SHA-256 of its text
UPDATE flows_version SET content_id = {other_content} WHERE id = {id}                   | never changes
UPDATE flows_version SET submitted_by_id = {cleo} WHERE id = {id}                       | never changes
UPDATE flows_version SET submitted_at = {now} WHERE id = {id}                           | never changes
UPDATE flows_version SET flow_id = {other_flow} WHERE id = {id}                         | never changes
UPDATE flows_version SET number = 99 WHERE id = {id}                                    | never changes
UPDATE flows_version SET summary = 'Harmless.' WHERE id = {id}                          | never changes
UPDATE flows_version SET id = 99 WHERE id = {id}                                        | never changes
UPDATE flows_version SET status = 'approved' WHERE id = {id}                            | with a decision only
UPDATE flows_version SET status = 'deployed' WHERE id = {id}                            | with a decision only
UPDATE flows_version SET status = 'anything' WHERE id = {id}                            | with a decision only
DELETE FROM flows_version WHERE id = {id}                                               | kept for ever
INSERT INTO flows_version {version_columns} VALUES (99, {other_flow}, 9, {content}, 'deployed', '', {ana}, {now}, {ana}, {now}) | begins as submitted
UPDATE flows_decision SET by_id = {cleo} WHERE version_id = {id}                        | decision never changes
UPDATE flows_decision SET comment = 'Fine.' WHERE version_id = {id}                     | decision never changes
DELETE FROM flows_decision WHERE version_id = {id}                                      | kept for ever
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'approve', 'submitted', 'approved', {ana}, {now}, '', {content}, {false}, '', 'x') | what they worked on
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'approve', 'submitted', 'approved', {ben}, {now}, '', {content}, {false}, '', 'x') | what they worked on
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'approve', 'submitted', 'approved', {cleo}, {now}, '', {other_content}, {false}, '', 'x') | as it stands
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'deploy', 'approved', 'deployed', {cleo}, {now}, '', {content}, {false}, '', 'x') | as it stands
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'deploy', 'submitted', 'deployed', {cleo}, {now}, '', {content}, {false}, '', 'x') | no such transition
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'decline', 'submitted', 'approved', {cleo}, {now}, '', {content}, {false}, '', 'x') | no such transition
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'recall', 'submitted', 'recalled', {ana}, {now}, '', {content}, {false}, '', 'x') | Only the submitter
INSERT INTO flows_decision {decision_columns} VALUES ({id}, 'submit', '', 'submitted', {ben}, {now}, '', {content}, {false}, '', 'x') | as it stands
INSERT INTO flows_contributor (version_id, user_id) VALUES ({id}, {cleo})               | settled when it is submitted
UPDATE flows_contributor SET user_id = {cleo} WHERE version_id = {id}                   | contributors of a version never change
DELETE FROM flows_contributor WHERE version_id = {id}                                   | contributors of a version never change
UPDATE flows_edit SET by_id = {cleo}                                                    | never changes
UPDATE flows_edit SET subject = 'flow:99'                                               | never changes
DELETE FROM flows_edit                                                                  | kept for ever
INSERT INTO flows_edit (entity_id, subject, by_id, at) SELECT entity_id, subject, by_id, at FROM flows_edit | recorded when it is made
INSERT INTO flows_edit (entity_id, subject, by_id, at) SELECT entity_id, 'flow:99', {cleo}, '2020-01-01 00:00:00' FROM flows_flow | recorded when it is made
UPDATE flows_change SET after = '{}'                                                    | never changes
UPDATE flows_change SET id = id + 99                                                    | never changes
UPDATE flows_change SET seal = 'x' WHERE subject = 'route:1'                            | never changes
DELETE FROM flows_change                                                                | kept for ever
DELETE FROM flows_change WHERE entity_id IS NULL                                        | kept for ever
INSERT INTO flows_change {change_columns} SELECT 0, entity_id, at, by_id, place, action, subject, title, before, after, seal FROM flows_change WHERE subject = 'route:1' AND entity_id IS NOT NULL | after those before it
INSERT INTO flows_change {change_columns} SELECT 0, entity_id, at, by_id, place, action, subject, title, before, after, seal FROM flows_change WHERE subject = 'route:1' AND entity_id IS NULL | after those before it
DELETE FROM flows_flow WHERE id = {flow}                                                | stays with them
UPDATE flows_flow SET draft = '[]' WHERE id = {flow}                                    | records by whom
UPDATE flows_flow SET name = 'Another' WHERE id = {flow}                                | records by whom
UPDATE flows_flow SET draft = '[]', draft_revision = 9, changed_at = {now} WHERE id = {flow} | records by whom
UPDATE flows_flow SET draft = '[]', draft_revision = 9 WHERE id = {flow}                | records by whom
UPDATE flows_flow SET entity_id = {other_entity} WHERE id = {flow}                      | never change
UPDATE flows_flow SET slug = 'another' WHERE id = {flow}                                | never change
UPDATE flows_flow SET kind = 'standard' WHERE id = {flow}                               | never change
"""

SQLITE = """
INSERT OR REPLACE INTO flows_content (sha256, text, created_at) SELECT sha256, text, created_at FROM flows_content | can't be replaced
INSERT OR REPLACE INTO flows_version SELECT * FROM flows_version                        | can't be replaced
INSERT OR REPLACE INTO flows_version {version_columns} VALUES (99, {flow}, 1, {content}, 'submitted', '', {cleo}, {now}, {cleo}, {now}) | can't be replaced
INSERT OR REPLACE INTO flows_version {version_columns} VALUES (99, {flow}, 2, {content}, 'submitted', '', {cleo}, {now}, {cleo}, {now}) | can't be replaced
INSERT OR REPLACE INTO flows_decision SELECT * FROM flows_decision                      | as it stands|can't be replaced
INSERT OR REPLACE INTO flows_contributor (id, version_id, user_id) SELECT id, 99, user_id FROM flows_contributor | can't be replaced
INSERT OR REPLACE INTO flows_change SELECT * FROM flows_change                          | can't be replaced
UPDATE OR REPLACE flows_change SET id = (SELECT MIN(id) FROM flows_change) WHERE id = (SELECT MAX(id) FROM flows_change) | never changes
INSERT INTO flows_change SELECT * FROM flows_change WHERE true ON CONFLICT (id) DO UPDATE SET after = 'x' | can't be replaced
INSERT INTO flows_content SELECT * FROM flows_content WHERE true ON CONFLICT (sha256) DO UPDATE SET text = 'x' | can't be replaced
INSERT OR REPLACE INTO flows_edit SELECT * FROM flows_edit                              | recorded when it is made|can't be replaced
INSERT OR REPLACE INTO flows_flow SELECT * FROM flows_flow                              | can't be replaced
UPDATE OR IGNORE flows_version SET status = 'approved' WHERE id = {id}                  | with a decision only
INSERT OR IGNORE INTO flows_contributor (version_id, user_id) VALUES ({id}, {cleo})     | settled when it is submitted
INSERT INTO flows_content SELECT * FROM flows_content WHERE true ON CONFLICT (sha256) DO UPDATE SET text = 'x' | content never changes|can't be replaced
UPDATE OR REPLACE flows_version SET number = 2 WHERE id = {id}                          | never changes
"""

POSTGRESQL = """
TRUNCATE flows_version CASCADE                                                          | can't be emptied
TRUNCATE flows_decision                                                                 | can't be emptied
TRUNCATE flows_contributor                                                              | can't be emptied
TRUNCATE flows_content CASCADE                                                          | can't be emptied
TRUNCATE flows_change                                                                   | can't be emptied
TRUNCATE flows_entity CASCADE                                                           | can't be emptied
TRUNCATE auth_user CASCADE                                                              | can't be emptied
INSERT INTO flows_change SELECT * FROM flows_change ON CONFLICT (id) DO UPDATE SET after = 'x' | never changes
TRUNCATE flows_edit                                                                     | can't be emptied
TRUNCATE flows_flow CASCADE                                                             | can't be emptied
INSERT INTO flows_content SELECT * FROM flows_content ON CONFLICT (sha256) DO UPDATE SET text = 'x' | content never changes
"""

CHANGE_COLUMNS = "(id, entity_id, at, by_id, place, action, subject, title, before, after, seal)"
VERSION_COLUMNS = (
    "(id, flow_id, number, content_id, status, summary, submitted_by_id, submitted_at, changed_by_id, changed_at)"
)
DECISION_COLUMNS = "(version_id, name, from_status, to_status, by_id, at, comment, sha256, by_command, os_user, seal)"


def attacks(text: str) -> list:
    pairs = [line.rpartition(" | ") for line in text.strip().splitlines()]
    return [
        pytest.param(statement.strip(), refusal.strip(), id=statement.strip()[:90]) for statement, _, refusal in pairs
    ]


@pytest.fixture
def names(stage: Stage) -> dict[str, str]:
    """What the statements are about: a version that ben submitted with ana's work, and things beside it."""
    version = stage.submitted()
    other = stage.deployed(stage.draft(slug="other"))
    for of, number in product((stage.entity, None), (1, 2)):
        with transaction.atomic():
            record(of, by=stage.olga, action="changed", subject=f"route:{number}", after={"step": number})
    people = {name: str(user.pk) for name, user in stage.people.items()}
    return people | {
        "id": str(version.pk),
        "flow": str(version.flow_id),
        "content": f"'{version.content_id}'",
        "other_flow": str(other.flow_id),
        "other_content": f"'{other.content_id}'",
        "other_entity": "99",
        "now": "'2031-05-05 05:05:05'",
        "false": "false",
        "change_columns": CHANGE_COLUMNS,
        "version_columns": VERSION_COLUMNS,
        "decision_columns": DECISION_COLUMNS,
    }


def execute(statement: str, names: dict[str, str]) -> None:
    for name, value in names.items():
        statement = statement.replace("{" + name + "}", value)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def everything() -> list:
    return [
        list(model.objects.order_by("pk").values())
        for model in (Content, Version, Decision, Contributor, Edit, Flow, Change)
    ]


@pytest.mark.parametrize(("statement", "refusal"), attacks(EVERYWHERE))
def test_the_database_refuses(statement: str, refusal: str, names: dict[str, str]):
    before = everything()
    with pytest.raises(IntegrityError, match=refusal):
        execute(statement, names)
    assert everything() == before


@pytest.mark.parametrize(("statement", "refusal"), attacks(SQLITE))
def test_sqlite_refuses_to_replace_rows(statement: str, refusal: str, names: dict[str, str]):
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's own statements")
    before = everything()
    with pytest.raises(IntegrityError, match=refusal):
        execute(statement, names)
    assert everything() == before


@pytest.mark.parametrize(("statement", "refusal"), attacks(POSTGRESQL))
def test_postgresql_refuses_to_empty_tables_and_to_overwrite(statement: str, refusal: str, names: dict[str, str]):
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's own statements")
    before = everything()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as at a commit; with checks pending nothing can be emptied
    with pytest.raises(IntegrityError, match=refusal):
        execute(statement, names)
    assert everything() == before


def test_a_temporary_table_is_not_taken_for_ours(names: dict[str, str]):
    """Temporary tables come first where names are looked up: a faked list of decisions must not be believed."""
    columns = "id integer, version_id integer, name text, from_status text, to_status text, by_id integer, sha256 text"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE flows_decision ({columns})")
        try:
            cursor.execute(
                f"INSERT INTO flows_decision VALUES (99, {names['id']}, 'approve', 'submitted', 'approved',"
                f" {names['cleo']}, {names['content']})"
            )
            update = f"UPDATE flows_version SET status = 'approved' WHERE id = {names['id']}"
            with pytest.raises(IntegrityError, match="with a decision only"), transaction.atomic():
                cursor.execute(update)
        finally:
            cursor.execute("DROP TABLE " + ("temp" if connection.vendor == "sqlite" else "pg_temp") + ".flows_decision")


def test_a_second_version_is_not_deployed_over_the_first(stage: Stage):
    first = stage.deployed()
    second = stage.approved(stage.draft(status=201))
    lifecycle._decide(second, "deploy", "approved", "deployed", by=stage.cleo, comment="", via=lifecycle.Via.ADMIN)
    replacing = "UPDATE OR REPLACE" if connection.vendor == "sqlite" else "UPDATE"
    with pytest.raises(IntegrityError, match="Another version of the flow is deployed"):
        execute(f"{replacing} flows_version SET status = 'deployed' WHERE id = {second.pk}", {})
    assert Version.objects.get(pk=first.pk).status == "deployed"


def test_the_database_knows_the_same_arrows_as_the_table():
    ours = {(one.name, str(one.source), str(one.target)) for one in lifecycle.TRANSITIONS}
    assert set(guard.ARROWS) == ours | {("submit", "", "submitted")}


@pytest.mark.django_db(transaction=True)
def test_the_database_is_not_flushed(names: dict[str, str]):
    before = everything()
    with pytest.raises(CommandError, match="couldn't be flushed"):
        call_command("flush", interactive=False)
    assert everything() == before


def test_triggers_are_built_anew_by_migrate():
    triggers.remove()
    assert len(triggers.missing()) > 20
    triggers.after_migrate(using="default")
    assert triggers.missing() == set()


def test_triggers_are_out_of_the_way_while_tables_change():
    class Migration:
        app_label = "flows"

    triggers.before_migrate(using="default", plan=[(Migration, False)])
    assert triggers.present() == set()
    triggers.install()
    triggers.before_migrate(using="default", plan=[])
    assert triggers.missing() == set()


def test_rows_of_a_flow_that_nobody_submitted_can_go(stage: Stage):
    flow = stage.draft()
    Flow.objects.filter(pk=flow.pk).delete()
    assert not Flow.objects.exists()

"""From one database to another: SQLite into whatever the tests run on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.backends.base.base import NO_DB_ALIAS
from pytest_django.fixtures import Settings

from chatflow.copying import NotCopied, copy_from
from flows import contents, triggers
from flows.chains import walk_all
from flows.checks import problems
from flows.models import Decision, Entity, Flow, Status, Version
from routing.models import Route

ROOT = Path(__file__).resolve().parents[2]
MAKE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("demo")
"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the demo in it: people, decisions, deployed versions, routes."""
    file = tmp_path_factory.mktemp("source") / "chatflow.sqlite3"
    env = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{file}",
        "DJANGO_SETTINGS_MODULE": "chatflow.settings",
        "DEBUG": "1",
    }
    subprocess.run([sys.executable, "-c", MAKE], cwd=ROOT, env=env, check=True, capture_output=True, timeout=120)
    return file


@pytest.fixture(autouse=True)
def second_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the one name that Django lets a test open besides its own database."""
    monkeypatch.setattr("chatflow.copying.SOURCE", NO_DB_ALIAS)
    contents.forget()


def test_every_row_arrives_as_it_was(source: Path) -> None:
    copied = copy_from(f"sqlite:///{source}")
    with closing(sqlite3.connect(source)) as theirs:
        assert copied == {table: theirs.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in copied}
        times = theirs.execute("SELECT id, at, seal FROM flows_decision ORDER BY id").fetchall()
    assert [(d.pk, d.at.strftime("%Y-%m-%d %H:%M:%S.%f"), d.seal) for d in Decision.objects.order_by("pk")] == times
    assert len(times) >= 9


def test_what_was_deployed_runs_and_stays_guarded(source: Path) -> None:
    copy_from(f"sqlite:///{source}")
    assert list(problems()) == []
    assert triggers.missing() == set()
    assert {contents.deployed(flow.pk) is not None for flow in Flow.objects.all()} == {True}
    assert Version.objects.filter(status=Status.DEPLOYED).count() == Route.objects.count()


def test_the_log_of_changes_is_whole_afterwards(source: Path) -> None:
    copy_from(f"sqlite:///{source}")
    chains = {chain.name: chain for chain in walk_all()}
    assert min(chain.rows for chain in chains.values()) >= 5
    assert [chain.problem for chain in chains.values() if chain.problem] == []


def test_new_rows_get_numbers_of_their_own(source: Path) -> None:
    copy_from(f"sqlite:///{source}")
    assert Entity.objects.create(slug="next", name="Next").pk > Entity.objects.get(slug="demo").pk


def test_the_command_says_how_much_it_copied(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("copy", f"sqlite:///{source}")
    assert capsys.readouterr().out.startswith("Copied ")


def test_a_database_with_rows_is_left_as_it_is(source: Path) -> None:
    Entity.objects.create(slug="mine", name="Mine")
    with pytest.raises(CommandError, match="isn't new: it has rows in flows_entity"):
        call_command("copy", f"sqlite:///{source}")
    assert [entity.slug for entity in Entity.objects.all()] == ["mine"]


def test_nothing_is_kept_of_what_could_not_run(source: Path, settings: Settings) -> None:
    settings.CHATFLOW_KEYS = ["another-key-0123456789-0123456789-0123456789"]
    with pytest.raises(ImproperlyConfigured, match="seal of the decision"):
        copy_from(f"sqlite:///{source}")
    assert not Entity.objects.exists()
    assert triggers.missing() == set()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////nowhere/chatflow.sqlite3", "There is no file"),
        ("mysql://127.0.0.1/chatflow", "begins with sqlite"),
        ("postgres://127.0.0.1:1/chatflow", "can't be read"),
    ],
)
def test_a_source_that_is_none_is_told(url: str, reason: str) -> None:
    with pytest.raises(NotCopied, match=reason):
        copy_from(url)


def test_another_release_is_told(tmp_path: Path) -> None:
    (tmp_path / "old.sqlite3").touch()
    with pytest.raises(NotCopied, match="of different releases"):
        copy_from(f"sqlite:///{tmp_path / 'old.sqlite3'}")
    assert connection.is_usable()

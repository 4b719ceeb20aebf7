"""`manage.py check`: our own settings."""

from __future__ import annotations

import pytest
from django.db import connection
from pytest_django import Settings

from chatflow import checks
from flows import triggers


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("METRICS_ALLOWED", "localhost", "localhost"),
        ("TRUSTED_PROXIES", ["10.0.0.1/8"], "10.0.0.0/8"),
        ("OUTBOUND_ALLOWED_NETWORKS", ["intranet"], "intranet"),
        ("CHATFLOW_KEYS", ["too short"], "shorter than"),
        ("CHATFLOW_KEYS", [], "empty"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(settings: Settings, name: str, value: object, said: str) -> None:
    setattr(settings, name, value)
    (error,) = checks.our_settings_can_be_read()
    assert error.id == "chatflow.E001"
    assert error.msg.startswith(f"{name} can't be read")
    assert said in error.msg


def test_the_settings_of_the_tests_can_be_read() -> None:
    assert checks.our_settings_can_be_read() == []


def test_an_address_without_https_is_warned_of(settings: Settings) -> None:
    assert [one.id for one in checks.partners_come_by_https()] == ["chatflow.W001"]
    settings.PUBLIC_URL = "https://flows.example"
    assert checks.partners_come_by_https() == []


@pytest.mark.django_db
def test_a_database_that_this_release_can_run_is_served() -> None:
    checks.refuse_to_start()


@pytest.mark.django_db
def test_web_and_worker_refuse_a_database_that_lost_its_guard() -> None:
    with triggers.lifted(connection), pytest.raises(SystemExit, match="manage.py migrate"):
        checks.refuse_to_start()

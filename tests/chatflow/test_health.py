"""Health: the process, and each part it needs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from flows.models import Heartbeat


def beat(seconds_ago: float) -> None:
    Heartbeat.objects.create(name="dispatcher", at=timezone.now() - timedelta(seconds=seconds_ago))


def test_a_process_that_answers_is_alive_whatever_else_is_down(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_everything_up_is_ready(client: Client, settings: Settings, broker: str) -> None:
    settings.REDIS_URL = broker
    beat(seconds_ago=0)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert [body[part]["ok"] for part in ("database", "broker", "dispatcher")] == [True, True, True]


@pytest.mark.django_db
def test_a_broker_that_is_away_is_named(client: Client) -> None:
    beat(seconds_ago=0)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["broker"]["ok"] is False
    assert answer.json()["dispatcher"]["ok"] is True


@pytest.mark.django_db
def test_a_dispatcher_that_never_was_is_named(client: Client, settings: Settings, broker: str) -> None:
    settings.REDIS_URL = broker
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "manage.py dispatcher" in answer.json()["dispatcher"]["problem"]


@pytest.mark.django_db
def test_a_silent_dispatcher_is_named_with_its_age(client: Client, settings: Settings, broker: str) -> None:
    settings.REDIS_URL = broker
    beat(seconds_ago=60)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["dispatcher"]["age_seconds"] >= 60


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_is_only_read(client: Client, path: str) -> None:
    answer = client.post(path)
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")


def test_a_probe_by_plain_http_is_not_sent_to_https(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz").status_code == 200
    assert client.get("/admin/").status_code == 301


@pytest.mark.django_db
def test_a_probe_may_call_an_address_instead_of_a_name(client):
    assert client.get("/healthz", headers={"Host": "10.1.2.3:8000"}).status_code == 200

"""/metrics: what it says, and to whom."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from flows.models import Heartbeat
from tests.flows.makers import make_entity, make_flow, make_run

pytestmark = pytest.mark.django_db


def lines(client: Client, **extra: str) -> list[str]:
    answer = client.get("/metrics", **extra)
    assert answer.status_code == 200
    return answer.content.decode().splitlines()


def value(found: list[str], series: str) -> float:
    return next(float(line.rpartition(" ")[2]) for line in found if line.startswith(series + " "))


def test_only_named_addresses_may_read_them(client: Client) -> None:
    refused = client.get("/metrics", REMOTE_ADDR="203.0.113.7")
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")
    assert "METRICS_ALLOWED" in json.loads(refused.content)["detail"]
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200


def test_an_empty_list_admits_nobody(client: Client, settings: Settings) -> None:
    settings.METRICS_ALLOWED = ""
    assert client.get("/metrics").status_code == 403


def test_every_unfinished_state_is_there_even_without_runs(client: Client) -> None:
    found = lines(client)
    for state in ("queued", "held", "running", "waiting", "in_doubt"):
        assert value(found, f'chatflow_runs{{state="{state}"}}') == 0
    assert value(found, "chatflow_oldest_queued_seconds") == 0


def test_runs_of_paused_routes_are_held_and_not_queued(client: Client) -> None:
    make_run(make_flow(make_entity()), wake_in_seconds=None)
    found = lines(client)
    assert [value(found, f'chatflow_runs{{state="{state}"}}') for state in ("queued", "held")] == [0, 1]


def test_the_age_of_the_dispatcher_is_told(client: Client) -> None:
    Heartbeat.objects.create(name="dispatcher", at=timezone.now() - timedelta(seconds=30))
    assert value(lines(client), "chatflow_dispatcher_age_seconds") >= 30


def test_refused_requests_are_counted_by_part_and_status(client: Client) -> None:
    series = 'chatflow_http_answers_total{part="dynamic",status="404"}'
    client.get("/dynamic/no-such-route")
    before = value(lines(client), series)
    client.get("/dynamic/no-such-route")
    assert value(lines(client), series) == before + 1

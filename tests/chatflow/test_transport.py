"""What a worker takes from the broker: hints, as Celery writes them, and nothing that could stop it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from celery import Celery, current_app
from django.conf import settings
from redis import Redis

from chatflow.transport import TASK, Transport, is_hint
from flows import hints

RUN_ID = UUID(int=7)


@pytest.fixture
def queue(broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """The broker, and an application of our settings that publishes to it."""
    app = Celery("publisher", broker=broker, set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.broker_url = broker
    monkeypatch.setattr(hints, "current_app", app)
    with Redis.from_url(broker) as redis:
        redis.delete("chatflow:runs")
        yield redis
        redis.delete("chatflow:runs")
    app.close()


def messages(queue: Redis) -> list[Any]:
    return [json.loads(text) for text in queue.lrange("chatflow:runs", 0, -1)]


def test_a_hint_as_celery_writes_it_is_taken(queue: Redis) -> None:
    hints._Publisher()._publish(RUN_ID)
    [message] = messages(queue)
    assert is_hint(message)
    assert json.loads(base64.b64decode(message["body"]))[0] == [str(RUN_ID)]
    assert hints.TASK == TASK


def test_a_broker_that_nobody_reads_from_does_not_fill_up(queue: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MAX_WAITING", 3)
    monkeypatch.setattr(hints, "COUNT_AGAIN_SECONDS", 0)
    publisher = hints._Publisher()
    for _ in range(6):
        publisher._publish(RUN_ID)
    assert len(messages(queue)) == 3


def hint(**other: Any) -> dict[str, Any]:
    body = base64.b64encode(b'[["x"], {}, {}]').decode()
    headers = {"task": TASK, "id": "1"}
    properties = {"delivery_tag": "1", "body_encoding": "base64", "delivery_info": {}}
    told = {"body": body, "headers": headers, "properties": properties}
    return {**told, "content-type": "application/json", "content-encoding": "utf-8", **other}


ODD: dict[str, Any] = {
    "null": None,
    "a list": [],
    "a text": "hint",
    "nothing in it": {},
    "no headers": hint(headers={}),
    "headers that are none": hint(headers=5),
    "another task": hint(headers={"task": "other", "id": "1"}),
    "no id": hint(headers={"task": TASK}),
    "another day": hint(headers={"task": TASK, "id": "1", "eta": "tomorrow"}),
    "pickle": hint(**{"content-type": "application/x-python-serialize"}),
    "no base64": hint(body="!!!"),
    "no JSON": hint(body=base64.b64encode(b"{").decode()),
    "a number": hint(body=base64.b64encode(b"5").decode()),
    "no run": hint(body=base64.b64encode(b"[[], {}, {}]").decode()),
    "two runs": hint(body=base64.b64encode(b'[["a", "b"], {}, {}]').decode()),
    "a run that is a number": hint(body=base64.b64encode(b"[[5], {}, {}]").decode()),
    "no tag": hint(properties={"body_encoding": "base64", "delivery_info": {}}),
}


def test_what_the_odd_ones_were_made_from_is_a_hint() -> None:
    assert is_hint(hint())


@pytest.mark.parametrize("message", ODD.values(), ids=ODD)
def test_anything_else_is_dropped(message: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert not is_hint(message)
    transport = object.__new__(Transport)
    transport._callbacks = {"runs": lambda message: pytest.fail("It reached Celery.")}
    transport._deliver(message, "runs")
    assert "isn't a hint" in caplog.text


def test_workers_read_in_this_way() -> None:
    from celery.signals import celeryd_init
    from kombu.transport import TRANSPORT_ALIASES, resolve_transport

    before = dict(TRANSPORT_ALIASES)
    transport_options = current_app.conf.broker_transport_options
    try:
        celeryd_init.send(sender="worker", conf=current_app.conf, instance=None, options={})
        assert resolve_transport("redis") is resolve_transport("rediss") is Transport
        assert current_app.conf.broker_transport_options == settings.WORKER_BROKER_TRANSPORT_OPTIONS
    finally:
        TRANSPORT_ALIASES.update(before)
        current_app.conf.broker_transport_options = transport_options

"""Logs: which request and which run, and nothing that anybody sent."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.test import Client

from chatflow import logs


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What production would log, from INFO on."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    formatter = logs.dictionary(readable=False, level="INFO")["formatters"]["line"].copy()
    handler.setFormatter(formatter.pop("()")(**formatter))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)
    structlog.contextvars.clear_contextvars()


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.django_db
def test_a_request_is_logged_without_what_was_sent(written: io.StringIO, client: Client) -> None:
    client.post(
        "/dynamic/nowhere?token=hush",
        data='{"password": "hush"}',
        content_type="application/json",
        headers={"Authorization": "Bearer hush"},
    )
    (entry,) = [entry for entry in entries(written) if entry["event"].startswith("request_")]
    assert entry["request"] == "POST /dynamic/nowhere"
    assert (entry["code"], entry["level"]) == (404, "info")
    assert {line["request_id"] for line in entries(written)} == {entry["request_id"]}
    assert "hush" not in written.getvalue()


def test_every_line_carries_the_run_it_belongs_to(written: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(run_id="018f"):
        logging.getLogger("flows.runs").warning("The %s was slow.", "upstream")
        structlog.get_logger("flows.runs").warning("It went on.", step=3)
    first, second = entries(written)
    assert (first["event"], first["run_id"], first["level"]) == ("The upstream was slow.", "018f", "warning")
    assert (second["event"], second["run_id"], second["step"]) == ("It went on.", "018f", 3)


def test_a_bug_is_logged_with_its_trace(written: io.StringIO) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("flows").exception("It broke.")
    (entry,) = entries(written)
    assert "ValueError: boom" in entry["exception"]


def test_an_unknown_host_is_one_short_warning(written: io.StringIO, client: Client) -> None:
    client.get("/dynamic/x" + "y" * 5000, headers={"Host": 'evil"<' + "x" * 5000})
    for entry in entries(written):
        assert entry["level"] in ("info", "warning")
        assert "exception" not in entry
    assert "Invalid HTTP_HOST header" in written.getvalue()
    assert max(len(line) for line in written.getvalue().splitlines()) < 600

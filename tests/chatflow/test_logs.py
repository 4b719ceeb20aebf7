"""Logs: which request and which run, and nothing that anybody sent."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from django.test import Client

from chatflow import logs
from flows.known_secrets import remember
from flows.masking import MASK
from routing.tokens import mint


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What production would log, from INFO on."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(line_formatter(readable=False))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)
    structlog.contextvars.clear_contextvars()


def line_formatter(*, readable: bool) -> logging.Formatter:
    settings = logs.dictionary(readable=readable, level="INFO")["formatters"]["line"].copy()
    made: logging.Formatter = settings.pop("()")(**settings)
    return made


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


PLANTED = "planted/s3cret-ü"


@pytest.mark.parametrize("name", ["celery.app.trace", "_granian", "django.db", "requests"])
def test_a_known_secret_is_in_no_line_of_anybody(written: io.StringIO, name: str) -> None:
    remember(PLANTED)
    address, encoded = f"https://api.example.com/?q={quote(PLANTED)}", b64encode(f"ann:{PLANTED}".encode())
    try:
        try:
            raise OSError(f"GET {address} failed")
        except OSError as error:
            raise ValueError(encoded) from error
    except ValueError:
        logging.getLogger(name).exception("Sent %s", {"X-Key": PLANTED})
    structlog.get_logger(name).warning("And again.", sent=[PLANTED], by=PLANTED.encode().hex())
    first, second = entries(written)
    assert first["exception"].count(MASK) == 2
    assert (second["sent"], second["by"]) == ([MASK], MASK)


@pytest.mark.parametrize("name", ["authorization", "Set-Cookie", "X-API-Key", "private_key", "pin"])
def test_what_a_secret_name_names_is_in_no_line(written: io.StringIO, name: str) -> None:
    structlog.get_logger("x").warning("Came.", **{name: "hush", "headers": {name: ["hush"]}})
    logging.getLogger("x").warning("Came with %s", {name: "hush"})
    logging.getLogger("x").warning("Came with %s=%s&id=7", name, "hush")
    assert "hush" not in written.getvalue()
    assert entries(written)[0]["headers"] == {name: MASK}


def test_a_token_of_ours_is_known_by_its_form(written: io.StringIO) -> None:
    text = mint().text
    logging.getLogger("x").warning("Refused %s", text)
    assert entries(written)[0]["event"] == f"Refused {text[:12]}_{MASK}"


@pytest.mark.parametrize("readable", [True, False])
def test_a_line_that_cannot_be_cleaned_is_not_written(monkeypatch: pytest.MonkeyPatch, readable: bool) -> None:
    def fail(text: str) -> str:
        raise RuntimeError(text)

    monkeypatch.setattr(logs, "cleaned", fail)
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "hush", None, None)
    line = line_formatter(readable=readable).format(record)
    assert ("hush" in line, logs.REDACTION_ERROR in line) == (False, True)


def test_a_line_with_wrong_arguments_shows_none_of_them() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "Sent %s and %s", ("hush",), None)
    assert json.loads(line_formatter(readable=False).format(record)) == {"event": logs.REDACTION_ERROR}


def test_what_python_prints_itself_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    remember(PLANTED)
    try:
        raise ValueError(PLANTED)
    except ValueError as error:
        logs.print_cleaned(ValueError, error, error.__traceback__)
    assert f"ValueError: {MASK}" in capsys.readouterr().err

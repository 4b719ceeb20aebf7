"""Secrets in every place that takes one, hundreds of runs that fail in many ways: then nothing shows any of them."""

from __future__ import annotations

import io
import logging
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from django.test import Client

import integrations.door
import routing.answers
from chatflow import logs
from flows import runs
from flows.execution import Execution
from flows.models import Run, RunState
from flows.nodes import encrypt
from routing import refusals
from tests.flows.hosting import Crash, lose_lease
from tests.integrations.doors import Serve
from tests.integrations.doors import loopback as loopback
from tests.integrations.doors import serve as serve
from tests.proofs.planted import House, Parrot, Planted, pages, tables
from tests.proofs.proof import Proof
from tests.routing.makers import person

Bug = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What production would log, and more: every line from DEBUG on."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    settings = logs.dictionary(readable=False, level="DEBUG")["formatters"]["line"].copy()
    handler.setFormatter(settings.pop("()")(**settings))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def fail(*told: Any) -> Any:
    """A bug, chained to another, with all it had at hand in its message."""
    try:
        raise KeyError(repr(told))
    except KeyError as error:
        raise RuntimeError(*told) from error


BUGS: dict[str, Bug] = {
    "none": lambda patch: None,
    "reading an answer": lambda patch: patch.setattr(integrations.door, "read", lambda response: fail(response.body)),
    "making a call": lambda patch: patch.setattr(
        integrations.door, "send", lambda request: fail(request.headers, request.url)
    ),
    "encrypting": lambda patch: patch.setitem(encrypt._WORK, "hmac-sha256", lambda plain, key: fail(plain, key)),  # type: ignore[arg-type]
    "ending a run": lambda patch: patch.setattr(Execution, "_ending", lambda run, result: fail(run.state, result)),
    "answering": lambda patch: patch.setattr(
        routing.answers, "finished", lambda run: fail(runs.sensitive.answer_of(run))
    ),
    "a crash": lambda patch: patch.setattr(integrations.door, "send", _die),
}
"""Where the program itself fails, at the places that have the most in hand."""


def _die(request: Any) -> Any:
    raise Crash(request.headers)


@pytest.mark.django_db
@pytest.mark.usefixtures("loopback")
def test_no_planted_secret_shows_anywhere(proof: Proof, serve: Serve, written: io.StringIO) -> None:
    chance = random.Random(20)
    house = House(serve(Parrot(random.Random(21))), chance)
    client, told = Client(raise_request_exception=False), []
    wanted = proof.size(14, 500)
    while Run.objects.count() < wanted:
        name = chance.choice(list(BUGS))
        with pytest.MonkeyPatch.context() as patch:
            BUGS[name](patch)
            told.append(_call(house, client))
            if chance.random() < 0.5:
                patch.undo()
            _work()
    refusals.flush()
    everything, secret = Planted(house.planted), Planted(_not_sensitive(house))
    seen = {
        "in tables": [(table, everything.seen_in(row)) for table, row in tables()],
        "in the log": [("log", everything.seen_in(line.encode())) for line in written.getvalue().splitlines()],
        "on pages": [(url, everything.seen_in(page)) for url, page in pages(_reader(), proof.size(8, 400))],
        "in mails": [("mail", everything.seen_in(str(each.message()).encode())) for each in mail.outbox],
        "in answers": [("answer", secret.seen_in(answer)) for answer in told],
    }
    proof.count("planted", len(house.planted))
    proof.count("runs", Run.objects.count())
    proof.count("failed", Run.objects.exclude(state=RunState.SUCCEEDED).count())
    for where, found in seen.items():
        proof.count(f"looked at {where}", len(found))
    hits = {where: [each for each in found if each[1]] for where, found in seen.items()}
    proof.count("in the clear", sum(map(len, hits.values())))
    assert len(house.planted) >= 30
    assert {where: each[:5] for where, each in hits.items() if each} == {}


def _call(house: House, client: Client) -> bytes:
    try:
        return bytes(house.call(client).content)
    except Crash:  # the web process is gone
        return b""


def _work() -> None:
    """What workers would do: take what is queued or was left behind, until all is over or nobody knows."""
    for run in Run.objects.filter(state__in=[RunState.QUEUED, RunState.RUNNING]):
        lose_lease(run.pk)
        try:
            runs.resume(run.pk)
        except Crash:
            continue
        except RuntimeError:
            logging.getLogger("celery.app.trace").exception("A task failed.")


def _not_sensitive(house: House) -> dict[str, str]:
    """What a caller didn't send, and so may not get: its own values come back to it."""
    own = ("card", "pin", "name", "code", "note")
    return {name: text for name, text in house.planted.items() if not name.startswith(own)}


def _reader() -> Client:
    """Somebody who may look at everything."""
    user = person("owner")
    user.is_superuser = user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client

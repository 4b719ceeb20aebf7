"""The fixture `proof`, and what it noted on its way to the command."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from tests.proofs.proof import RESULTS, Proof, write_result

_PHASES: dict[str, list[pytest.TestReport]] = {}


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Proof:
    one = Proof()
    told = {"proof": request.path.stem.removeprefix("test_"), "counts": one.counts, "same": one.twins}
    request.node.user_properties.append(("proof", told))
    return one


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    phases = _PHASES.setdefault(report.nodeid, [])
    phases.append(report)
    if report.when != "teardown" or not RESULTS:
        return
    outcomes = {phase.outcome for phase in phases}
    worst = next(outcome for outcome in ("failed", "skipped", "passed") if outcome in outcomes)
    write_result(report, worst, sum(phase.duration for phase in phases))


@pytest.fixture
def in_process() -> Iterator[None]:
    """For thousands of requests to our WSGI application in this process: they keep the test's connection, and no logs."""
    ends = (request_started, request_finished)
    logging.disable(logging.CRITICAL)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)
    logging.disable(logging.NOTSET)

"""The short version of `python3 start.py chaos`: every scenario once, small, on one stack of real processes."""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Iterator

import pytest

from tests.chaos.report import table
from tests.chaos.scale import Scale
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stack import Stack

SEED = 20
LEASE_SECONDS = 3
LEFT_OUT = {"soak", "never", "links"}
"""soak shows nothing in seconds; the others are like those that are here: `python3 start.py chaos` has them."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it stops and looks for Linux processes")


@pytest.fixture(autouse=True)
def _patience() -> None:
    """What is waited for here are processes, with limits of their own; a busy machine takes its time."""
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    faulthandler.cancel_dump_traceback_later()
    with Stack(tmp_path_factory.mktemp("chaos"), "sqlite", lease_seconds=LEASE_SECONDS, seed=SEED) as stack:
        yield stack


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in LEFT_OUT])
def test_nothing_is_lost_and_nothing_done_twice(name: str, stack: Stack) -> None:
    report = SCENARIOS[name](stack, Scale(share=0, bars=False, seed=SEED))
    stack.heal()
    stack.forget()
    assert report.passed, f"{table([report])}\nLogs: {stack.data / 'logs'}"

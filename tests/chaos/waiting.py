"""Wait until every accepted run has ended, as callers would."""

from __future__ import annotations

import time

from tests.chaos.callers import Load
from tests.chaos.report import Report
from tests.chaos.stack import Late, Stack

ENDED = {"succeeded", "failed", "dead", "cancelled", "in_doubt"}
"""In doubt is an end too: it goes on when a person says so."""

PATIENCE_SECONDS = 300


def wait_for_the_end(stack: Stack, load: Load, report: Report) -> float:
    """Until all calls are answered and their runs have ended; returns the seconds it took. Lateness is a problem."""
    began = time.monotonic()

    def all_ended() -> bool:
        if load.busy():
            return False
        time.sleep(0.3)  # looking has its price too
        rows = stack.database.runs()
        return all(run_id in rows and rows[run_id].state in ENDED for run_id in load.accepted.values())

    try:
        stack.wait_for(all_ended, "every run has ended", PATIENCE_SECONDS)
    except Late as late:
        report.want(False, str(late))
    return time.monotonic() - began

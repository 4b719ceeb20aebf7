"""Web and workers are asked to stop, in order, under load: no request is lost, and no run waits for a lease."""

from __future__ import annotations

import signal

from tests.chaos.callers import Load
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import Late, Stack
from tests.chaos.waiting import wait_for_the_end

STOPS = ("web", "worker1", "worker2")
MAY_BE_HEARD = {200, 202, 409, 503, "ConnectionRefusedError", "BrokenPipeError"}
"""A request that was taken gets an answer; one that couldn't even be sent whole may be tried again.

The system makes connections before the server takes them, and drops those when it closes.
"""

LEASE_SECONDS = 20
"""Whoever was claimed once more and ended sooner can't have waited for a lease."""


def stop(stack: Stack, scale: Scale) -> Report:
    report = Report("stop", stack.database.name)
    total = scale.size(60, 1000)
    rounds = scale.size(1, 3)
    batch = total // (rounds * len(STOPS) + 1)
    loads = [
        Load(stack.routes["orders"], [scale.order("stop", number) for number in range(total)], callers=6).start(batch),
        Load(stack.routes["orders_now"], [scale.order("now", number) for number in range(total)], callers=6).start(
            batch
        ),
    ]
    for name in STOPS * rounds if scale.share else STOPS[:2]:
        _wait_into_the_batch(stack, loads, batch)
        stack.wait_for(stack.ready, "every process is up")
        stack.end(name, signal.SIGTERM)
        stack.start(name)
        report.kills[name.rstrip("12")] += 1
        for load in loads:
            load.allow(batch)
    for load in loads:
        load.allow_all()
    for load in loads:
        wait_for_the_end(stack, load, report)
        rows = count(report, stack, load, actions=2)
        odd = {name: times for name, times in load.statuses.items() if name not in MAY_BE_HEARD}
        report.want(not odd, f"Requests were lost on connections that had been taken: {odd}.")
        late = [row.id for row in rows.values() if row.fence > 1 and row.seconds >= LEASE_SECONDS]
        report.want(not scale.bars or not late, f"{len(late)} runs waited for a lease, like {late[:1]}.")
    return report


def _wait_into_the_batch(stack: Stack, loads: list[Load], batch: int) -> None:
    before = sum(len(load.accepted) for load in loads)
    try:
        stack.wait_for(lambda: sum(len(load.accepted) for load in loads) - before >= batch, "calls are answered", 20)
    except Late:
        return

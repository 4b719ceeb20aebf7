"""The network between the parts is slow, frozen, reset, refused, cut and half-closed under load: nothing is lost."""

from __future__ import annotations

import time

from tests.chaos.callers import Load
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.chaos.waiting import wait_for_the_end

FAULTS = {
    "delay": lambda link, chance: link.delay(chance.uniform(0.05, 0.3)),
    "freeze": lambda link, _: link.freeze(),
    "reset": lambda link, _: link.reset(),
    "refuse": lambda link, _: link.refuse(),
    "cut": lambda link, chance: link.cut_after(chance.randrange(1, 5000)),
    "half-close": lambda link, _: link.half_close(),
}
LONGEST_FAULT_SECONDS = 4


def links(stack: Stack, scale: Scale) -> Report:
    """Every fault on the link of the broker, and where the database has one on its own, each for some seconds."""
    report = Report("links", stack.database.name)
    chance = scale.random()
    parts: dict[str, Proxy | None] = {"broker": stack.broker_link, "database": stack.database_link}
    schedule = [(fault, name, link) for name, link in parts.items() if link is not None for fault in FAULTS]
    schedule *= scale.size(1, 4)
    chance.shuffle(schedule)
    total = scale.size(60, 2000)
    batch = total // len(schedule)
    load = Load(stack.routes["orders"], [scale.order("links", number) for number in range(total)]).start(batch)
    for fault, name, link in schedule:
        FAULTS[fault](link, chance)
        report.kills[f"{name} {fault}"] += 1
        end = time.monotonic() + chance.uniform(0.5, LONGEST_FAULT_SECONDS if scale.share else 1)
        stack.wait_for(lambda end=end: time.monotonic() > end, "the fault is over")  # type: ignore[misc]
        link.heal()
        load.allow(batch)
    load.allow_all()
    seconds = wait_for_the_end(stack, load, report)
    count(report, stack, load, actions=2)
    report.note(f"{seconds:.0f} s from the last fault to the last end")
    return report

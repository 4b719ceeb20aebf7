"""A process dies at every single point between claiming a run and its last commit: another one always goes on rightly."""

from __future__ import annotations

import json

from tests.chaos.callers import Load
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import WORKERS, Stack
from tests.chaos.waiting import wait_for_the_end

MOST_POINTS = 150
STRIDE = 12
"""In the short version; at full size every point has its turn."""


def points(stack: Stack, scale: Scale) -> Report:
    """With effects that may be repeated, and with those that may not."""
    report = Report("points", stack.database.name)
    stride = 1 if scale.share else STRIDE
    first = scale.random().randint(1, stride)
    stack.rest(*WORKERS)
    loads = []
    for name in ("orders", "letters"):
        orders = [scale.order("points", number) for number in range(-(-MOST_POINTS // stride))]
        loads.append(Load(stack.routes[name], [f"{name}-{order}" for order in orders], callers=8).start())
    stack.wait_for(lambda: not any(load.busy() for load in loads), "every call is answered")
    for name, load in zip(("orders", "letters"), loads, strict=True):
        told = stack.python("-m", "tests.chaos.crashing", str(first), str(stride), *load.accepted.values())
        died = [point for _, point, dead in json.loads(told) if dead]
        report.kills["point"] += len(died)
        last = max(died, default=0)
        report.note(f"{name}: died at {len(died)} points, up to {last}")
        report.want(
            len(died) < len(load.accepted), f"{name}: no process got through; there are more points than {last}."
        )
        report.want(bool(died), f"{name}: no process died.")
    stack.heal()
    for load in loads:
        wait_for_the_end(stack, load, report)
        count(report, stack, load, actions=2, may_doubt=load is loads[1])
    return report

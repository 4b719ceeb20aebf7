"""A worker is frozen in the middle of its calls, loses its runs, and wakes up: it writes nothing and sends nothing."""

from __future__ import annotations

import time
from typing import Any

from tests.chaos.callers import Load
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import WORKERS, Stack
from tests.chaos.waiting import wait_for_the_end

RUNS = 16
"""On two workers with eight threads each: all of them are in a call when one worker freezes."""

AWAKE_SECONDS = 5
"""Long enough for a zombie to do its harm."""

STORY = (
    "SELECT id, state, fence, attempt, finished_at, answer, error FROM flows_run ORDER BY id",
    "SELECT run_id, number, state, steps FROM flows_segment ORDER BY run_id, number",
    'SELECT key, state, outcome, finished_at FROM flows_effect ORDER BY "key"',
)


def zombie(stack: Stack, scale: Scale) -> Report:
    """Half of the effects may be repeated; the others are in doubt once somebody else looks at them."""
    report = Report("zombie", stack.database.name)
    stack.target.hold()
    held = stack.target.waiting.total()
    orders = [scale.order("held", number) for number in range(RUNS)]
    loads = [
        Load(stack.routes["orders"], orders[::2], callers=4).start(),
        Load(stack.routes["letters"], orders[1::2], callers=4).start(),
    ]
    stack.wait_for(lambda: stack.target.waiting.total() - held >= RUNS, "both workers are in calls")
    sleeper = scale.random().choice(WORKERS)
    stack.freeze(sleeper)
    stack.target.release()
    for load in loads:
        wait_for_the_end(stack, load, report)
    before, sent = _story(stack), stack.target.arrived.copy()
    stack.thaw(sleeper)
    time.sleep(AWAKE_SECONDS)
    after = _story(stack)
    report.want(stack.target.arrived == sent, f"The zombie sent {stack.target.arrived.total() - sent.total()} calls.")
    report.want(before == after, "The zombie wrote to runs, segments or effects that weren't its own any more.")
    rows = [count(report, stack, load, actions=2, may_doubt=load is loads[1]) for load in loads]
    taken = sum(row.fence > 1 for each in rows for row in each.values())
    report.kills["frozen"] = 1
    report.note(f"{taken} runs were taken over, {report.in_doubt} of them are in doubt")
    report.want(taken > 0, "No run was taken over, so nothing was shown.")
    return report


def _story(stack: Stack) -> list[list[tuple[Any, ...]]]:
    return [stack.database.select(query) for query in STORY]

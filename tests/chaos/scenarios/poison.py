"""One run kills whatever process works on it: it is given up after five claims, and the others are done."""

from __future__ import annotations

from tests.chaos.callers import Load
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import WORKERS, Stack
from tests.chaos.waiting import wait_for_the_end

CLAIMS = 5


def poison(stack: Stack, scale: Scale) -> Report:
    report = Report("poison", stack.database.name)
    total = scale.size(20, 500)
    good = Load(stack.routes["orders"], [scale.order("good", number) for number in range(total)]).start(total // 2)
    before = _deaths(stack)
    bad = Load(stack.routes["looks"], [scale.order("poison", 0)], callers=1).start()
    good.allow_all()
    wait_for_the_end(stack, bad, report)
    wait_for_the_end(stack, good, report)
    stack.wait_for(stack.ready, "the workers are back")
    deaths = _deaths(stack) - before
    count(report, stack, good, actions=2)
    rows = stack.database.runs()
    states = [rows[run_id].state for run_id in bad.accepted.values()]
    report.kills["worker"] = deaths
    report.note(f"the poison is {' '.join(states) or 'not there'} after {deaths} claims that each killed a worker")
    report.want(states == ["dead"], f"The poisoned run is {states}, not dead.")
    report.want(deaths == CLAIMS, f"It was claimed {deaths} times, not {CLAIMS}.")
    return report


def _deaths(stack: Stack) -> int:
    return sum(stack.deaths[name] for name in WORKERS)

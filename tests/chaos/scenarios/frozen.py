"""The broker stops answering while calls are accepted: each gets its 202 all the same, and is done once it is back."""

from __future__ import annotations

from tests.chaos.callers import Load, percentile
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.chaos.waiting import wait_for_the_end

ANSWER_SECONDS = 2.5
"""99 of 100 answers come within it."""

END_SECONDS = 30
"""From the broker's return to the last end."""


def frozen(stack: Stack, scale: Scale) -> Report:
    """By the seed either the broker's process is stopped, or nothing comes through its link."""
    report = Report("frozen", stack.database.name)
    total = scale.size(40, 500)
    by_signal = scale.random().random() < 0.5
    stack.freeze("broker") if by_signal else stack.broker_link.freeze()
    load = Load(stack.routes["orders"], [scale.order("frozen", number) for number in range(total)], callers=8)
    load.start()
    stack.wait_for(lambda: not load.busy(), "every call is answered while the broker is frozen", 300)
    stack.thaw("broker") if by_signal else stack.broker_link.heal()
    seconds = wait_for_the_end(stack, load, report)
    slowest = percentile(load.seconds, 99)
    count(report, stack, load, actions=2)
    report.want(load.statuses == {202: total}, f"Not every answer was 202: {dict(load.statuses)}.")
    how = "stopped" if by_signal else "cut off"
    report.note(f"broker {how}; 99 % of answers within {slowest:.2f} s; all done {seconds:.0f} s after it was back")
    if scale.bars:
        report.want(slowest <= ANSWER_SECONDS, f"99 % of answers took {slowest:.2f} s.")
        report.want(seconds <= END_SECONDS, f"The last run ended {seconds:.0f} s after the broker was back.")
    return report

"""Thirty calls a second for half an hour: no process grows, no call fails, nothing waits long."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.callers import Load
from tests.chaos.databases import when
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.chaos.waiting import wait_for_the_end

MINUTES = 30.0
PER_SECOND = 10
"""Of each of the three kinds: asynchronous, synchronous with calls, synchronous without."""

MIXED = ("orders", "orders_now", "sums")
WARM_UP_SHARE = 0.25
SAMPLE_SECONDS = 5.0
MOST_MB_PER_MINUTE = 1.0
Samples = dict[tuple[str, int], list[tuple[float, float]]]
"""By process: minutes since the start, and megabytes."""


def soak(stack: Stack, scale: Scale) -> Report:
    report = Report("soak", stack.database.name)
    minutes = scale.minutes or (MINUTES if scale.share else 0.1)
    total = round(minutes * 60 * PER_SECOND)
    loads = [
        Load(stack.routes[name], [scale.order(name, number) for number in range(total)], callers=12) for name in MIXED
    ]
    samples, oldest = _play(stack, loads, minutes)
    for load, name in zip(loads, MIXED, strict=True):
        wait_for_the_end(stack, load, report)
        count(report, stack, load, actions=0 if name == "sums" else 2)
        odd = {status: times for status, times in load.statuses.items() if status not in (200, 202)}
        report.want(not odd, f"{name}: not every call was answered well: {odd}.")
    report.want(not stack.deaths, f"Processes ended by themselves: {dict(stack.deaths)}.")
    report.note(f"the oldest queued run had waited {oldest:.1f} s")
    for (part, pid), slope in sorted(slopes(samples, minutes).items(), key=lambda item: -item[1]):
        report.note(f"{part} {pid}: {samples[part, pid][-1][1]:.0f} MB, {slope:+.2f} MB a minute")
        if scale.bars:
            report.want(slope <= MOST_MB_PER_MINUTE, f"{part} {pid} grows by {slope:.2f} MB a minute.")
    return report


def _play(stack: Stack, loads: list[Load], minutes: float) -> tuple[Samples, float]:
    samples: Samples = defaultdict(list)
    began, sampled, oldest, allowed = time.monotonic(), 0.0, 0.0, 0
    for load in loads:
        load.start(0)
    while (passed := time.monotonic() - began) < minutes * 60:
        due = round(passed * PER_SECOND)
        for load in loads:
            load.allow(due - allowed)
        allowed = due
        if passed - sampled >= SAMPLE_SECONDS:
            sampled = passed
            for process, megabytes in memory(stack).items():
                samples[process].append((passed / 60, megabytes))
            oldest = max(oldest, _oldest_queued_seconds(stack))
        stack.look_after()
        time.sleep(0.05)
    for load in loads:
        load.allow_all()
    return samples, oldest


def _oldest_queued_seconds(stack: Stack) -> float:
    rows = stack.database.select("SELECT min(created_at) FROM flows_run WHERE state = 'queued'")
    since = when(rows[0][0])
    return (datetime.now(UTC) - since).total_seconds() if since else 0.0


def memory(stack: Stack) -> dict[tuple[str, int], float]:
    """Resident megabytes of every process of the stack, by its part and id."""
    groups = {child.process.pid: name for name, child in stack.children.items() if child.process}
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        pid = int(directory.name)
        try:
            part = groups.get(os.getpgid(pid))
            pages = int((directory / "statm").read_text().split()[1])
        except (OSError, IndexError):  # it has just ended
            continue
        if part:
            found[part, pid] = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return found


def slopes(samples: Samples, minutes: float) -> dict[tuple[str, int], float]:
    """Growth in megabytes a minute after the warm-up, by least squares."""
    found = {}
    for process, points in samples.items():
        late = [(at, size) for at, size in points if at >= minutes * WARM_UP_SHARE]
        if len(late) < 2:
            continue
        mean_at, mean_size = (sum(values) / len(late) for values in zip(*late, strict=True))
        spread = sum((at - mean_at) ** 2 for at, _ in late)
        found[process] = sum((at - mean_at) * (size - mean_size) for at, size in late) / spread
    return found

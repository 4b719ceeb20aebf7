"""What a scenario counted, what it wanted, and the table of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.callers import Load
from tests.chaos.databases import Row
from tests.chaos.stack import Stack

HEADS = ("scenario", "database", "accepted", "done", "lost", "twice", "in doubt", "longest", "kills", "seconds", "")


@dataclass
class Report:
    """`lost`: accepted, and not done, nor in doubt where that may be. `twice`: effects applied more than once.

    `broken`: the stack didn't come back, so nothing more can be played on it.
    """

    scenario: str
    database: str
    accepted: int = 0
    done: int = 0
    lost: int = 0
    twice: int = 0
    in_doubt: int = 0
    longest_seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    broken: bool = False
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def want(self, true: bool, problem: str) -> None:
        """A figure that was missed."""
        if not true:
            self.problems.append(problem)

    def note(self, text: str) -> None:
        """Something else that was counted, for the table."""
        self.notes.append(text)

    @property
    def passed(self) -> bool:
        return not self.problems

    def cells(self) -> list[str]:
        killed = " ".join(f"{kind} {count}" for kind, count in sorted(self.kills.items())) or "-"
        counts = (self.accepted, self.done, self.lost, self.twice, self.in_doubt)
        verdict = "ok" if self.passed else "FAILED"
        times = [f"{self.longest_seconds:.1f} s", killed, f"{self.seconds:.0f}"]
        return [self.scenario, self.database, *map(str, counts), *times, verdict]


def count(report: Report, stack: Stack, load: Load, *, actions: int, may_doubt: bool = False) -> Mapping[str, Row]:
    """Compare what callers were told with what the database says and the target did; returns the rows by order.

    Each run was to act `actions` times at the target.
    """
    rows = stack.database.runs()
    mine = {order: rows[run_id] for order, run_id in load.accepted.items() if run_id in rows}
    states = Counter(row.state for row in mine.values())
    report.accepted += len(load.accepted)
    report.done += states["succeeded"]
    report.in_doubt += states["in_doubt"]
    applied = stack.target.applied
    for order, run_id in load.accepted.items():
        steps = range(1, actions + 1)
        report.lost += _is_lost(rows.get(run_id), all(applied[order, step] for step in steps), may_doubt)
        report.twice += sum(max(applied[order, step] - 1, 0) for step in steps)
    ended = (row.seconds for row in mine.values() if row.state != "in_doubt")
    report.longest_seconds = max([report.longest_seconds, *ended])
    report.want(not load.unexpected, f"{len(load.unexpected)} calls had no good answer, like {load.unexpected[:1]}.")
    report.want(report.lost == 0, f"{report.lost} accepted calls were lost; the runs by state: {dict(states)}.")
    report.want(report.twice == 0, f"{report.twice} effects were applied twice.")
    extra = [row for row in rows.values() if row.route == load.route_id and row.created_at > load.began_at]
    report.want(
        len(extra) <= len(set(load.accepted.values())), f"There are {len(extra)} runs, more than were accepted."
    )
    answers = ", ".join(f"{name} × {times}" for name, times in sorted(load.statuses.items(), key=str))
    report.note(f"answers: {answers}")
    return mine


def _is_lost(row: Row | None, acted: bool, may_doubt: bool) -> bool:
    """Whether an accepted run isn't there, didn't succeed, or says that it did and hasn't."""
    if row is None:
        return True
    return not acted if row.state == "succeeded" else not (may_doubt and row.state == "in_doubt")


def table(reports: list[Report]) -> str:
    rows = [list(HEADS), *(report.cells() for report in reports)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for report in reports:
        lines += [f"  {report.scenario} on {report.database}: {text}" for text in report.notes]
        lines += [f"  {report.scenario} on {report.database} FAILED: {text}" for text in report.problems]
    return "\n".join(lines)

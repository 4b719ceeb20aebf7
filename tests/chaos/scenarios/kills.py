"""Kill everything by a seeded schedule while calls are accepted and worked on: nothing is lost, nothing is done twice.

`never` is the same with effects that may not be repeated and a target that ignores keys: nothing is sent twice, what
nobody can know is in doubt.
"""

from __future__ import annotations

import random

from tests.chaos.callers import Load
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import KINDS, Late, Stack
from tests.chaos.waiting import wait_for_the_end

KILLS = {"worker": (2, 20), "broker": (1, 4), "dispatcher": (1, 2), "web": (1, 3)}
"""How many of each, short and full; on PostgreSQL also restarts of the database."""

DATABASE_RESTARTS = (1, 2)
CONCURRENCY = 8
"""Threads of a worker, in each of which one effect can be under way when it is killed."""

ACTIONS = 2
END_SECONDS = 120
"""From the last kill until every run has ended."""


def kills(stack: Stack, scale: Scale) -> Report:
    return _play(stack, scale, "orders")


def never(stack: Stack, scale: Scale) -> Report:
    return _play(stack, scale, "letters")


def _play(stack: Stack, scale: Scale, route: str) -> Report:
    report = Report("kills" if route == "orders" else "never", stack.database.name)
    chance = scale.random()
    schedule = _schedule(stack, scale, chance)
    total = scale.size(80, 4000)
    batch = -(-total // (len(schedule) + 1))
    load = Load(stack.routes[route], [scale.order(report.scenario, number) for number in range(total)]).start(batch)
    turns: dict[str, int] = {}
    for number, kind in enumerate(schedule, 1):
        _wait_into_the_work(stack, load, batch * number, chance.uniform(0.2, 0.6))
        _kill(stack, kind, turns)
        report.kills[kind] += 1
        load.allow(batch)
    load.allow_all()
    seconds = wait_for_the_end(stack, load, report)
    may_doubt = route == "letters"
    count(report, stack, load, actions=ACTIONS, may_doubt=may_doubt)
    report.note(f"{seconds:.0f} s from the last kill to the last end")
    if scale.bars:
        report.want(seconds <= END_SECONDS, f"The last run ended {seconds:.0f} s after the last kill.")
    if may_doubt:
        most = sum(report.kills.values()) * CONCURRENCY
        report.want(report.in_doubt <= most, f"{report.in_doubt} in doubt is more than kills × threads = {most}.")
    return report


def _schedule(stack: Stack, scale: Scale, chance: random.Random) -> list[str]:
    wanted = dict(KILLS)
    if stack.database_link is not None:
        wanted["database"] = DATABASE_RESTARTS
    schedule = [kind for kind, (short, full) in wanted.items() for _ in range(scale.size(short, full))]
    chance.shuffle(schedule)
    return schedule


def _wait_into_the_work(stack: Stack, load: Load, allowed: int, share: float) -> None:
    """Until that share of what is still to happen has happened. Not for ever: what was killed waits for its lease."""
    before = _happened(stack, load)
    wanted = before + share * (allowed * (1 + ACTIONS) - before)
    try:
        stack.wait_for(lambda: _happened(stack, load) >= wanted, "things go on", seconds=20)
    except Late:
        return


def _happened(stack: Stack, load: Load) -> int:
    """Calls that were accepted, and effects that arrived since the target was last emptied."""
    return len(load.accepted) + stack.target.arrived.total()


def _kill(stack: Stack, kind: str, turns: dict[str, int]) -> None:
    """One of that kind, in turn, and only once it has come up: to kill what hasn't begun proves nothing."""
    if kind == "database":
        stack.restart_database()
        return
    names = KINDS[kind]
    name = names[turns.get(kind, 0) % len(names)]
    turns[kind] = turns.get(kind, 0) + 1
    if kind == "worker":
        stack.wait_for(lambda: stack.worker_is_up(name), f"{name} is up")
    if kind == "web":
        stack.wait_for(stack.web_answers, "web is up")
    stack.kill(name)

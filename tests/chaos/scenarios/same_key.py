"""Many callers send one request with one Idempotency-Key at the same moment: there is one run, and all hear of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

from tests.chaos.callers import Reply, call
from tests.chaos.report import Report
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack

CALLERS = 50


def same_key(stack: Stack, scale: Scale) -> Report:
    """Each key on an asynchronous route and on a synchronous one."""
    report = Report("same_key", stack.database.name)
    keys = [scale.order("same", number) for number in range(scale.size(3, 40))]
    for name in ("orders", "sums"):
        _play(stack, report, name, keys)
    return report


def _play(stack: Stack, report: Report, name: str, keys: list[str]) -> None:
    route, began_at = stack.routes[name], datetime.now(UTC)
    told: dict[str, set[str]] = {}
    later = 0
    with ThreadPoolExecutor(CALLERS) as pool:
        for key in keys:
            together = Barrier(CALLERS)
            replies = list(pool.map(lambda _, key=key, at=together: _call_at(at, route, key), range(CALLERS)))  # type: ignore[misc]
            odd = [reply for reply in replies if reply.status not in (200, 202, 409)]
            report.want(not odd, f"{name}: {len(odd)} answers like {odd[:1]}.")
            good = [reply for reply in replies if reply.status in (200, 202)]
            told[key] = {reply.headers["x-run-id"] if reply.status == 200 else reply.body["run_id"] for reply in good}
            later += len(replies) - len(good) - len(odd)
            other = call(route, {"order": f"{key}-other", "price": 1}, key=key)
            report.want(other.status == 422, f"{name}: another request with the same key got {other.status}, not 422.")
    rows = stack.database.runs()
    mine = [row for row in rows.values() if row.route == route["url"].rpartition("/")[2] and row.created_at > began_at]
    report.accepted += len(keys)
    report.done += len(set().union(*told.values()) & rows.keys())
    report.lost += sum(not ids for ids in told.values())
    report.want(
        all(len(ids) == 1 for ids in told.values()), f"{name}: callers of one key heard of several runs, or none."
    )
    report.want(len(mine) == len(keys), f"{name}: {len(keys)} keys made {len(mine)} runs.")
    report.note(f"{name}: {CALLERS} callers × {len(keys)} keys: {len(mine)} runs, {later} asked to come again (409)")


def _call_at(together: Barrier, route: dict[str, str], key: str) -> Reply:
    together.wait(60)
    return call(route, {"order": key, "price": 1}, key=key, timeout_seconds=120)

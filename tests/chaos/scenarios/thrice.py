"""Every message comes three times and in any order, after all others were held back: each run is worked on once."""

from __future__ import annotations

from celery import Celery

from tests.chaos.callers import Load
from tests.chaos.report import Report, count
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.chaos.waiting import wait_for_the_end

COPIES = 3


def thrice(stack: Stack, scale: Scale) -> Report:
    report = Report("thrice", stack.database.name)
    total = scale.size(40, 500)
    stack.broker_link.freeze()
    load = Load(stack.routes["orders"], [scale.order("thrice", number) for number in range(total)], callers=8)
    load.start()
    stack.wait_for(lambda: not load.busy(), "every call is answered", 300)
    copies = [run_id for run_id in load.accepted.values() for _ in range(COPIES)]
    scale.random().shuffle(copies)
    _publish(stack.broker_link.upstream, copies)
    stack.broker_link.heal()
    wait_for_the_end(stack, load, report)
    rows = count(report, stack, load, actions=2)
    more = sum(row.fence - 1 for row in rows.values())
    report.note(f"{len(copies)} further messages, {more} further claims")
    report.want(not scale.bars or more == 0, f"{more} runs were claimed once more, though nobody had died.")
    return report


def _publish(port: int, run_ids: list[str]) -> None:
    """Past the link, as the product's own publisher does it."""
    app = Celery(broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
    app.conf.broker_transport_options = {"global_keyprefix": "chatflow:"}
    app.conf.task_default_queue = "runs"
    for run_id in run_ids:
        app.send_task("chatflow.run", args=[run_id], ignore_result=True)
    app.close()

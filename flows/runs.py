"""The host of the engine: start, resume and finish a run, and keep its story.

A run is in the database before its first effect and before its answer: a pure synchronous one by a single INSERT at
its end, a longer one from its first checkpoint on. Every write is guarded by the fence of whoever owns the run.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from flows import alarms, contents, leases, outside, sensitive
from flows.backlog import QueueFull, make_room
from flows.claims import MAX_CLAIMS, LeaseLost, claim, hinted, is_suspect, owned
from flows.commits import commit
from flows.company import SUSPECT_AFTER, company
from flows.effects import settle
from flows.engine import clock
from flows.engine.errors import FlowError, RunError
from flows.engine.node import Signal
from flows.engine.plan import Plan
from flows.engine.protocols import Door
from flows.engine.state import State, read_state
from flows.engine.strictjson import JSON, stored
from flows.execution import Also, Execution, error_text, insert_run
from flows.hints import hint
from flows.ids import new_run_id
from flows.models import TERMINAL, Run, RunState

__all__ = ["Admitted", "QueueFull", "accept", "cancel", "commit", "resume", "run_now", "settle", "story"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that passed every check, and the content it is to run.

    `request` is what the flow reads of it: payload, query, query_all, headers, route. `draft` is the text of a content of
    the sandbox (`contents.sealed_draft`), to be stored with the run; empty where the content is stored already.
    """

    entity_id: int
    flow_id: int
    version_id: int | None
    plan: Plan
    environment: str
    request: dict[str, JSON]
    step: int = 1
    route: str = ""
    token_prefix: str = ""
    is_async: bool = False
    draft: str = ""


def accept(admitted: Admitted, *, also: Also | None = None, held: bool = False) -> Run:
    """Queue a run for the workers. When this returns it is committed; what happens to the broker doesn't matter.

    A `held` one isn't begun before its route is released (flows/holding.py). Raises QueueFull where too many wait.
    """
    make_room()
    run = _new_run(admitted, RunState.QUEUED, durable=True)
    sensitive.begin(run, admitted.plan, admitted.request)
    run.wake_at = None if held else hinted()

    def write() -> None:
        insert_run(run, admitted.draft)
        if also is not None:
            also(run)
        if not held:
            hint(run.pk)

    commit(write, kept=Run.objects.filter(pk=run.pk).exists)
    return run


def run_now(admitted: Admitted, *, deadline_seconds: float, door: Door | None = None, also: Also | None = None) -> Run:
    """Run while the caller waits. Returns the run: terminal, or queued or waiting where it goes on in a worker.

    With `also` (an Idempotency-Key) the run is committed first and goes on whatever becomes of this process.
    """
    run = _new_run(admitted, RunState.RUNNING, durable=also is not None)
    request, keeping = sensitive.begin(run, admitted.plan, admitted.request)
    given = _given(run, request)
    state = State(run_id=str(run.pk), given=given, plan=admitted.plan.sha256, cursor=admitted.step)
    deadline = time.monotonic() + deadline_seconds
    door = door or outside.door(run.entity_id)
    execution = Execution(run, state, door, deadline=deadline, draft=admitted.draft, keeping=keeping)
    if also is not None:
        execution.insert(also)
    try:
        return execution.carry_out(admitted.plan)
    except LeaseLost:
        run.refresh_from_db()
        return run


def resume(run_id: UUID) -> Run | None:
    """Claim a run and carry it on: what a worker does with a hint. None where there is nothing to do.

    Raises one of AWAY where the database is away: the run goes on when its lease is over.
    """
    with company.together():
        run = _claim_and_carry_on(run_id, below=SUSPECT_AFTER)
    if run is None and is_suspect(run_id):
        with company.alone():
            run = _claim_and_carry_on(run_id, below=MAX_CLAIMS)
    return run or _look_at(run_id)


def _claim_and_carry_on(run_id: UUID, *, below: int) -> Run | None:
    began_at = time.monotonic()
    run = claim(run_id, below=below)
    if run is None:
        return None
    with structlog.contextvars.bound_contextvars(run_id=str(run.pk)):
        try:
            run = _resume_claimed(run, began_at)
            log.info("The run is %s.", run.state)
            return run
        except LeaseLost:
            log.warning("The lease ran out while the run was worked on; another worker has it now.")
            return None


def _resume_claimed(run: Run, began_at: float) -> Run:
    if not run.durable:
        error = RunError("The process that ran this request died before it answered.", code="interrupted", status=503)
        return _fail(run, error)
    try:
        return _go_on(run, began_at)
    except contents.ContentRefused as error:
        return _fail(run, error)


def _go_on(run: Run, began_at: float) -> Run:
    """From the last checkpoint. Raises ContentRefused where that content isn't run."""
    request, keeping = sensitive.resume(run)
    last = run.segments.order_by("-number").first()
    saved: Any = stored(keeping.opened(last.state)) if last else {"plan": run.content_id, "cursor": run.step}
    state = read_state(str(run.pk), _given(run, request), saved)
    plan = contents.plan_of(state.plan)
    known = {effect.key: effect for effect in run.effects.all()}
    number, door = last.number if last else 0, outside.door(run.entity_id)
    execution = Execution(run, state, door, known=known, segments=number, keeping=keeping)
    execution.lease = leases.keep(run, began_at)
    return execution.carry_out(plan, Signal(came=False) if state.waiting_until else None)


def _new_run(admitted: Admitted, state: RunState, *, durable: bool) -> Run:
    return Run(
        id=new_run_id(),
        entity_id=admitted.entity_id,
        flow_id=admitted.flow_id,
        version_id=admitted.version_id,
        content_id=admitted.plan.sha256,
        environment=admitted.environment,
        route=admitted.route,
        token_prefix=admitted.token_prefix,
        step=admitted.step,
        is_async=admitted.is_async,
        durable=durable,
        state=state,
        created_at=timezone.now(),
    )


def _given(run: Run, request: dict[str, JSON]) -> dict[str, JSON]:
    """The names that every step may read besides variables and outputs."""
    about_run: JSON = {"id": str(run.pk), "started_at": clock.rfc3339(run.created_at)}
    return {
        "payload": None,
        "query": {},
        "query_all": {},
        "headers": {},
        "route": {},
        **request,
        "run": about_run,
        "contact": None,
    }


def _fail(run: Run, error: RunError) -> Run:
    """End a run that can't be carried on."""
    ending = {"error": error_text(error), "sealed": "", "wake_at": None, "finished_at": timezone.now()}

    def write() -> None:
        owned(run, state=RunState.FAILED, **ending)
        sensitive.forget(run.pk)

    commit(write)
    run.refresh_from_db()
    return run


def _look_at(run_id: UUID) -> Run | None:
    """What is to be done with a run that can't be claimed. Returns it where it was given up."""
    due = Run.objects.filter(pk=run_id, wake_at__lte=Now(), state__in=[RunState.RUNNING, *alarms.TELL])
    if not due.exists():
        return None
    error = RunError(f"Given up after {MAX_CLAIMS} tries.", code="dead")
    ending = {"error": error_text(error), "sealed": "", "finished_at": timezone.now(), "fence": F("fence") + 1}
    hopeless = due.filter(state=RunState.RUNNING, attempt__gte=MAX_CLAIMS)

    def write() -> int:
        given_up = hopeless.update(state=RunState.DEAD, wake_at=Now(), **ending)
        if given_up:
            sensitive.forget(run_id)
        return given_up

    given_up = commit(write)
    alarms.tell(run_id)
    return Run.objects.get(pk=run_id) if given_up else None


def cancel(run: Run) -> Run:
    """End a run that isn't over; whoever works on it writes nothing any more. Raises FlowError where it has ended.

    What it did outside stays done: its effects say what that was.
    """
    error = RunError("Somebody cancelled the run.", code="cancelled")

    def write() -> int:
        alive = Run.objects.filter(pk=run.pk).exclude(state__in=TERMINAL)
        ended = alive.update(
            state=RunState.CANCELLED,
            error=error_text(error),
            sealed="",
            fence=F("fence") + 1,
            wake_at=None,
            finished_at=timezone.now(),
        )
        if ended:
            sensitive.forget(run.pk)
        return ended

    if not commit(write):
        raise FlowError("The run has ended already.", code="run_ended", hint="Look at it again.")
    run.refresh_from_db()
    return run


def story(run: Run) -> list[dict[str, Any]]:
    """Every step of the run, in order."""
    texts = [run.trace] if run.trace else [segment.steps for segment in run.segments.all()]
    steps: list[Any] = [step for text in texts for step in _list(text)]
    return steps


def _list(text: str) -> list[Any]:
    value = stored(text)
    assert isinstance(value, list)
    return value

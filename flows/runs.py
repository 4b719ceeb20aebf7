"""The host of the engine: start, resume and finish a run, and keep its story.

A run is in the database before its first effect and before its answer: a pure synchronous one by a single INSERT at
its end, a longer one from its first checkpoint on. Every write is guarded by the fence of whoever owns the run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from flows import contents, notices, outside
from flows.claims import LEASE_SECONDS, MAX_CLAIMS, RENEW_AFTER_SECONDS, LeaseLost, claim, owned, renew
from flows.commits import commit
from flows.effects import InDoubt, Journal
from flows.engine import clock
from flows.engine.errors import FlowError, RunError
from flows.engine.limits import MAX_ASYNC_STEPS, MAX_SYNC_STEPS
from flows.engine.loop import Failed, Finished, Jumped, Result, Waiting, advance, enter
from flows.engine.node import Signal
from flows.engine.plan import Plan
from flows.engine.protocols import Call, Door
from flows.engine.state import State, Step, read_state
from flows.engine.strictjson import JSON, dumps, loads
from flows.hints import hint
from flows.ids import new_run_id
from flows.models import Effect, EffectState, Entity, Environment, Flow, Run, RunState, Segment

HINT_GRACE_SECONDS = 3
"""How long a published hint has before the dispatcher publishes the run again."""

log = logging.getLogger(__name__)

Also = Callable[[Run], None]
"""A further write that belongs into the transaction of the run's INSERT."""


class HandOver(Exception):
    """The caller's time is up: the run goes on in a worker."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that passed every check, and the content it is to run.

    `request` is what the flow reads of it: payload, query, query_all, headers, route.
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


def accept(admitted: Admitted, *, also: Also | None = None) -> Run:
    """Queue a run for the workers. When this returns it is committed; what happens to the broker doesn't matter."""
    run = _new_run(admitted, RunState.QUEUED, durable=True)
    run.wake_at = run.created_at + timedelta(seconds=HINT_GRACE_SECONDS)

    def write() -> None:
        run.save(force_insert=True)
        if also is not None:
            also(run)
        hint(run.pk)

    commit(write)
    return run


def run_now(admitted: Admitted, *, deadline_seconds: float, door: Door | None = None, also: Also | None = None) -> Run:
    """Run while the caller waits. Returns the run: terminal, or queued or waiting where it goes on in a worker.

    With `also` (an Idempotency-Key) the run is committed first and goes on whatever becomes of this process.
    """
    run = _new_run(admitted, RunState.RUNNING, durable=also is not None)
    given = _given(run, admitted.request)
    state = State(run_id=str(run.pk), given=given, plan=admitted.plan.sha256, cursor=admitted.step)
    execution = Execution(run, state, door or outside.door(), deadline=time.monotonic() + deadline_seconds)
    if also is not None:
        execution.insert(also)
    try:
        return execution.carry_out(admitted.plan)
    except LeaseLost:
        run.refresh_from_db()
        return run


def resume(run_id: UUID) -> Run | None:
    """Claim a run and carry it on: what a worker does with a hint. None where there is nothing to do."""
    run = claim(run_id)
    if run is None:
        return None
    with structlog.contextvars.bound_contextvars(run_id=str(run.pk)):
        try:
            return _resume_claimed(run)
        except LeaseLost:
            log.warning("The lease ran out while the run was worked on; another worker has it now.")
            return None


def _resume_claimed(run: Run) -> Run:
    if not run.durable:
        error = RunError("The process that ran this request died before it answered.", code="interrupted", status=503)
        return _end_without_steps(run, RunState.FAILED, error)
    if run.attempt > MAX_CLAIMS:
        run = _end_without_steps(run, RunState.DEAD, RunError(f"Given up after {MAX_CLAIMS} tries.", code="dead"))
        notices.run_is_dead(run)
        return run
    request: Any = loads(run.request)
    last = run.segments.order_by("-number").first()
    saved: Any = loads(last.state) if last else {"plan": run.content_id, "cursor": run.step}
    state = read_state(str(run.pk), _given(run, request), saved)
    known = {effect.key: effect for effect in run.effects.all()}
    execution = Execution(run, state, outside.door(), known=known, segments=last.number if last else 0, saved=True)
    signal = Signal(came=False) if state.waiting_until else None
    return execution.carry_out(contents.plan_of(state.plan), signal)


@dataclass
class Execution:
    """One process's work on one run: drives the engine, writes checkpoints, ends the run."""

    run: Run
    state: State
    door: Door
    deadline: float | None = None
    known: dict[str, Effect] = field(default_factory=dict)
    segments: int = 0
    saved: bool = False
    trace: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self.door, self._checkpoint, self.known)
        self.renewed = time.monotonic()

    def carry_out(self, plan: Plan, signal: Signal | None = None) -> Run:
        """Take the run as far as it goes here: to its end, a wait, a hand-over, or doubt."""
        try:
            result = self._drive(plan, signal)
        except HandOver:
            return self._put_down(RunState.QUEUED, timezone.now() + timedelta(seconds=HINT_GRACE_SECONDS))
        except InDoubt as doubt:
            return self._doubt(doubt.key)
        if isinstance(result, Waiting):
            return self._put_down(RunState.WAITING, parse_datetime(result.until))
        return self._end(result)

    def _drive(self, plan: Plan, signal: Signal | None) -> Finished | Waiting | Failed:
        """Advance, from flow to flow. A bug ends here, logged, as a failed run."""
        max_steps = MAX_ASYNC_STEPS if self.run.is_async else MAX_SYNC_STEPS
        door = _InTime(self.journal, self.deadline)
        try:
            while True:
                result: Result = advance(
                    plan, self.state, door, self.trace, max_steps=max_steps, between=self._between, signal=signal
                )
                if not isinstance(result, Jumped):
                    return result
                plan = contents.find_flow(self.run.entity_id, result.to.flow, plan.kind, self.run.environment)
                enter(plan, self.state, result.to.step)
                signal = None
        except RunError as error:
            return Failed(error)
        except (HandOver, InDoubt, LeaseLost):
            raise
        except Exception:  # the one edge at which a bug is caught: the caller gets an answer, the log the traceback
            log.exception("The run failed because of a bug.")
            return Failed(RunError("Something went wrong inside Chatflow.", hint="The log has the details."))

    def _between(self) -> None:
        """Before each step: is there time left, is the run still ours?"""
        now = time.monotonic()
        if self.deadline is not None and now >= self.deadline:
            raise HandOver
        if self.saved and now - self.renewed > RENEW_AFTER_SECONDS:
            renew(self.run)
            self.renewed = now

    def insert(self, also: Also | None = None) -> None:
        """Write the run's row before its first effect."""
        self.run.fence, self.run.attempt = 1, 1
        self.run.wake_at = timezone.now() + timedelta(seconds=LEASE_SECONDS)

        def write() -> None:
            self.run.save(force_insert=True)
            if also is not None:
                also(self.run)

        commit(write)
        self.saved = True

    def _checkpoint(self, effect: Effect) -> None:
        """Commit where the run stands, with the effect that comes next."""
        effect.run = self.run
        if not self.saved:
            self.insert()
        self._write(lambda: effect.save(force_insert=True), attempt=0, wake_at=Now() + timedelta(seconds=LEASE_SECONDS))
        self.renewed = time.monotonic()

    def _put_down(self, state: RunState, wake_at: datetime | None) -> Run:
        """Leave the run to the workers: it is queued, or it waits."""
        if not self.saved:
            self.insert()
        then = (lambda: hint(self.run.pk)) if state == RunState.QUEUED else (lambda: None)
        self._write(then, state=state, wake_at=wake_at, durable=True, attempt=0)
        return self.run

    def _doubt(self, key: str) -> Run:
        doubtful = Effect.objects.filter(pk=key)
        self._write(lambda: doubtful.update(state=EffectState.IN_DOUBT), state=RunState.IN_DOUBT, wake_at=None)
        notices.run_is_in_doubt(self.run)
        return self.run

    def _end(self, result: Finished | Failed) -> Run:
        """Write the end: one INSERT where nothing of the run was written yet."""
        run = self.run
        ending: dict[str, Any] = {"wake_at": None, "finished_at": timezone.now(), **_ending(result)}
        if self.saved:
            self._write(lambda: None, **ending)
            return run
        run.trace = dumps([step.as_json() for step in self.trace])
        for name, value in ending.items():
            setattr(run, name, value)
        commit(lambda: run.save(force_insert=True))
        return run

    def _write(self, also: Callable[[], object], **changes: Any) -> None:
        """A checkpoint: the segment since the last one, outcomes of effects, the row's changes, in one transaction."""
        number = self.segments + 1
        segment = Segment(run=self.run, number=number, at=timezone.now())
        segment.state = dumps(self.state.as_json())
        segment.steps = dumps([step.as_json() for step in self.trace])

        def write() -> None:
            owned(self.run, **changes)
            segment.save(force_insert=True)
            self.journal.settle_outcomes()
            also()

        commit(write)
        self.segments = number
        self.trace.clear()
        self.journal.forget_outcomes()
        for name, value in changes.items():
            setattr(self.run, name, value)


@dataclass(frozen=True, slots=True)
class _InTime:
    """The door of a process with a deadline: a call that might not end in time isn't begun here."""

    door: Door
    deadline: float | None

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Any:
        if self.deadline is not None and time.monotonic() + call.timeout_seconds > self.deadline:
            raise HandOver
        return self.door.call(call, definitions)

    def key(self, definition: dict[str, Any]) -> bytes:
        return self.door.key(definition)


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
        request=dumps(admitted.request),
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


def _ending(result: Finished | Failed) -> dict[str, Any]:
    if isinstance(result, Finished):
        end = result.end
        answer: JSON = {"status": end.status, "headers": [list(pair) for pair in end.headers], "body": end.body}
        return {"state": RunState.SUCCEEDED, "answer": dumps(answer)}
    return {"state": RunState.FAILED, "error": _error_text(result.error)}


def _error_text(error: RunError) -> str:
    return dumps({"code": error.code, "status": error.status, "message": error.message, "hint": error.hint})


def _end_without_steps(run: Run, state: RunState, error: RunError) -> Run:
    owned(run, state=state, error=_error_text(error), wake_at=None, finished_at=timezone.now())
    run.refresh_from_db()
    return run


def story(run: Run) -> list[dict[str, Any]]:
    """Every step of the run, in order."""
    texts = [run.trace] if run.trace else [segment.steps for segment in run.segments.all()]
    steps: list[Any] = [step for text in texts for step in _list(text)]
    return steps


def _list(text: str) -> list[Any]:
    value = loads(text)
    assert isinstance(value, list)
    return value


def settle(effect: Effect, *, sent: bool, answer_code: int = 200) -> None:
    """A person says whether a doubtful effect arrived; its run goes on. Raises FlowError where nothing is in doubt."""
    outcome = dumps({"code": answer_code, "headers": {}, "data": None}) if sent else ""
    state = EffectState.DONE if sent else EffectState.NOT_SENT

    def write() -> None:
        doubtful = Effect.objects.filter(pk=effect.pk, state=EffectState.IN_DOUBT)
        if not doubtful.update(state=state, outcome=outcome, finished_at=timezone.now()):
            raise FlowError("Nothing is in doubt here any more.", code="not_in_doubt", hint="Look at the run again.")
        waiting = Run.objects.filter(pk=effect.run_id, state=RunState.IN_DOUBT)
        waiting.update(state=RunState.QUEUED, attempt=0, wake_at=timezone.now())
        hint(effect.run_id)

    commit(write)


def sandbox_run(flow: Flow, request: dict[str, JSON], *, step: int = 1, door: Door | None = None) -> Run:
    """Run the saved draft as it is, and keep the run."""
    content, plan = contents.sandbox_content(flow)
    admitted = Admitted(flow.entity_id, flow.pk, None, plan, Environment.SANDBOX, request, step=step)
    return run_now(admitted, deadline_seconds=60, door=door)

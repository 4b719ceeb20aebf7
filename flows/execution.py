"""One process's work on one run: drive the engine, write checkpoints, end the run. `runs` decides when to do so.

Every write after the first is guarded by the fence of whoever owns the run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from flows import alarms, contents, leases, stopping
from flows.claims import LeaseLost, hinted, owned, renew
from flows.commits import AWAY, commit
from flows.effects import InDoubt, Journal
from flows.engine.errors import RunError
from flows.engine.limits import MAX_ASYNC_STEPS, MAX_SYNC_STEPS
from flows.engine.loop import Failed, Finished, Jumped, Result, Waiting, advance, enter
from flows.engine.node import Signal
from flows.engine.plan import Plan
from flows.engine.protocols import Answer, Call, Door
from flows.engine.state import State, Step
from flows.engine.strictjson import JSON, dumps
from flows.hints import hint
from flows.known_secrets import bind
from flows.models import Effect, EffectState, Run, RunState, Segment
from flows.sealing import store
from flows.sensitive import OPENLY, Keeping, forget, sealed_request, widened

log = logging.getLogger(__name__)

Also = Callable[[Run], None]
"""A further write that belongs into the transaction of the run's INSERT."""


class HandOver(Exception):
    """The caller's time is up: the run goes on in a worker."""


@dataclass
class Execution:
    """One process's work on one run: drives the engine, writes checkpoints, ends the run."""

    run: Run
    state: State
    door: Door
    deadline: float | None = None
    draft: str = ""
    known: dict[str, Effect] = field(default_factory=dict)
    segments: int = 0
    lease: leases.Lease | None = None
    keeping: Keeping = OPENLY
    trace: list[Step] = field(default_factory=list)
    hidden_anew: bool = False

    def __post_init__(self) -> None:
        self.journal = Journal(self.door, self._checkpoint, self._make_sure, self.known, self.keeping)

    def carry_out(self, plan: Plan, signal: Signal | None = None) -> Run:
        """Take the run as far as it goes here: to its end, a wait, a hand-over, or doubt.

        Raises LeaseLost, and one of AWAY where the database is away: then the run stays where it was put down last.
        """
        try:
            return self._carry_out(plan, signal)
        finally:
            if self.lease is not None:
                leases.drop(self.lease)

    def _carry_out(self, plan: Plan, signal: Signal | None) -> Run:
        try:
            result = self._drive(plan, signal)
        except HandOver:
            return self._put_down(RunState.QUEUED, hinted())
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
                self._keep(widened(self.run, plan, self.keeping))
                enter(plan, self.state, result.to.step)
                signal = None
        except RunError as error:
            return Failed(error)
        except (HandOver, InDoubt, LeaseLost, *AWAY):
            raise
        except Exception:  # the one edge at which a bug is caught: the caller gets an answer, the log the traceback
            log.exception("The run failed because of a bug.")
            return Failed(RunError("Something went wrong inside Chatflow.", hint="The log has the details."))

    def _between(self) -> None:
        """Before each step: is there time left, does this process go on, is the run still ours?"""
        self._learn()
        now = time.monotonic()
        if self.deadline is None:
            if stopping.is_asked():
                raise HandOver
        elif now >= self.deadline:
            raise HandOver
        if self.lease is not None:
            self.lease.moved_at = now
            if self.lease.lost:
                raise LeaseLost(f"Run {self.run.pk} belongs to another worker.")

    def _learn(self) -> None:
        """Hide from now on what the last step made of hidden values."""
        self._keep(self.keeping.learned(self.trace[-1:]))

    def _keep(self, keeping: Keeping) -> None:
        """Keep what follows that way. The row's request goes with the next write."""
        if keeping is not self.keeping:
            self.keeping = self.journal.keeping = keeping
            self.hidden_anew = True
            bind(keeping.mask)

    def insert(self, also: Also | None = None) -> None:
        """Write the run's row before its first effect, and own it."""
        run, began_at = self.run, time.monotonic()
        run.fence, run.attempt = 1, 1
        run.wake_at = leases.lease_end()

        def write() -> None:
            insert_run(run, self.draft)
            if also is not None:
                also(run)

        commit(write, kept=Run.objects.filter(pk=run.pk).exists)
        self.lease = leases.keep(run, began_at)

    def _make_sure(self, *, again: bool) -> None:
        """Right before an effect goes out: it is ours to send. What was begun before is asked of the database.

        Raises LeaseLost. Whoever is frozen after this, and within the call itself, can't be helped.
        """
        assert self.lease is not None
        self.lease.moved_at = began_at = time.monotonic()
        if again or not self.lease.is_sure():
            renew(self.run)
            self.lease.renewed_at = began_at

    def _checkpoint(self, effect: Effect) -> None:
        """Commit where the run stands, with the effect that comes next."""
        effect.run = self.run
        if self.lease is None:
            self.insert()
        assert self.lease is not None
        began_at = time.monotonic()
        self._write(lambda: effect.save(force_insert=True), attempt=0, wake_at=leases.lease_end())
        self.lease.renewed_at = began_at

    def _put_down(self, state: RunState, wake_at: datetime | Combinable | None) -> Run:
        """Leave the run to the workers: it is queued, or it waits."""
        if self.lease is None:
            self.insert()
        then = (lambda: hint(self.run.pk)) if state == RunState.QUEUED else (lambda: None)
        self._write(then, state=state, wake_at=wake_at, durable=True, attempt=0)
        return self.run

    def _doubt(self, key: str) -> Run:
        doubtful = Effect.objects.filter(pk=key)
        self._write(lambda: doubtful.update(state=EffectState.IN_DOUBT), state=RunState.IN_DOUBT, wake_at=Now())
        alarms.tell(self.run.pk)
        return self.run

    def _end(self, result: Finished | Failed) -> Run:
        """Write the end: one INSERT where nothing of the run was written yet."""
        run = self.run
        self._learn()
        ending: dict[str, Any] = {"wake_at": None, "finished_at": timezone.now(), **self._ending(result)}
        if self.lease is not None:
            self._write(lambda: forget(run.pk) if run.sealed else None, **ending)
            return run
        run.trace = self.keeping.trace(self.trace)
        for name, value in ending.items():
            setattr(run, name, value)
        commit(lambda: insert_run(run, self.draft), kept=Run.objects.filter(pk=run.pk).exists)
        return run

    def _ending(self, result: Finished | Failed) -> dict[str, Any]:
        if isinstance(result, Failed):
            error = self.keeping.error(error_text(result.error), self.trace)
            return {"state": RunState.FAILED, "error": error, "sealed": ""}
        end = result.end
        answer: dict[str, JSON] = {
            "status": end.status,
            "headers": [list(pair) for pair in end.headers],
            "body": end.body,
        }
        return {"state": RunState.SUCCEEDED, "sealed": "", **self.keeping.ending(answer)}

    def _write(self, also: Callable[[], object], **changes: Any) -> None:
        """A checkpoint: the segment since the last one, outcomes of effects, the row's changes, in one transaction."""
        self._learn()
        if self.hidden_anew:
            changes = {"request": self.run.request, "sealed": sealed_request(self.run, self.keeping), **changes}
        number = self.segments + 1
        segment = Segment(run=self.run, number=number, at=timezone.now())
        segment.state = self.keeping.sealed(dumps(self.state.as_json()))
        segment.steps = self.keeping.trace(self.trace)

        def write() -> None:
            owned(self.run, **changes)
            segment.save(force_insert=True)
            self.journal.settle_outcomes()
            also()

        def kept() -> bool:
            """Whoever has the fence alone writes segments, each in one transaction with the rest."""
            ours = Run.objects.filter(pk=self.run.pk, fence=self.run.fence)
            return ours.filter(segments__number=number).exists()

        commit(write, kept=kept)
        self.segments, self.hidden_anew = number, False
        self.trace.clear()
        self.journal.forget_outcomes()
        for name, value in changes.items():
            setattr(self.run, name, value)


@dataclass(frozen=True, slots=True)
class _InTime:
    """The door of a process with a deadline: a call that might not end in time isn't begun here."""

    door: Door
    deadline: float | None

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        if self.deadline is not None and time.monotonic() + call.timeout_seconds > self.deadline:
            raise HandOver
        return self.door.call(call, definitions)

    def key(self, definition: dict[str, Any]) -> bytes:
        return self.door.key(definition)


def insert_run(run: Run, draft: str) -> None:
    """Write a run's row, and before it the draft that it runs: a sandbox content which nobody may have run before."""
    if draft:
        store(draft)
    run.save(force_insert=True)


def error_text(error: RunError) -> str:
    """How a run's row keeps its error."""
    return dumps({"code": error.code, "status": error.status, "message": error.message, "hint": error.hint})

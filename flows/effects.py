"""The journal of outside actions: written before each one that isn't safe, so that none is done twice in silence.

A step that is done again after a crash gets the recorded outcome of a call that finished; one whose outcome isn't
known is sent again only if its endpoint says that it may be (`repeat`), else the run is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

from django.contrib.auth.models import User
from django.utils import timezone

from flows.commits import commit
from flows.engine.errors import FlowError, NodeError
from flows.engine.protocols import Answer, Call, Door
from flows.engine.strictjson import JSON, dumps, stored
from flows.hints import hint
from flows.models import Effect, EffectState, Run, RunState
from flows.sensitive import OPENLY, Keeping

WriteEffect = Callable[[Effect], None]


class MakeSure(Protocol):
    """Raises where the run isn't ours any more. `again`: the call was begun before, maybe by somebody else."""

    def __call__(self, *, again: bool) -> None: ...


class InDoubt(Exception):
    """A call was begun and nobody knows whether it arrived; it may not be sent again without a person's word."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The outcome of effect {key} isn't known.")
        self.key = key


class Journal:
    """A Door that keeps the journal of one run. `before` commits the checkpoint that goes with a new effect.

    Outcomes wait in `outcomes` for the next checkpoint: `settle_outcomes` writes them.
    """

    def __init__(
        self,
        door: Door,
        before: WriteEffect,
        make_sure: MakeSure,
        known: dict[str, Effect],
        keeping: Keeping = OPENLY,
    ) -> None:
        self._door, self._before, self._make_sure, self._known = door, before, make_sure, known
        self.keeping = keeping
        self.outcomes: dict[str, str] = {}

    def key(self, definition: dict[str, Any]) -> bytes:
        return self._door.key(definition)

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        """Make the call once. Raises NodeError as the door does, InDoubt where it may not be made again."""
        if call.repeat == "safe" or definitions.get("connection", {}).get(call.connection, {}).get("pretend"):
            return self._door.call(call, definitions)
        effect = self._known.get(call.key)
        again = effect is not None
        if effect is None:
            request = self.keeping.sealed(_request(call))
            effect = Effect(key=call.key, repeat=call.repeat, request=request, started_at=timezone.now())
            self._before(effect)
            self._known[call.key] = effect
        elif effect.state == EffectState.DONE:
            return _replay(self.keeping.opened(effect.outcome))
        elif effect.state != EffectState.NOT_SENT and effect.repeat == "never":
            raise InDoubt(effect.key)
        self._make_sure(again=again)
        return self._send(read_request(self.keeping.opened(effect.request)), definitions)

    def _send(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        try:
            answer = self._door.call(call, definitions)
        except NodeError as error:
            self._came(call, {"error": error.code, "message": error.message, "hint": error.hint})
            raise
        self._came(
            call, {"code": answer.code, "headers": dict(answer.headers), "data": answer.data, "note": answer.note}
        )
        return answer

    def _came(self, call: Call, outcome: dict[str, JSON]) -> None:
        self.outcomes[call.key] = self.keeping.sealed(dumps(outcome))

    def settle_outcomes(self) -> None:
        """Write the outcomes of calls that finished. Belongs into the transaction of a checkpoint."""
        for key, outcome in self.outcomes.items():
            Effect.objects.filter(pk=key).update(state=EffectState.DONE, outcome=outcome, finished_at=timezone.now())

    def forget_outcomes(self) -> None:
        """The checkpoint is committed."""
        self.outcomes.clear()


def _request(call: Call) -> str:
    return dumps({**asdict(call), "timeout_seconds": int(call.timeout_seconds)})


def read_request(text: str) -> Call:
    """The call that an effect's `request` keeps, to be sent again byte for byte."""
    saved: Any = stored(text)
    for pairs in ("query", "headers"):
        saved[pairs] = tuple((name, value) for name, value in saved[pairs])
    return Call(**saved)


def _replay(outcome: str) -> Answer:
    saved: Any = stored(outcome)
    if "error" in saved:
        raise NodeError(saved["message"], code=saved["error"], hint=saved["hint"])
    return Answer(saved["code"], saved["headers"], saved["data"], note=saved.get("note", ""))


def settle(effect: Effect, *, sent: bool, by: User, answer_code: int = 200) -> None:
    """A person says whether a doubtful effect arrived; its run goes on. Raises FlowError where nothing is in doubt.

    Who may do so is for the caller to check.
    """
    outcome = dumps({"code": answer_code, "headers": {}, "data": None}) if sent else ""
    state = EffectState.DONE if sent else EffectState.NOT_SENT

    def write() -> None:
        doubtful = Effect.objects.filter(pk=effect.pk, state=EffectState.IN_DOUBT)
        if not doubtful.update(state=state, outcome=outcome, finished_at=timezone.now(), settled_by=by):
            raise FlowError("Nothing is in doubt here any more.", code="not_in_doubt", hint="Look at the run again.")
        waiting = Run.objects.filter(pk=effect.run_id, state=RunState.IN_DOUBT)
        waiting.update(state=RunState.QUEUED, attempt=0, wake_at=timezone.now())
        hint(effect.run_id)

    commit(write)

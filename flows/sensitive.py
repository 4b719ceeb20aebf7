"""How the texts of a run are kept: its trace without secrets, and what its payload has of sensitive fields sealed or masked.

Where the payload schema marks fields (flows/sensitive_fields.py), `Run.request` shows masks from the first moment, and
`Run.sealed` holds the true request until the run ends; then the answer, where that repeats a sensitive value. States,
calls and their outcomes are kept as `{"sealed": …, "shown": …}` until the end. Any other run is kept as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flows.engine.plan import Plan
from flows.engine.state import Step
from flows.engine.strictjson import JSON, dumps, stored
from flows.known_secrets import bind
from flows.masking import Mask
from flows.models import TERMINAL, Effect, Run, Segment
from flows.nodes.start import Start
from flows.secret_names import mask_named, mask_tokens, may_name
from flows.sensitive_fields import SensitiveFields, sensitive_fields
from flows.vault import open_sealed, reseal, seal

SEALED = '{"sealed":'
"""How a sealed text begins. Nothing else that is kept has this as its first member."""

PLANS_KNOWN = 1_000

_fields_of: dict[tuple[str, int], SensitiveFields | None] = {}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How one run's texts are kept. Without an id: as they are, but for what secret names name in the trace."""

    run_id: UUID | None = None
    hidden: tuple[str, ...] = ()
    mask: Mask = field(default_factory=lambda: Mask(()))

    def sealed(self, text: str) -> str:
        """A JSON text that the run reads again, by `opened`."""
        if not self.run_id:
            return text
        shown = mask_named(self.mask.value(stored(text)))
        return dumps({"sealed": seal(text, place_of(self.run_id, "part")), "shown": shown})

    def opened(self, text: str) -> str:
        """What `sealed` was given. Raises SecretUnreadable."""
        return open_sealed(stored(text)["sealed"], place_of(self.run_id, "part")) if text.startswith(SEALED) else text

    def trace(self, steps: list[Step]) -> str:
        """Steps as JSON, as they may be shown."""
        told: Any = [step.as_json() for step in steps]
        if self.run_id:
            told = [_masked_step(step, self.mask) for step in told]
        text = dumps(told)
        return dumps(mask_named(told)) if may_name(text) else text

    def error(self, text: str) -> str:
        """A JSON text with what went wrong, as it may be shown."""
        return dumps(_masked_error(stored(text), self.mask)) if self.run_id else text

    def ending(self, answer: dict[str, JSON]) -> dict[str, str]:
        """The columns of a run that succeeded: the answer as it may be shown, and as it was given if that isn't the same."""
        if not self.run_id:
            return {"answer": dumps(answer)}
        shown: dict[str, JSON] = {**answer, **{part: self.mask.value(answer[part]) for part in ("headers", "body")}}
        is_same = shown == answer
        return {
            "answer": dumps(shown),
            "sealed": "" if is_same else seal(dumps(answer), place_of(self.run_id, "answer")),
        }


OPENLY = Keeping()


def begin(run: Run, plan: Plan, request: dict[str, JSON]) -> tuple[dict[str, JSON], Keeping]:
    """Give a new run its request, to be kept as `plan` says. Returns the request as the flow gets it: without our tokens."""
    run.request = text = dumps(request)
    if "cft_" in text:
        run.request = text = mask_tokens(text)
        request = stored(text)
    shown, keeping = keeping_of(run.pk, _fields(plan, run.step), request.get("payload"))
    bind(keeping.mask if keeping.run_id else None)
    if keeping.run_id:
        run.request = dumps(keeping.mask.value({**request, "payload": shown}))
        run.sealed = seal(dumps({"request": request, "hidden": list(keeping.hidden)}), place_of(run.pk, "request"))
    return request, keeping


def keeping_of(run_id: UUID, fields: SensitiveFields | None, payload: JSON) -> tuple[JSON, Keeping]:
    """A payload as it may be shown, and how the texts of a run with it are kept."""
    split = fields.split(payload) if fields is not None else None
    return (split.shown, Keeping(run_id, split.hidden, Mask(split.hidden))) if split else (payload, OPENLY)


def resume(run: Run) -> tuple[dict[str, JSON], Keeping]:
    """The request of a run that goes on, and how it is kept. Raises SecretUnreadable."""
    bind(None)
    if not run.sealed:
        return stored(run.request), OPENLY
    kept = stored(open_sealed(run.sealed, place_of(run.pk, "request")))
    keeping = Keeping(run.pk, tuple(kept["hidden"]), Mask(kept["hidden"]))
    bind(keeping.mask)
    return kept["request"], keeping


def answer_of(run: Run) -> Any:
    """What a run that succeeded answered: status, headers, body. Raises SecretUnreadable."""
    return stored(open_sealed(run.sealed, place_of(run.pk, "answer")) if run.sealed else run.answer)


def hidden_texts(run: Run) -> list[str]:
    """What is kept of the run and not shown, as texts. Raises SecretUnreadable."""
    texts = [open_sealed(run.sealed, place_of(run.pk, _part(run)))] if run.sealed else []
    parts = [segment.state for segment in run.segments.all()]
    parts += [text for effect in run.effects.all() for text in (effect.request, effect.outcome)]
    sealed = [stored(text)["sealed"] for text in parts if text.startswith(SEALED)]
    return texts + [open_sealed(token, place_of(run.pk, "part")) for token in sealed]


def _part(run: Run) -> str:
    """What `Run.sealed` holds: the request of a run that goes on, the answer of one that is over."""
    return "answer" if run.state in TERMINAL else "request"


def forget(run_id: UUID) -> None:
    """Leave of a run that ends only what may be shown. Belongs into the write of the end, of a run with sealed parts."""
    for segment in Segment.objects.filter(run=run_id, state__startswith=SEALED).only("pk", "state"):
        Segment.objects.filter(pk=segment.pk).update(state=_shown(segment.state))
    for effect in Effect.objects.filter(run=run_id).only("pk", "request", "outcome"):
        parts = {"request": _shown(effect.request), "outcome": _shown(effect.outcome)}
        Effect.objects.filter(pk=effect.pk).update(**parts)


def resealed(run_id: UUID, text: str) -> str:
    """A part of a run encrypted with the first key; the text itself if it is already. Raises SecretUnreadable."""
    if not text.startswith(SEALED):
        return text
    kept = stored(text)
    token = reseal(kept["sealed"], place_of(run_id, "part"))
    return text if token == kept["sealed"] else dumps({**kept, "sealed": token})


def _shown(text: str) -> str:
    return dumps(stored(text)["shown"]) if text.startswith(SEALED) else text


def _fields(plan: Plan, step: int) -> SensitiveFields | None:
    """The marked fields of the start that a run enters at, looked for once per plan."""
    key = (plan.sha256, step)
    if key not in _fields_of:
        planned = plan.nodes.get(step)
        node = planned.filling.node if planned and planned.filling else None
        if len(_fields_of) >= PLANS_KNOWN:
            _fields_of.clear()
        _fields_of[key] = sensitive_fields(node.payload_schema) if isinstance(node, Start) else None
    return _fields_of[key]


def _masked_step(step: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """Which way it went stays to be seen, what it went with doesn't."""
    masked: dict[str, Any] = {part: mask.value(step[part]) for part in ("in", "out") if part in step}
    if "error" in step:
        masked["error"] = _masked_error(step["error"], mask)
    if "calls" in step:
        masked["calls"] = [
            {**call, **{part: mask.message(call[part]) for part in ("path", "note") if part in call}}
            for call in step["calls"]
        ]
    return {**step, **masked}


def _masked_error(error: dict[str, Any], mask: Mask) -> dict[str, Any]:
    return {**error, **{part: mask.message(error[part]) for part in ("message", "hint") if part in error}}


def place_of(run_id: UUID | None, part: str) -> str:
    """Where a sealed text of a run belongs: its `request`, its `answer`, or a `part` of its story."""
    return f"run:{run_id}:{part}"

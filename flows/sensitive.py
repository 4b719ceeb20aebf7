"""How the texts of a run are kept: its trace without secrets, and what its payload has of sensitive fields sealed or masked.

Where the payload schema marks fields (flows/sensitive_fields.py), `Run.request` shows masks from the first moment, and
`Run.sealed` holds the true request until the run ends; then the answer, where that repeats a sensitive value. States,
calls and their outcomes are kept as `{"sealed": …, "shown": …}` until the end. Any other run is kept as it is.

What a step makes of a hidden value is hidden too: `Keeping.learned`. A jump into a flow with marks hides more: `widened`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from flows.engine.plan import Plan
from flows.engine.state import Step
from flows.engine.strictjson import JSON, dumps, stored
from flows.known_secrets import bind
from flows.masked_steps import MESSAGE_HIDDEN, made_of_hidden, masked_error, masked_step, reads_hidden
from flows.masking import Mask
from flows.models import TERMINAL, Effect, Run, Segment
from flows.nodes.start import Start
from flows.secret_names import mask_named, mask_tokens, may_name
from flows.sensitive_fields import SensitiveFields, sensitive_fields, split
from flows.vault import open_sealed, reseal, seal

SEALED = '{"sealed":'
"""How a sealed text begins. Nothing else that is kept has this as its first member."""

PLANS_KNOWN = 1_000

MAX_WIDENED = 100
"""How often a run's keeping comes to hide more; beyond it hides everything: each time costs the making of a mask."""

_fields_of: dict[str, tuple[SensitiveFields, ...]] = {}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How one run's texts are kept. Without an id: as they are, but for what secret names name in the trace."""

    run_id: UUID | None = None
    hidden: tuple[str, ...] = ()
    mask: Mask = field(default_factory=lambda: Mask(()))
    times_widened: int = 0

    def learned(self, steps: list[Step]) -> Keeping:
        """What also hides the texts that these steps made of hidden ones; this one itself where they made none."""
        keeping = self
        for step in steps if self.run_id else ():
            keeping = keeping.hiding(made_of_hidden(step.as_json(), keeping.mask))
        return keeping

    def hiding(self, texts: Iterable[str]) -> Keeping:
        """What hides these texts too; this one itself where it does already."""
        hidden = tuple(dict.fromkeys([*self.hidden, *texts]))
        if hidden == self.hidden:
            return self
        times = self.times_widened + 1
        return Keeping(self.run_id, hidden, Mask(hidden) if times <= MAX_WIDENED else Mask.of_everything(), times)

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
            told = [masked_step(step, self.mask) for step in told]
        text = dumps(told)
        return dumps(mask_named(told)) if may_name(text) else text

    def error(self, text: str, steps: list[Step]) -> str:
        """A JSON text with what went wrong at the last of these steps, as it may be shown."""
        if not self.run_id:
            return text
        error: Any = stored(text)
        last: dict[str, Any] = steps[-1].as_json() if steps else {}
        is_quoted = "error" in last and last["error"]["message"] in error["message"]
        if is_quoted and reads_hidden(last, self.mask):
            return dumps({**error, "message": MESSAGE_HIDDEN, "hint": ""})
        return dumps(masked_error(error, self.mask))

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
    bind(None)
    return request, widened(run, plan, OPENLY)


def widened(run: Run, plan: Plan, keeping: Keeping) -> Keeping:
    """How a run is kept from when it enters `plan` on. Where that hides more, the run gets its request anew, unsaved.

    Raises SecretUnreadable.
    """
    fields = _fields(plan)
    if not fields:
        return keeping
    request = _true_request(run)
    wider = widened_for(run.pk, fields, request.get("payload"), keeping)
    if not wider.run_id:
        return keeping
    shown: Any = stored(run.request)
    found = split(fields, shown.get("payload"))
    text = dumps(wider.mask.value({**shown, "payload": found.shown} if found else shown))
    if wider is keeping and text == run.request:
        return keeping
    run.request, run.sealed = text, _seal_request(run, request, wider)
    bind(wider.mask)
    return replace(wider)


def widened_for(run_id: UUID, fields: Iterable[SensitiveFields], payload: JSON, keeping: Keeping) -> Keeping:
    """How a run with this payload is kept that enters a plan with these marks; `keeping` where they hide no more."""
    found = split(fields, payload)
    if found is None:
        return keeping
    return keeping.hiding(found.hidden) if keeping.run_id else Keeping(run_id, found.hidden, Mask(found.hidden))


def sealed_request(run: Run, keeping: Keeping) -> str:
    """What `resume` opens of a run that isn't over. Raises SecretUnreadable."""
    return _seal_request(run, _true_request(run), keeping)


def _seal_request(run: Run, request: JSON, keeping: Keeping) -> str:
    return seal(dumps({"request": request, "hidden": list(keeping.hidden)}), place_of(run.pk, "request"))


def _true_request(run: Run) -> Any:
    if not run.sealed:
        return stored(run.request)
    return stored(open_sealed(run.sealed, place_of(run.pk, "request")))["request"]


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


def _fields(plan: Plan) -> tuple[SensitiveFields, ...]:
    """The marks of a plan's starts, looked for once per plan."""
    if plan.sha256 not in _fields_of:
        if len(_fields_of) >= PLANS_KNOWN:
            _fields_of.clear()
        _fields_of[plan.sha256] = marks_of(plan)
    return _fields_of[plan.sha256]


def marks_of(plan: Plan) -> tuple[SensitiveFields, ...]:
    """The marks of a plan's starts: they count wherever a run enters it."""
    nodes = [planned.filling.node for planned in plan.nodes.values() if planned.filling]
    schemas = [node.payload_schema for node in nodes if isinstance(node, Start)]
    return tuple(fields for schema in schemas if (fields := sensitive_fields(schema)))


def place_of(run_id: UUID | None, part: str) -> str:
    """Where a sealed text of a run belongs: its `request`, its `answer`, or a `part` of its story."""
    return f"run:{run_id}:{part}"

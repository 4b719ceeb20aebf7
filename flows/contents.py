"""From the database to a Plan. What production runs is compared, to the byte, with what was approved.

Plans are kept by the hash of their text, verdicts by the last decision they rest on, so that a deployment holds on the
next request and costs it one query.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import lru_cache

from django.db.models import OuterRef, Subquery

from flows import outside
from flows.engine.errors import FlowError, RunError
from flows.engine.plan import Plan, compile_content
from flows.engine.strictjson import stored
from flows.models import Content, Decision, Environment, Flow, Status, Version
from flows.sealing import seal, sha256_of, store
from flows.seals import tampering

MAX_PLANS = 256
"""Plans that one process keeps; the rest is compiled again when needed."""

HINT = "An operator has to look at it: docs/lifecycle.md says how."

log = logging.getLogger(__name__)


class ContentRefused(RunError):
    """A content that isn't run, because it isn't what was approved or this release can't read it. Always logged."""

    code = "content_refused"
    status = 503


@dataclass(frozen=True, slots=True)
class Deployed:
    """The version that production runs of a flow, and its plan."""

    version_id: int
    plan: Plan


def deployed(flow_id: int) -> Deployed | None:
    """What the flow's production routes run now; None where nothing is deployed. Raises ContentRefused."""
    while True:
        row = _deployed_row(flow_id)
        if row is None:
            return None
        try:
            _verify_deployed(*row)
        except ContentRefused as error:
            if row == _deployed_row(flow_id):
                raise _loudly(error) from None
            continue  # another deployment came in between: look at that one
        return Deployed(row[0], plan_of(row[1]))


def plan_of(content_sha256: str) -> Plan:
    """The plan of a content. Raises ContentRefused: its text isn't what the hash says, or it is for production and was
    never approved and deployed, or this release can't read it.
    """
    return _plan(_Source(content_sha256))


def compiled(content_sha256: str) -> Plan:
    """The plan of a content, whether or not it may run: for looking at it. Raises ContentRefused."""
    return _compiled(_Source(content_sha256))


def sealed_draft(flow: Flow) -> tuple[str, Plan]:
    """The saved draft as the sandbox runs it, sealed now, with the sandbox's definitions: its text, and its plan.

    Nothing is written: the text is stored with the first run of it, so that a request that is refused leaves nothing.
    """
    catalog = outside.catalog(flow.entity, Environment.SANDBOX, flow.kind)
    sealed = seal(flow, Environment.SANDBOX, catalog)
    return sealed.text, _plan(_Source(sealed.sha256, sealed.text))


def sandbox_content(flow: Flow) -> tuple[Content, Plan]:
    """The same, stored at once: for a run that is under way."""
    text, plan = sealed_draft(flow)
    return store(text), plan


def find_flow(entity_id: int, slug: str, kind: str, environment: str) -> Plan:
    """The plan that a jump to another flow leads to: what is deployed there, in the sandbox its draft.

    Raises RunError CT04 where there is none.
    """
    flow = Flow.objects.select_related("entity").filter(entity=entity_id, slug=slug, kind=kind).first()
    if flow is None:
        raise RunError(
            f"There is no flow {slug!r} to go on in.", code="CT04", hint="Let the jump lead to another flow."
        )
    if environment == Environment.SANDBOX:
        return sandbox_content(flow)[1]
    found = deployed(flow.pk)
    if found is None:
        raise RunError(f"No version of the flow {slug!r} is deployed.", code="CT04", hint="Deploy one.")
    return found.plan


def forget() -> None:
    """Drop every kept plan and verdict: for tests, whose databases come and go."""
    _plan.cache_clear()
    _verify_deployed.cache_clear()


@dataclass(frozen=True, slots=True)
class _Source:
    """What a plan is made of: a content by its hash, with its text where it isn't stored yet."""

    sha256: str
    text: str | None = field(default=None, compare=False, repr=False)


@lru_cache(maxsize=MAX_PLANS)
def _plan(source: _Source) -> Plan:
    plan = _compiled(source)
    if plan.environment != Environment.SANDBOX:
        _verify_was_deployed(source.sha256)
    else:
        _verify_points_at_no_secret_of_production(plan)
    return plan


def _compiled(source: _Source) -> Plan:
    sha256 = source.sha256
    text = source.text or Content.objects.filter(pk=sha256).values_list("text", flat=True).first()
    if text is None:
        raise _refused(f"There is no content {sha256}.")
    if sha256_of(text) != sha256:
        raise _refused(f"The content {sha256} was changed: its text has another SHA-256.")
    try:
        return compile_content(stored(text), sha256)
    except FlowError as error:
        raise _refused(f"This release can't read the content {sha256}: {error.message} {error.hint}") from error


def _deployed_row(flow_id: int) -> tuple[int, str, int | None, str | None] | None:
    """Version, content, last decision and its seal."""
    last = Decision.objects.filter(version=OuterRef("pk")).order_by("-id")
    return (
        Version.objects.filter(flow=flow_id, status=Status.DEPLOYED)
        .values_list("pk", "content_id", Subquery(last.values("pk")[:1]), Subquery(last.values("seal")[:1]))
        .first()
    )


@lru_cache(maxsize=4 * MAX_PLANS)
def _verify_deployed(version_id: int, sha256: str, decision_id: int | None, seal_of_decision: str | None) -> None:
    """Verify a deployed version, once per deployment and process: every decision changes the arguments."""
    version = Version.objects.get(pk=version_id)
    wrong = tampering(version)
    if wrong or (version.status, version.content_id) != (Status.DEPLOYED, sha256):
        raise ContentRefused(f"{version} isn't run. {wrong or 'It has just changed.'}", hint=HINT)


def _verify_was_deployed(sha256: str) -> None:
    """A production content runs only if some version with it was approved and deployed, by the right people."""
    versions = Version.objects.filter(content=sha256, decisions__to_status=Status.DEPLOYED).distinct()
    verdicts = [tampering(version) for version in versions] or ["Nobody approved and deployed it."]
    if all(verdicts):
        raise _refused(f"The content {sha256} isn't run. {verdicts[0]}")


def _verify_points_at_no_secret_of_production(plan: Plan) -> None:
    """Nobody approves what the sandbox runs, so nothing in it may log in where production does."""
    for name, connection in plan.definitions.get("connection", {}).items():
        secret = connection.get("secret")
        if secret and secret["environment"] != Environment.SANDBOX:
            raise _not_for_sandbox(plan, name)
    for name, key in plan.definitions.get("key", {}).items():
        if key.get("environment") != Environment.SANDBOX:
            raise _not_for_sandbox(plan, name)


def _not_for_sandbox(plan: Plan, name: str) -> ContentRefused:
    return _refused(f"The content {plan.sha256} isn't run: it is for the sandbox, its {name!r} is not.")


def _refused(sentence: str) -> ContentRefused:
    return _loudly(ContentRefused(sentence.strip(), hint=HINT))


def _loudly(error: ContentRefused) -> ContentRefused:
    log.critical(error.message)
    return error

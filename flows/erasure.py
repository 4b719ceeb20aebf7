"""One person's data, deleted on request: every run of an entity that holds an identifier of theirs, whole.

What a run hides (flows/sensitive.py) is looked through too as long as it is kept. Runs that aren't over are named, or
cancelled first. What authors wrote (drafts, test cases, contents) isn't a caller's data: it is named, not changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from flows import changes, runs, seals, sensitive
from flows.commits import commit
from flows.engine.errors import FlowError
from flows.identifiers import Person
from flows.models import TERMINAL, Case, Content, Entity, Flow, Run, RunState
from flows.retention import delete_runs
from flows.roles import require
from flows.vault import SecretUnreadable

ABILITY = "erase data"
ACTION = "forgot a person"
PURPOSE = b"chatflow: identifier of a forgotten person, 1"

BATCH = 200
NAMED = 100
"""Runs and places named in one answer; there may be more."""

log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Told how many runs were looked through, of how many."""


@dataclass(slots=True)
class Found:
    """What a search saw: `deleted` counts what a dry run would delete, `unfinished` is left (ids), `unreadable` too."""

    seen: int = 0
    deleted: int = 0
    unfinished: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    written_by_authors: list[str] = field(default_factory=list)


def forget(
    entity: Entity,
    person: Person,
    *,
    by: User,
    cancel: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda seen, of: None,
) -> Found:
    """Delete the entity's runs that hold the person. With `cancel`, runs that aren't over are ended and deleted too.

    Safe to run again: what a broken one left is found by the next. Raises PermissionDenied.
    """
    require(by, entity, ABILITY)
    found = Found(written_by_authors=_written_by_authors(entity, person))
    of = Run.objects.filter(entity=entity).count()
    try:
        for batch in _batches(entity):
            found.seen += len(batch)
            _sort_out([run for run in batch if _holds(run, person, found)], found, cancel=cancel, dry_run=dry_run)
            progress(found.seen, of)
    finally:
        if not dry_run:
            commit(lambda: _record(entity, person, found, by))
    log.info("Looked through %s runs of %s for a person; %s deleted.", found.seen, entity.slug, found.deleted)
    return found


def _batches(entity: Entity) -> Iterator[list[Run]]:
    """Every run of the entity, the oldest first, also those that come meanwhile."""
    rows = Run.objects.filter(entity=entity).order_by("id").prefetch_related("segments", "effects")
    batch = list(rows[:BATCH])
    while batch:
        yield batch
        batch = list(rows.filter(id__gt=batch[-1].pk)[:BATCH])


def _holds(run: Run, person: Person, found: Found) -> bool:
    if any(person.is_in(text) for text in _texts(run)):
        return True
    try:
        return any(person.is_in(text) for text in sensitive.hidden_texts(run))
    except SecretUnreadable:
        found.unreadable.append(str(run.pk))
        return False


def _texts(run: Run) -> Iterator[str]:
    yield from (run.request, run.answer, run.error, run.trace)
    for segment in run.segments.all():
        yield from (segment.state, segment.steps)
    for effect in run.effects.all():
        yield from (effect.key, effect.request, effect.outcome)


def _sort_out(matching: list[Run], found: Found, *, cancel: bool, dry_run: bool) -> None:
    over = [run.pk for run in matching if run.state in TERMINAL or (cancel and (dry_run or _cancelled(run)))]
    found.unfinished += [str(run.pk) for run in matching if run.pk not in over]
    found.deleted += len(over) if dry_run or not over else commit(lambda: delete_runs(over))


def _cancelled(run: Run) -> bool:
    """Whether it is over now. One that ended by itself in between is, too."""
    try:
        runs.cancel(run)
    except FlowError:
        run.refresh_from_db()
    return RunState(run.state) in TERMINAL


def _written_by_authors(entity: Entity, person: Person) -> list[str]:
    """Drafts, test cases and versions of the entity that hold the person."""
    flows = Flow.objects.filter(entity=entity)
    places = [f"the draft of {flow.slug}" for flow in flows.iterator(BATCH) if person.is_in(flow.draft)]
    cases = Case.objects.filter(flow__entity=entity).select_related("flow")
    places += [f"the test case {case.name} of {case.flow.slug}" for case in cases.iterator(BATCH) if _in(case, person)]
    for content in _contents(entity).iterator(BATCH):
        if person.is_in(content.text):
            places += [str(version) for version in content.versions.select_related("flow").order_by("id")[:NAMED]]
    return places


def _in(case: Case, person: Person) -> bool:
    return person.is_in(case.name) or person.is_in(case.text)


def _contents(entity: Entity) -> QuerySet[Content]:
    return Content.objects.filter(versions__flow__entity=entity).distinct()


def _record(entity: Entity, person: Person, found: Found, by: User) -> None:
    """How many, never whom: the identifiers as digests by which only a holder of the keys can look them up again."""
    facts = {
        "runs": found.deleted,
        "left": len(found.unfinished),
        "identifiers": [digest(identifier) for identifier in person.identifiers],
    }
    changes.record(entity, by=by, action=ACTION, subject=f"entity:{entity.pk}", title=entity.name, after=facts)


def digest(identifier: str) -> str:
    """What the log of changes keeps of an identifier."""
    return seals.mac(settings.CHATFLOW_KEYS[0], PURPOSE, identifier.encode())

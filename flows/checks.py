"""Before anything starts: this release must be able to run what production runs and what is under way.

`manage.py check --deploy` lists what it finds; web and worker call `verify_contents` and don't start with any of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.models import Q

from flows import contents, triggers
from flows.engine.plan import Plan
from flows.models import Environment, Run, RunState, Status, Version


def verify_contents() -> None:
    """Raise ImproperlyConfigured unless every deployed version and every unfinished run can be run as it is."""
    found = list(problems())
    if found:
        raise ImproperlyConfigured("Chatflow doesn't start:\n" + "\n".join(f"- {problem}" for problem in found))


def problems() -> Iterator[str]:
    """What keeps this release from running what the database holds, flow and node named."""
    yield from _lost_triggers()
    seen: set[str] = set()
    deployed = Version.objects.filter(status=Status.DEPLOYED).select_related("flow")
    for version in deployed.order_by("flow__entity", "flow__slug"):
        seen.add(version.content_id)
        try:
            found = contents.deployed(version.flow_id)
        except contents.ContentRefused as error:
            yield f"{version.flow.slug}: {error.message}"
            continue
        if found is not None:
            yield from _not_ready(found.plan, str(version))
    for sha256 in _contents_of_unfinished_runs() - seen:
        yield from _unreadable(sha256)


def _lost_triggers() -> Iterator[str]:
    lost = triggers.missing(connection)
    if lost:
        yield f"The database lost its guard ({', '.join(sorted(lost))}): run `manage.py migrate`, which builds it anew."


def _contents_of_unfinished_runs() -> set[str]:
    """By three indexes: runs that are looked at again by the clock, that a person has to look at, that are held back."""
    clock, doubt = Q(wake_at__isnull=False) & ~Q(state=RunState.DEAD), Q(state=RunState.IN_DOUBT)
    held = Q(wake_at__isnull=True, state=RunState.QUEUED)
    return {sha256 for which in (clock, doubt, held) for sha256 in _content_ids(which)}


def _content_ids(which: Q) -> Any:
    return Run.objects.filter(which).order_by().values_list("content_id", flat=True).distinct()


def _unreadable(sha256: str) -> Iterator[str]:
    try:
        plan = contents.plan_of(sha256)
    except contents.ContentRefused as error:
        yield f"An unfinished run: {error.message}"
        return
    if plan.environment == Environment.PRODUCTION:
        yield from _not_ready(plan, f"{plan.name} (an unfinished run)")


def _not_ready(plan: Plan, what: str) -> Iterator[str]:
    """Nodes whose settings this release takes for wrong: a released node type has changed under them."""
    for node in plan.nodes.values():
        if node.not_ready:
            yield f"{what}: node {node.title} ({node.type}): {node.not_ready}"


@register("contents", deploy=True)
def contents_run(**kwargs: object) -> list[CheckMessage]:
    """`manage.py check --deploy`: the same, one error each. A database that was never migrated holds nothing to run."""
    try:
        if Version._meta.db_table not in connection.introspection.table_names():
            return []
        found = list(problems())
    except DatabaseError as error:
        return [
            Error(
                f"The database can't be read: {error}",
                hint="Look at DATABASE_URL; run `manage.py migrate`.",
                id="flows.E002",
            )
        ]
    return [Error(problem, id="flows.E001") for problem in found]

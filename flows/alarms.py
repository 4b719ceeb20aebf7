"""Runs that need a person, given up or in doubt: the owners of their entity are told.

That they still have to be told is in the row, as a `wake_at`: where a process dies before it has done so, another does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now

from flows import notices
from flows.commits import commit
from flows.models import Run, RunState

TELL: Mapping[str, Callable[[Run], None]] = {
    RunState.DEAD: notices.run_is_dead,
    RunState.IN_DOUBT: notices.run_is_in_doubt,
}
TELL_AGAIN = timedelta(seconds=60)
"""Whoever has its turn to tell has this long, mail server and all."""


def tell(run_id: UUID) -> None:
    """Mail the owners, unless they know, or somebody else is about to."""
    due = Run.objects.filter(pk=run_id, state__in=TELL, wake_at__lte=Now())
    if not commit(lambda: due.update(wake_at=Now() + TELL_AGAIN)):
        return
    run = Run.objects.select_related("flow", "entity").get(pk=run_id)
    if run.state in TELL:
        TELL[run.state](run)
    commit(lambda: Run.objects.filter(pk=run_id, state__in=TELL).update(wake_at=None))

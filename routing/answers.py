"""From a run to what its caller gets: the flow's answer, a problem, or where to ask later."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings

from flows.engine.headers import REFUSED_IN_ANSWERS, problem_of_name, problem_of_value
from flows.engine.strictjson import dumps_bytes, stored
from flows.models import TERMINAL, Environment, Run, RunState
from flows.sensitive import answer_of
from routing.models import Route
from routing.problem import Answer, Problem, of_run

WITHOUT_BODY = frozenset({204, 205, 304})

log = logging.getLogger(__name__)


def status_url(route_id: str, run: Run) -> str:
    return f"{settings.PUBLIC_URL}/dynamic/{route_id}/runs/{run.pk}"


def is_over(run: Run) -> bool:
    return run.state in TERMINAL


def accepted(route: Route, run: Run) -> Answer:
    """202: the run is committed and goes on without the caller."""
    url = status_url(route.pk, run)
    body = {"status": "accepted", "run_id": str(run.pk), "status_url": url}
    return _with_run(
        Answer(dumps_bytes(body), status=202, content_type="application/json", headers={"Location": url}), run
    )


def finished(run: Run) -> Answer:
    """The answer of the flow. Raises the Problem of a run that has none: a failed run is never a success."""
    if run.state != RunState.SUCCEEDED:
        raise problem_of(run)
    given = answer_of(run)
    headers = dict(filter(_may_be_sent, given["headers"]))
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    is_text = isinstance(given["body"], str) and content_type.lower().startswith("text/")
    body = given["body"].encode() if is_text else dumps_bytes(given["body"])
    answer = Answer(
        b"" if given["status"] in WITHOUT_BODY else body, status=given["status"], content_type="application/json"
    )
    for name, value in headers.items():
        answer[name] = value
    return _with_run(answer, run)


def problem_of(run: Run) -> Problem:
    """Why the run has no answer. What went wrong inside is for the sandbox and the run's page, not for partners."""
    error: dict[str, Any] = stored(run.error) if run.error else {"code": run.state, "status": 0, "message": ""}
    told = error["message"] if run.environment == Environment.SANDBOX else ""
    return of_run(error["code"], told, run_id=run.pk, status=error["status"])


def told(run: Run) -> Answer:
    """What the status address answers."""
    return _with_run(Answer(dumps_bytes(_story(run)), content_type="application/json"), run)


def _story(run: Run) -> dict[str, Any]:
    """State and times; of a synchronous run, which somebody waited for, also the answer."""
    told: dict[str, Any] = {
        "run_id": str(run.pk),
        "state": str(run.state),
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
    }
    if run.state == RunState.SUCCEEDED and not run.is_async:
        answer = answer_of(run)
        told["answer"] = {"status": answer["status"], "headers": dict(answer["headers"]), "body": answer["body"]}
    elif is_over(run) and run.state != RunState.SUCCEEDED:
        told["problem"] = problem_of(run).document()
    return told


def _with_run(answer: Answer, run: Run) -> Answer:
    answer["X-Run-Id"] = str(run.pk)
    answer["Cache-Control"] = "no-store"
    return answer


def _may_be_sent(pair: list[str]) -> bool:
    name, value = pair
    reason = problem_of_name(name, REFUSED_IN_ANSWERS) or problem_of_value(name, value)
    if reason:
        log.warning("A header of the flow's answer was left out. %s", reason)
    return not reason

"""`/metrics` for Prometheus. What the database knows is read from it at each scrape, so any web process may answer.

Requests are counted where they are answered; the counts of all web processes of a machine meet in files (settings.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Count
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from chatflow.health import dispatcher_age_seconds
from flows.claims import held
from flows.models import Run, RunState
from routing import allowlist, caller
from routing.problem import Problem, response

HELD = "held"
UNFINISHED = (RunState.QUEUED, HELD, RunState.RUNNING, RunState.WAITING, RunState.IN_DOUBT)

Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
ANSWERS = Counter(
    "chatflow_http_answers",
    "Answered requests by part (dynamic: the front door) and status; 4xx are the refused ones.",
    ["part", "status"],
    registry=None,
)


class CountAnswers:
    """The outermost middleware: counts what really goes out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        first = request.path_info.split("/", 2)[1] if "/" in request.path_info else ""
        ANSWERS.labels(first if first in ("dynamic", "admin") else "other", str(answer.status_code)).inc()
        return answer


class FromDatabase(Collector):
    """Runs that aren't finished, how long the oldest has waited for a worker, and when the dispatcher was seen."""

    def collect(self) -> Iterator[Metric]:
        runs = GaugeMetricFamily("chatflow_runs", "Runs that aren't finished.", labels=["state"])
        found = _unfinished()
        for state in UNFINISHED:
            runs.add_metric([state], found.get(state, 0))
        yield runs
        waited = GaugeMetricFamily("chatflow_oldest_queued_seconds", "Age of the oldest queued run, 0 without any.")
        waited.add_metric([], _oldest_queued_seconds())
        yield waited
        age = dispatcher_age_seconds()
        if age is not None:
            seen = GaugeMetricFamily("chatflow_dispatcher_age_seconds", "Time since the dispatcher was seen.")
            seen.add_metric([], age)
            yield seen


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For the addresses in METRICS_ALLOWED alone."""
    if not allowlist.parse(settings.METRICS_ALLOWED).admits(caller.of(request.META).address):
        return response(Problem("address_refused", "This address isn't in METRICS_ALLOWED."))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(FromDatabase())
    try:
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError:
        return response(Problem("unavailable", "The database doesn't answer."))


def _unfinished() -> dict[str, int]:
    """By state; what is queued for a paused route is held. Asked for so that an index answers it, however many runs are finished."""
    to_wake = Run.objects.filter(wake_at__isnull=False).order_by()
    counts = dict(to_wake.values_list("state").annotate(Count("pk")))
    counts[HELD] = held().count()
    counts[RunState.IN_DOUBT] = Run.objects.filter(state=RunState.IN_DOUBT).count()
    return counts


def _oldest_queued_seconds() -> float:
    queued = Run.objects.filter(wake_at__isnull=False, state=RunState.QUEUED).order_by("created_at")
    times = queued.values_list("created_at", Now()).first()
    return (times[1] - times[0]).total_seconds() if times else 0.0

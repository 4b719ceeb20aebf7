"""Is it well? `/healthz` says that this process answers, `/readyz` looks at each part it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models.functions import Now
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis, RedisError

from flows.models import Heartbeat
from routing.dispatcher import NAME as DISPATCHER
from routing.problem import Answer

DISPATCHER_SILENT_SECONDS = 15
"""It is seen once a second; another one takes over after ten."""

BROKER_SECONDS = 1.0

Part = dict[str, Any]


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """For whoever restarts processes: no other part is looked at."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> Answer:
    """200 when every part works, else 503; the body names each part."""
    parts = {name: look() for name, look in PARTS.items()}
    ready = all(part["ok"] for part in parts.values())
    body = json.dumps({"status": "ok" if ready else "not ready", **parts})
    return Answer(body, status=200 if ready else 503, content_type="application/json")


def database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return {"ok": False, "problem": "The database doesn't answer."}
    return {"ok": True}


def broker() -> Part:
    try:
        with Redis.from_url(
            settings.REDIS_URL, socket_timeout=BROKER_SECONDS, socket_connect_timeout=BROKER_SECONDS
        ) as redis:
            redis.ping()
    except RedisError:
        return {"ok": False, "problem": "The broker doesn't answer; runs still reach the workers, later."}
    return {"ok": True}


def dispatcher() -> Part:
    try:
        age = dispatcher_age_seconds()
    except DatabaseError:
        return {"ok": False, "problem": "The database doesn't answer."}
    if age is None:
        return {"ok": False, "problem": "No dispatcher was ever seen. Start one: manage.py dispatcher"}
    if age > DISPATCHER_SILENT_SECONDS:
        return {"ok": False, "age_seconds": age, "problem": "The dispatcher is silent. Start one: manage.py dispatcher"}
    return {"ok": True, "age_seconds": age}


def dispatcher_age_seconds() -> float | None:
    """Seconds since the dispatcher was seen, by the database's clock; None if there never was one."""
    beat = Heartbeat.objects.filter(name=DISPATCHER).values_list("at", Now()).first()
    return round((beat[1] - beat[0]).total_seconds(), 1) if beat else None


PARTS: Mapping[str, Callable[[], Part]] = {"database": database, "broker": broker, "dispatcher": dispatcher}


class Probes:
    """Middleware: probes are answered before anything looks at the host name, since they often call an address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        view = VIEWS.get(request.path_info)
        return view(request) if view else self.get_response(request)


VIEWS: Mapping[str, Callable[[HttpRequest], HttpResponseBase]] = {"/healthz": healthz, "/readyz": readyz}

"""The partner's page of a route: how to call it, on one page and as OpenAPI. Whoever has the link may read it.

The link holds a signature in place of a login. It shows no token, and nothing of the flow but what its start declares.
"""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from flows.contents import ContentRefused
from flows.engine.strictjson import dumps, dumps_bytes, pretty
from flows.nodes.start import Start
from routing import openapi
from routing.contract import start_of, target_of
from routing.models import Route
from routing.problem import PROBLEMS
from routing.routes import url_of

PLACEHOLDER = "<token>"

_signer = Signer(salt="routing.partner", sep=".")


def link_to(route: Route) -> str:
    """The address of the route's page, to be given to its partner."""
    return f"{settings.PUBLIC_URL}{reverse('partner', args=[_signer.sign(route.pk)])}"


@require_safe
def page(request: HttpRequest, key: str) -> HttpResponse:
    """GET /partner/<signed key>/"""
    route = _route(key)
    start, is_deployed = _start(route)
    context = {
        "route": route,
        "title": route.name or route.flow.name,
        "url": url_of(route),
        "curl": curl(route, start),
        "schema": pretty(start.payload_schema) if start and start.payload_schema else "",
        "sample": pretty(start.sample) if start and start.sample is not None else "",
        "is_deployed": is_deployed,
        "limits": openapi.limits(route),
        "problems": PROBLEMS.items(),
        "openapi_url": reverse("partner-openapi", args=[key]),
    }
    return render(request, "routing/partner.html", context)


@require_safe
def openapi_document(request: HttpRequest, key: str) -> HttpResponse:
    """GET /partner/<signed key>/openapi.json"""
    route = _route(key)
    return HttpResponse(dumps_bytes(openapi.document(route, _start(route)[0])), content_type="application/json")


def curl(route: Route, start: Start | None, token: str = PLACEHOLDER) -> str:
    """A command line that calls the route, with the sample as its payload; ready once the token is filled in."""
    sample = start.sample if start else None
    url, words = url_of(route), ["curl", "-X", route.method]
    body: list[str] = []
    if route.method in openapi.WITH_BODY:
        body = ["-H", "Content-Type: application/json", "-d", dumps({} if sample is None else sample)]
    elif isinstance(sample, dict) and sample:
        url += "?" + urlencode({name: _text(value) for name, value in sample.items()})
    return shlex.join([*words, url, "-H", f"Authorization: Bearer {token}", *body])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def _route(key: str) -> Route:
    try:
        route_id = _signer.unsign(key)
    except BadSignature:
        raise Http404 from None
    route = Route.objects.select_related("flow").filter(pk=route_id).first()
    if route is None:
        raise Http404
    return route


def _start(route: Route) -> tuple[Start | None, bool]:
    """The start that the route enters at, and whether anything is deployed behind it."""
    try:
        target = target_of(route)
    except ContentRefused:
        return None, False
    return (start_of(target.plan, route.step), True) if target else (None, False)

"""The calls that a route refused, on a page of their own: which rule, from where, and what to do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from flows.ruleforms import RulesAdmin
from routing.explained import explained
from routing.models import Refusal, Route, Token
from routing.refusals import KEPT_FOR, KEPT_PER_ROUTE

PER_PAGE = 50
SHOWN = timedelta(hours=24)


class RefusalViews(RulesAdmin):
    """What the page of a route adds for its refused calls."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.refusals))
        return [path("<slug:route_id>/refusals/", view, name="routing_route_refusals"), *super().get_urls()]

    def refusals(self, request: HttpRequest, route_id: str) -> HttpResponse:
        """The newest first, by rule and address."""
        route = self.get_object(request, route_id)
        if route is None:
            return self.not_there(request, route_id)
        kept = Refusal.objects.filter(route=route)
        rule, address = (request.GET.get(name, "").replace("\x00", "").strip() for name in ("rule", "address"))
        page = Paginator(_fitting(kept, rule, address), PER_PAGE).get_page(request.GET.get("p"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Refused calls of {route}",
            "route": route,
            "back_url": self.page_of(route),
            "rules": _rules(kept),
            "rule": rule,
            "address": address,
            "page": page,
            "rows": _shown(route, list(page)),
            "older": urlencode({"rule": rule, "address": address}),
            "most": KEPT_PER_ROUTE,
            "days": KEPT_FOR.days,
        }
        return TemplateResponse(request, "admin/routing/refusals.html", context)


def refused_lately(route: Route) -> str:
    """How many calls the route refused in the last day, for people."""
    count = Refusal.objects.filter(route=route, at__gte=timezone.now() - SHOWN).count()
    if count >= KEPT_PER_ROUTE:
        return f"{count} or more"
    return str(count) if count else "None"


def _fitting(kept: QuerySet[Refusal], rule: str, address: str) -> QuerySet[Refusal]:
    if rule:
        kept = kept.filter(code=rule)
    if address:
        named = Q(address__icontains=address) | Q(seen__icontains=address) | Q(forwarded__icontains=address)
        kept = kept.filter(named)
    return kept.order_by("-at", "-id")


def _rules(kept: QuerySet[Refusal]) -> list[dict[str, Any]]:
    """The rules that refused, the most frequent first, each with what it means and what to do."""
    found = kept.order_by().values("code").annotate(calls=Count("pk")).order_by("-calls", "code")
    return [{**one, "explained": explained(one["code"])} for one in found]


def _shown(route: Route, rows: list[Refusal]) -> list[dict[str, Any]]:
    """Each with the token of this route that begins like what was sent, and a link that tries the address again."""
    ours = {token.prefix: token for token in Token.objects.filter(route=route)}
    trying = reverse("admin:routing_route_try", args=[route.pk])
    return [
        {
            "row": row,
            "token": ours.get(row.token_prefix),
            "try_url": f"{trying}?{urlencode({'address': row.seen, 'forwarded': row.forwarded})}",
        }
        for row in rows
    ]

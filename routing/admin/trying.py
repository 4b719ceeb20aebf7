"""Trying an address and a token at a route, on its page. The token is neither kept nor shown again."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from flows.ruleforms import RulesAdmin
from routing.models import Method, Route
from routing.trying import attempt

WIDE = {"class": "vTextField", "autocomplete": "off"}


class TryForm(forms.Form):
    """A call as far as it is tried."""

    address = forms.CharField(
        max_length=64,
        help_text="Where the call comes from, as our server sees it.",
        widget=forms.TextInput(attrs=WIDE),
    )
    forwarded = forms.CharField(
        label="X-Forwarded-For",
        max_length=2000,
        required=False,
        help_text="Only where a proxy sends one.",
        widget=forms.TextInput(attrs=WIDE),
    )
    token = forms.CharField(
        max_length=200,
        required=False,
        help_text="It isn't kept.",
        widget=forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    method = forms.ChoiceField(choices=Method.choices)


def try_form(route: Route, typed: QueryDict | None = None, *, address: str = "", forwarded: str = "") -> TryForm:
    """The form of a route, with what was typed or is to be proposed."""
    initial = {"method": route.method, "address": address, "forwarded": forwarded}
    return TryForm(typed, initial=initial, auto_id="id_try_%s")


class TryViews(RulesAdmin):
    """What the page of a route adds for trying a call."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_call)
        return [path("<slug:route_id>/try/", view, name="routing_route_try"), *super().get_urls()]

    @method_decorator(sensitive_post_parameters("token"))
    def try_call(self, request: HttpRequest, route_id: str) -> HttpResponse:
        """The form, and what would become of the call once it is filled in."""
        route = self.get_object(request, route_id)
        if route is None:
            return self.not_there(request, route_id)
        form = _typed(route, request)
        trial = attempt(route, **form.cleaned_data) if form.is_bound and form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Try a call of {route}",
            "route": route,
            "back_url": self.page_of(route),
            "try_form": form,
            "trial": trial,
        }
        return TemplateResponse(request, "admin/routing/trial.html", context)


def _typed(route: Route, request: HttpRequest) -> TryForm:
    """What was posted; before that what the page of refused calls puts into its links."""
    if request.method == "POST":
        return try_form(route, request.POST)
    return try_form(route, address=request.GET.get("address", ""), forwarded=request.GET.get("forwarded", ""))

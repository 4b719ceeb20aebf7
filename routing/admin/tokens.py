"""The tokens of a route, on the route's page: made, shown once on the answer of that very request, revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.views.decorators.http import require_POST

from flows.contents import ContentRefused
from flows.ruleforms import RulesAdmin
from flows.scoping import person
from routing.contract import start_of, target_of
from routing.models import Route, Token
from routing.partner import curl
from routing.route_tokens import create_token, revoke_token

MAX_SHOWN = 30


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=200, required=False, help_text="Whose it is.", widget=forms.TextInput(attrs={"class": "vTextField"})
    )
    expires_at = forms.DateTimeField(
        label="Expires (UTC)",
        required=False,
        help_text="Empty: never.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class TokenViews(RulesAdmin):
    """What the page of a route adds for its tokens."""

    def get_urls(self) -> list[URLPattern]:
        make, revoke = (self.admin_site.admin_view(require_POST(view)) for view in (self.make_token, self.revoke))
        return [
            path("<slug:route_id>/token/", make, name="routing_route_token"),
            path("<slug:route_id>/token/<int:token_id>/revoke/", revoke, name="routing_route_revoke"),
            *super().get_urls(),
        ]

    def make_token(self, request: HttpRequest, route_id: str) -> HttpResponse:
        """Make a token and show it: the answer of this request is the only place where it ever stands."""
        route = self.get_object(request, route_id)
        if route is None:
            return self.not_there(request, route_id)
        form = TokenForm(request.POST)
        try:
            if not form.is_valid():
                raise ValidationError([f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()])
            token, text = create_token(route, by=person(request), **form.cleaned_data)
        except (ValidationError, PermissionDenied) as error:
            return self._refused(request, route, f"No token was made. {_sentence(error)}")
        self.log_change(request, route, f"Made the token {token.prefix}.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"New token of {route}",
            "what": token.name or "Token",
            "secret": text,
            "advice": "Give it to the partner by a safe way.",
            "example": _example(route, text),
            "back_url": self.page_of(route),
            "back_text": str(route),
        }
        return TemplateResponse(request, "admin/shown_once.html", context)

    def revoke(self, request: HttpRequest, route_id: str, token_id: int) -> HttpResponse:
        """End a token; it holds on the next request."""
        route = self.get_object(request, route_id)
        token = Token.objects.filter(route=route, pk=token_id).first() if route else None
        if route is None or token is None:
            return self.not_there(request, route_id)
        try:
            revoke_token(token, by=person(request))
        except PermissionDenied as error:
            return self._refused(request, route, str(error))
        self.log_change(request, route, f"Revoked the token {token.prefix}.")
        self.message_user(
            request, f"The token {token} is revoked: the next request with it gets 401.", messages.SUCCESS
        )
        return HttpResponseRedirect(self.page_of(route))

    def _refused(self, request: HttpRequest, route: Route, sentence: str) -> HttpResponse:
        self.message_user(request, sentence, messages.ERROR)
        return HttpResponseRedirect(self.page_of(route))


def tokens_shown(route: Route) -> list[dict[str, Any]]:
    """The newest tokens of a route, each with how it stands; never a token itself."""
    newest = route.tokens.select_related("created_by").order_by("-created_at")[:MAX_SHOWN]
    return [{"token": token, "state": _state(token)} for token in newest]


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d %H:%M}"
    if token.expires_at is not None and token.expires_at <= timezone.now():
        return "expired"
    return "live"


def _example(route: Route, token: str) -> str:
    try:
        target = target_of(route)
    except ContentRefused:
        target = None
    return curl(route, start_of(target.plan, route.step) if target else None, token)


def _sentence(error: ValidationError | PermissionDenied) -> str:
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)

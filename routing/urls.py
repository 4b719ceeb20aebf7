"""Addresses of the front door."""

from django.urls import URLPattern, URLResolver, path

from routing import partner, problem_page
from routing.frontdoor import FrontDoor, RunStatus

urlpatterns: list[URLPattern | URLResolver] = [
    path("dynamic/<slug:route_id>", FrontDoor.as_view(), name="route"),
    path("dynamic/<slug:route_id>/runs/<uuid:run_id>", RunStatus.as_view(), name="run-status"),
    path("partner/<str:key>/", partner.page, name="partner"),
    path("partner/<str:key>/openapi.json", partner.openapi_document, name="partner-openapi"),
    path("problems", problem_page.every, name="problems"),
    path("problems/<str:code>", problem_page.one, name="problem"),
]

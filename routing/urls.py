"""Addresses of the front door."""

from django.urls import URLPattern, URLResolver, path

from routing import problem_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("problems", problem_page.every, name="problems"),
    path("problems/<str:code>", problem_page.one, name="problem"),
]

"""Connections: services, with their secrets, which go in here and never come out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest

from flows.models import Environment
from flows.scoping import person
from integrations.admin.definitions import NAME_HELP, DefinitionForm, DefinitionPage
from integrations.connections import address_of, delete_connection, host_of, save_connection, warnings_of
from integrations.models import Connection, Definition

FIELDS = ("title", "production_address", "sandbox_address", "auth", "auth_name")
SECRETS = {environment: f"{environment}_secret" for environment in (Environment.PRODUCTION, Environment.SANDBOX)}


def _secret_input(label: str) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"})
    return forms.CharField(label=label, required=False, strip=False, widget=widget)


class ConnectionForm(DefinitionForm):
    production_secret = _secret_input("Production secret")
    sandbox_secret = _secret_input("Sandbox secret")

    class Meta:
        fields = ("entity", "name", *FIELDS)
        labels = {"auth": "Logs in by", "auth_name": "Name of header or parameter"}
        help_texts = {
            "name": NAME_HELP,
            "production_address": "Like https://api.example.com/v1. Endpoints add their path.",
            "sandbox_address": "Where drafts and sandbox routes call. Without one, their effects are pretended.",
            "auth": "How one logs in there. The secret goes with it, below.",
            "auth_name": "For an API key: the name of its header or query parameter. Otherwise leave it empty.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for environment, name in SECRETS.items():
            if name in self.fields:
                self.fields[name].help_text = secret_state(self.instance, environment)

    def write(self) -> Connection:
        typed, known = self.cleaned_data, self.instance
        entity, name = (typed["entity"], typed["name"]) if self.is_new else (known.entity, known.name)
        if self.is_new:
            self.check_name_is_free(Connection, entity, name)
        return save_connection(
            entity,
            by=self.by,
            name=name,
            **{field: typed[field] for field in FIELDS},
            secrets={environment: typed.get(field, "") for environment, field in SECRETS.items()},
        )


def secret_state(connection: Connection, environment: str) -> str:
    """Whether there is a secret for the address, and since when; never the secret itself."""
    address = address_of(connection, environment) if connection.pk else ""
    if not address:
        return "It is sealed when you save, and never shown again. Basic authentication takes user:password."
    host = host_of(address)
    secret = connection.secrets.filter(environment=environment, host=host).select_related("set_by").first()
    if secret is None:
        return f"There is none for {host}. It is sealed when you save, and never shown again."
    return (
        f"There is one for {host}, set by {secret.set_by} on {secret.set_at:%Y-%m-%d %H:%M} UTC."
        " Leave it blank to keep that; type another to replace it at once, in deployed versions too."
    )


@admin.register(Connection)
class ConnectionPage(DefinitionPage):
    ability = "manage connections"
    form = ConnectionForm
    fieldsets = (
        (None, {"fields": ["entity", "name", "title", "production_address", "sandbox_address"]}),
        ("How one logs in", {"fields": ["auth", "auth_name", *SECRETS.values()]}),
    )
    write_only = tuple(SECRETS.values())
    about = "A connection is a service that flows call: its address per environment, and how one logs in there."
    when_empty = "No connection yet. An integrator adds the first one; endpoints are then made on it."
    list_display = ("name", "title", "production_address", "sandbox_address", "auth", "entity", "changed_at")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look sees the state of the secrets in place of the inputs."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [*fieldsets, ("Secrets", {"fields": ["production_state", "sandbox_state"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), "production_state", "sandbox_state")

    @admin.display(description="Production secret")
    def production_state(self, connection: Connection) -> str:
        return _has(connection, Environment.PRODUCTION)

    @admin.display(description="Sandbox secret")
    def sandbox_state(self, connection: Connection) -> str:
        return _has(connection, Environment.SANDBOX)

    def uses(self, row: Definition) -> list[str]:
        assert isinstance(row, Connection)
        return [f"the endpoint {name}" for name in row.endpoints.values_list("name", flat=True)] + super().uses(row)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        for warning in warnings_of(obj):
            self.message_user(request, warning, messages.WARNING)
        rotated = [environment for environment, name in SECRETS.items() if form.cleaned_data.get(name)]
        for environment in rotated:
            self.message_user(request, f"The {environment} secret is sealed; it holds from the next call on.")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_connection(obj, by=person(request))


def _has(connection: Connection, environment: str) -> str:
    address = address_of(connection, environment)
    there = address and connection.secrets.filter(environment=environment, host=host_of(address)).exists()
    return "There is one; it is never shown." if there else "There is none."

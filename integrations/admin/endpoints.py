"""Endpoints: reusable calls on a connection."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from flows.engine.strictjson import stored
from flows.ruleforms import JsonText, OwnedChoice, shown
from flows.scoping import person
from integrations.admin.definitions import NAME_HELP, DefinitionForm, DefinitionPage
from integrations.endpoints import delete_endpoint, save_endpoint
from integrations.models import BodyType, Connection, Endpoint, Repeat

PLAIN = ("title", "method", "path", "body_type", "decides", "base_element", "timeout_seconds", "repeat", "sample")
PAIRS_HELP = 'A list of pairs: [{"name": "customer", "value": "{{ payload.customer_id }}"}]'


class EndpointForm(DefinitionForm):
    query = JsonText(rows=4, help_text=PAIRS_HELP)
    headers = JsonText(rows=4, help_text=f"{PAIRS_HELP}. How one logs in is the connection's.")
    body = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "vLargeTextField cf-json", "spellcheck": "false"}),
        help_text="JSON, or the text itself for the body type Text. References like {{ payload.id }} are filled in.",
    )
    repeat = forms.ChoiceField(
        choices=[("", "As usual: a GET is safe, anything else is never sent again"), *Repeat.choices],
        required=False,
        help_text="Whether a call may be sent again if nobody knows whether it arrived.",
    )

    class Meta:
        fields = ("connection", "name", *PLAIN)
        widgets = {"sample": forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField cf-json"})}
        help_texts = {
            "name": NAME_HELP,
            "connection": "The service. The endpoint belongs to the connection's entity.",
            "path": "Begins with /, like /orders/{{ payload.id }}.",
            "decides": "What the outcomes of a step compare: “code” for the HTTP status, or a path into the answer"
            " like result.state.",
            "base_element": "A path into the answer; what lies there is the step's data. Empty: the whole answer.",
            "timeout_seconds": "1 to 60. A longer wait is a callback's.",
            "sample": "An answer as the service gives it, for those who draw flows. Never sent.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_new:
            return
        known = self.instance
        self.initial.update({name: _pretty_pairs(getattr(known, name)) for name in ("query", "headers")})
        if known.body and known.body_type != BodyType.TEXT:
            self.initial["body"] = shown(stored(known.body))

    def write(self) -> Endpoint:
        typed, known = self.cleaned_data, self.instance
        connection: Connection = typed["connection"]
        entity, name = (connection.entity, typed["name"]) if self.is_new else (known.entity, known.name)
        if self.is_new:
            self.check_name_is_free(Endpoint, entity, name)
        elif connection.entity_id != entity.pk:
            raise ValidationError({"connection": f"{connection} is of another entity; the endpoint stays in {entity}."})
        return save_endpoint(
            entity,
            by=self.by,
            name=name,
            connection=connection.name,
            query=self._pairs("query"),
            headers=self._pairs("headers"),
            body=self._body(),
            **{field: typed[field] for field in PLAIN},
        )

    def _pairs(self, name: str) -> list[dict[str, Any]]:
        pairs = self.cleaned_data[name]
        if pairs is None:
            return []
        if not isinstance(pairs, list) or not all(isinstance(pair, dict) for pair in pairs):
            raise ValidationError({name: f"This isn't a list of pairs. {PAIRS_HELP}"})
        return pairs

    def _body(self) -> Any:
        text, kind = self.cleaned_data["body"], self.cleaned_data["body_type"]
        if kind == BodyType.TEXT:
            return text.replace("\r\n", "\n")
        try:
            return JsonText().clean(text)
        except ValidationError as error:
            raise ValidationError({"body": error.messages}) from None


@admin.register(Endpoint)
class EndpointPage(DefinitionPage):
    ability = "manage endpoints"
    form = EndpointForm
    named_once = ("name",)
    fieldsets = (
        (None, {"fields": ["connection", "name", "title"]}),
        ("Request", {"fields": ["method", "path", "query", "headers", "body_type", "body"]}),
        ("Answer", {"fields": ["decides", "base_element", "sample"]}),
        ("Care", {"fields": ["timeout_seconds", "repeat"]}),
    )
    about = "An endpoint is a call on a connection that flows use by its name."
    when_empty = "No endpoint yet. A builder adds one on a connection; if there is none, an integrator adds that first."
    list_display = ("name", "title", "connection", "method", "path", "entity", "changed_at")
    list_select_related = ("entity", "connection", "changed_by")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("entity", "connection")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, form_class=OwnedChoice, **kwargs)
        if field is not None and field.queryset is not None:
            field.queryset = field.queryset.select_related("entity")
        return field

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_endpoint(obj, by=person(request))


def _pretty_pairs(text: str) -> str:
    pairs = stored(text)
    return shown(pairs) if pairs else ""

"""Import a flow file: it makes a flow, or replaces the draft of the flow that it names."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.urls import reverse

from flows import drafts
from flows.engine.errors import FlowError
from flows.engine.limits import MAX_CONTENT_BYTES
from flows.models import Entity, Flow, Kind


def flow_page(flow: Flow) -> str:
    """The address of a flow's page, which depends on its kind."""
    model = "dynamicapiflow" if flow.kind == Kind.DYNAMIC_API else "standardflow"
    return reverse(f"admin:flows_{model}_change", args=[flow.pk])


class ImportForm(forms.Form):
    entity = forms.ModelChoiceField(queryset=Entity.objects.none(), empty_label=None)
    file = forms.FileField(
        label="Flow file",
        widget=forms.FileInput(attrs={"accept": "application/json,.json"}),
        help_text="JSON, as exported here. If the entity has a flow with the file's slug, its draft is replaced.",
    )

    def __init__(self, entities: QuerySet[Entity], *args: Any) -> None:
        super().__init__(*args)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities

    def clean_file(self) -> bytes:
        upload = self.cleaned_data["file"]
        assert isinstance(upload, UploadedFile)
        if upload.size and upload.size > 2 * MAX_CONTENT_BYTES:
            raise ValidationError(f"The file is larger than {2 * MAX_CONTENT_BYTES} bytes; no flow is.")
        return bytes(upload.read())

    def save(self, by: User) -> Flow | None:
        """Import the file; None where it is refused, with the reason at the field."""
        try:
            return drafts.import_file(self.cleaned_data["entity"], self.cleaned_data["file"], by=by)
        except FlowError as error:
            self.add_error("file", f"{error.message} {error.hint}".strip())
        except PermissionDenied as error:
            self.add_error("entity", str(error))
        return None

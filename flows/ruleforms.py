"""Forms of the admin whose rules live elsewhere: a form reads what was typed, a `save_...` function checks and writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest

from flows.engine.errors import FlowError
from flows.engine.strictjson import JSON, loads, pretty
from flows.scoping import EntityAdmin, person

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class RulesForm(ModelForm):
    """`write` calls the function that checks and writes at once; what it complains about stands at the fields."""

    by: User

    def write(self) -> Model:
        """Write what was typed, as `self.by`. Raises ValidationError, PermissionDenied, FlowError."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.write()
        except ValidationError as error:
            self._tell(error)
        except PermissionDenied as error:
            self.add_error(None, str(error))
        except FlowError as error:
            self.add_error(None, f"{error.message} {error.hint}".strip())

    def _tell(self, error: ValidationError) -> None:
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for field, errors in error.error_dict.items():
            self.add_error(field if field in self.fields else None, errors)


class RulesAdmin(EntityAdmin):
    """An EntityAdmin whose `form` is a RulesForm: once the form is valid, the row is written."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.by = person(request)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The form has written it."""


class OwnedChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice among rows of several entities, each named with its own."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} ({obj.entity})"


class JsonText(forms.CharField):
    """A text area for JSON, read strictly; None where it is empty."""

    def __init__(self, *, rows: int = 6, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField cf-json", "spellcheck": "false"})
        super().__init__(widget=widget, **{"required": False, "strip": True, **kwargs})

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return loads(text)
        except FlowError as error:
            raise ValidationError(f"This isn't JSON. {error.message} {error.hint}".strip()) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except ValidationError:
            return True


def shown(value: JSON) -> str:
    """A JSON value as people edit it."""
    return pretty(value).strip()

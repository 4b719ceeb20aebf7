"""Django's error reports, pages in DEBUG and mails, without secrets: by name and by value, with DEBUG as without."""

from __future__ import annotations

from collections.abc import ItemsView
from pprint import pformat
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from flows.known_secrets import cleaned, without_values
from flows.masking import MASK
from flows.secret_names import is_secret

MAX_SHOWN_CHARS = 4_000


class Shown(str):
    """A value as a report shows it, already written out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Filter(SafeExceptionReporterFilter):
    """Masks what secret names name among settings, headers, fields and local variables."""

    cleansed_substitute = MASK

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        return MASK if is_secret(str(key)) else super().cleanse_setting(key, value)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        given = super().get_post_parameters(request)
        return {name: self.cleanse_setting(name, given.get(name)) for name in given}

    def get_traceback_frame_variables(self, request: Any, tb_frame: FrameType) -> ItemsView[str, Any]:
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {name: MASK if is_secret(name) else Shown(_shown(value)) for name, value in found}.items()


class Report(ExceptionReporter):
    """The report as text and as HTML, without any value that this process knows to be secret."""

    def get_traceback_data(self) -> dict[str, Any]:
        data = super().get_traceback_data()
        given = data.get("request_GET_items", ())
        return {
            **data,
            "request_GET_items": [(name, self.filter.cleanse_setting(name, value)) for name, value in given],
        }

    def get_traceback_html(self) -> SafeString:
        return SafeString(without_values(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(cleaned(super().get_traceback_text()))


def _shown(value: Any) -> str:
    try:
        return cleaned(pformat(value)[:MAX_SHOWN_CHARS])
    except Exception as error:  # noqa: BLE001 - whatever a repr may raise, the page has to be made
        return f"Not shown: {type(error).__name__}"

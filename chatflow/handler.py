"""From the web server's call to Django's request, which nothing that a caller sends may break.

Django reads the Content-Type while it makes the request, before any middleware could answer: a parameter like
`charset=zlib_codec` or `charset*=x''y` fails there, and the caller gets a 500 without a body.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Request(WSGIRequest):
    """Django's, without a charset of the caller's: everything we read is UTF-8, and `routing.body` refuses the rest."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type = meta.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        self.content_params = {}


class Handler(WSGIHandler):
    request_class = Request


def forget_headers(environment: MutableMapping[str, str]) -> None:
    """Take out of the process's environment what would pass for a header of each request: granian adds the one to the other.

    An `HTTP_PROXY` with its password would otherwise be `headers.proxy` in every flow.
    """
    for name in [name for name in environment if name.startswith(("HTTP_", "CONTENT_"))]:
        del environment[name]

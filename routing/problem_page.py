"""Where the `type` of a problem document leads: what the code means, and what to do."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from routing.problem import PROBLEMS, Answer, Problem, response, type_uri


@require_safe
def one(request: HttpRequest, code: str) -> HttpResponse:
    """GET /problems/<code>"""
    if code not in PROBLEMS:
        return response(Problem("not_found", "There is no problem of this name. /problems lists all there are."))
    return _json(_entry(code))


@require_safe
def every(request: HttpRequest) -> HttpResponse:
    """GET /problems"""
    return _json({"problems": [_entry(code) for code in PROBLEMS]})


def _entry(code: str) -> dict[str, Any]:
    row = PROBLEMS[code]
    return {"type": type_uri(code), "code": code, "status": row.status, "title": row.title, "what_to_do": row.advice}


def _json(value: dict[str, Any]) -> HttpResponse:
    return Answer(json.dumps(value, indent=2) + "\n", content_type="application/json")

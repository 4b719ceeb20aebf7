"""The rules for endpoints: reusable calls on a connection, checked when they are saved rather than when they run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from flows.engine.strictjson import JSON, dumps, loads
from flows.engine.templates import compile_value
from flows.engine.url_paths import PathRefused, split_path
from flows.models import Entity
from flows.roles import require
from integrations.building import check_header
from integrations.definitions import Problems, put, remove
from integrations.models import Auth, BodyType, Connection, Endpoint, Method, Repeat
from integrations.outbound import CallNotBuilt

MAX_TIMEOUT_SECONDS = 60
"""A longer wait is a callback's."""

SAFE_METHODS = frozenset({Method.GET, Method.HEAD})
EMBEDDED = frozenset(
    [
        "connection",
        "method",
        "path",
        "query",
        "headers",
        "body",
        "body_type",
        "decides",
        "base_element",
        "timeout_seconds",
        "repeat",
    ]
)
"""What versions freeze; a change of it is an edit, a change of title or sample is not."""

_ANSWER_PATH = re.compile(r"""[A-Za-z_]\w*(\.[A-Za-z_]\w*|\[([0-9]{1,9}|"[^"]*"|'[^']*')\])*""", re.ASCII)

Pairs = Sequence[Mapping[str, Any]]


@transaction.atomic
def save_endpoint(
    entity: Entity,
    *,
    by: User,
    name: str,
    connection: str,
    path: str,
    method: str = Method.GET,
    query: Pairs = (),
    headers: Pairs = (),
    body: JSON = None,
    body_type: str = "",
    decides: str = "code",
    base_element: str = "",
    timeout_seconds: int = 10,
    repeat: str = "",
    title: str = "",
    sample: str = "",
) -> Endpoint:
    """Create the endpoint of that name on the connection called `connection`, or change it.

    Without a `body_type` a body is JSON; without `repeat` a GET is safe and anything else is never sent again. Raises
    PermissionDenied, or ValidationError with what is wrong by field.
    """
    require(by, entity, "manage endpoints")
    problems = Problems()
    on = Connection.objects.filter(entity=entity, name=connection).first()
    if on is None:
        known = ", ".join(Connection.objects.filter(entity=entity).values_list("name", flat=True)) or "none yet"
        problems.add("connection", f"There is no connection {connection!r} in {entity.slug}. There are: {known}.")
    values: dict[str, Any] = {
        "title": title.strip(),
        "method": method,
        "path": path.strip(),
        "query": _pairs(problems, "query", query),
        "headers": _pairs(problems, "headers", headers),
        "body_type": body_type or (BodyType.NONE if body is None else BodyType.JSON),
        "decides": decides.strip() or "code",
        "base_element": base_element.strip(),
        "timeout_seconds": timeout_seconds,
        "repeat": repeat or (Repeat.SAFE if method in SAFE_METHODS else Repeat.NEVER),
        "sample": sample,
    }
    values["body"] = _body(problems, values["body_type"], body)
    _check(problems, name, values, on)
    problems.refuse()
    return put(Endpoint, entity, name, {**values, "connection": on}, by=by, embedded=EMBEDDED)


@transaction.atomic
def delete_endpoint(endpoint: Endpoint, *, by: User) -> None:
    """Raises PermissionDenied, or ValidationError where something uses it."""
    require(by, endpoint.entity, "manage endpoints")
    remove(endpoint, by=by)


def body_of(endpoint: Endpoint) -> JSON:
    """The body as a JSON tree, or as text, or None."""
    if endpoint.body_type == BodyType.NONE:
        return None
    if endpoint.body_type == BodyType.TEXT:
        return endpoint.body
    body: JSON = loads(endpoint.body)
    return body


def _pairs(problems: Problems, field: str, pairs: Pairs) -> str:
    """Pairs as they are stored."""
    kept = []
    for index, pair in enumerate(pairs, start=1):
        if set(pair) != {"name", "value"} or not isinstance(pair["name"], str) or not pair["name"]:
            problems.add(field, f'{field} {index} isn\'t a pair: it reads {{"name": "...", "value": "..."}}.')
            continue
        _check_templates(problems, field, pair["value"], f"the value of {pair['name']}")
        kept.append({"name": pair["name"], "value": pair["value"]})
    return dumps(kept)


def _body(problems: Problems, body_type: str, body: JSON) -> str:
    """A body as it is stored."""
    if body_type == BodyType.NONE:
        if body is not None and body != "":
            problems.add(
                "body", "There is a body, and the body type says that there is none. Choose json, form or text."
            )
        return ""
    if body_type == BodyType.FORM and not isinstance(body, dict):
        problems.add("body", 'A form\'s body is an object of names and values: {"name": "value"}.')
    if body_type == BodyType.TEXT and not isinstance(body, str):
        problems.add("body", "A text body is text.")
    _check_templates(problems, "body", body, "the body")
    return str(body) if body_type == BodyType.TEXT else dumps(body)


def _check(problems: Problems, name: str, values: Mapping[str, Any], connection: Connection | None) -> None:
    problems.check_name(name)
    problems.check_texts(Endpoint, values)
    problems.check_choice("method", values["method"], Method.values)
    problems.check_choice("body_type", values["body_type"], BodyType.values)
    problems.check_choice("repeat", values["repeat"], Repeat.values)
    if values["method"] in SAFE_METHODS and values["body_type"] != BodyType.NONE:
        problems.add("body_type", f"A {values['method']} request has no body; use the query, or POST.")
    if not 1 <= values["timeout_seconds"] <= MAX_TIMEOUT_SECONDS:
        problems.add("timeout_seconds", f"The time-out is 1 to {MAX_TIMEOUT_SECONDS} seconds.")
    _check_path(problems, values["path"])
    _check_headers(problems, loads(values["headers"]), connection)
    if connection is not None and connection.auth == Auth.API_KEY_QUERY:
        for pair in loads(values["query"]):
            if pair["name"] == connection.auth_name:
                problems.add("query", f"The connection adds {pair['name']} itself, with its key; leave it out here.")
    if values["decides"] != "code":
        _check_answer_path(problems, "decides", values["decides"])
    if values["base_element"]:
        _check_answer_path(problems, "base_element", values["base_element"])


def _check_path(problems: Problems, path: str) -> None:
    """What is fixed in a path is checked here; what references become, when the call is built."""
    if not path.startswith("/"):
        problems.add("path", "A path begins with /, like /orders/{{ payload.id }}; the connection has the address.")
        return
    try:
        split_path(path)
    except PathRefused as error:
        problems.add("path", f"{error.message} {error.hint}".rstrip())
    _check_templates(problems, "path", path, "the path")


def _check_headers(problems: Problems, headers: Any, connection: Connection | None) -> None:
    ours = _auth_header(connection) if connection is not None else ""
    for pair in headers:
        name, value = pair["name"], pair["value"]
        try:
            check_header(name, value if isinstance(value, str) and "{{" not in value else "")
        except CallNotBuilt as error:
            problems.add("headers", f"{error.message} {error.hint}".rstrip())
        if ours and name.lower() == ours:
            problems.add("headers", f"The connection adds {name} itself, with its secret; leave it out here.")
        elif name.lower() == "authorization" and "{{" not in str(value):
            problems.add(
                "headers", "A fixed Authorization is a secret: give it to the connection, which keeps it sealed."
            )


def _auth_header(connection: Connection) -> str:
    """The header that the connection's secret goes into, in lower case; empty if there is none."""
    if connection.auth in (Auth.BASIC, Auth.BEARER):
        return "authorization"
    return connection.auth_name.lower() if connection.auth == Auth.API_KEY_HEADER else ""


def _check_templates(problems: Problems, field: str, source: Any, what: str) -> None:
    for problem in compile_value(source).problems:
        problems.add(field, f"In {what}: {problem.message} {problem.hint}".rstrip())


def _check_answer_path(problems: Problems, field: str, path: str) -> None:
    """A path like `result.items[0].state`, read in the answer."""
    if not _ANSWER_PATH.fullmatch(path):
        problems.add(field, f"{path!r} isn't a path into the answer, like result.state, or data[0] where it is a list.")

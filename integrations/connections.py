"""The rules for connections: what an address may be, and how secrets get in. No function gives a secret back.

A secret belongs to one host. Whoever moves an address to another host has to give the secret for that host: nobody
can have it sent to a place of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from flows.changes import record
from flows.engine.errors import NodeError
from flows.models import Entity, Environment
from flows.roles import require
from integrations.building import check_base, check_header_name
from integrations.definitions import Problems, put, remove, subject_of
from integrations.models import Auth, Connection, Secret
from integrations.outbound import CallNotBuilt
from integrations.secrets import seal_secret

MAX_SECRET_CHARS = 6_000
"""Long enough for any token; in base64 it still fits into a header."""

ADDRESS_FIELD = {Environment.PRODUCTION: "production_address", Environment.SANDBOX: "sandbox_address"}
DEFAULT_PORTS = {"https": 443, "http": 80}
EMBEDDED = frozenset({"production_address", "sandbox_address", "auth", "auth_name"})
"""What versions freeze; a change of it is an edit, a change of the title is not."""

_QUERY_NAME = re.compile(r"[A-Za-z0-9_.~\[\]-]{1,64}")


@transaction.atomic
def save_connection(
    entity: Entity,
    *,
    by: User,
    name: str,
    production_address: str,
    sandbox_address: str = "",
    title: str = "",
    auth: str = Auth.NONE,
    auth_name: str = "",
    secrets: Mapping[str, str] | None = None,
) -> Connection:
    """Create the connection of that name, or change it; `secrets` by environment, an empty one keeps what is there.

    Raises PermissionDenied, or ValidationError with what is wrong by field.
    """
    require(by, entity, "manage connections")
    problems = Problems()
    problems.check_name(name)
    values = {
        "title": title.strip(),
        "production_address": _address(problems, "production_address", production_address),
        "sandbox_address": _address(problems, "sandbox_address", sandbox_address),
        "auth": auth,
        "auth_name": auth_name.strip() if auth in (Auth.API_KEY_HEADER, Auth.API_KEY_QUERY) else "",
    }
    given = {environment: secret.strip("\r\n") for environment, secret in (secrets or {}).items() if secret}
    _check(problems, values, given)
    problems.refuse()
    connection = put(Connection, entity, name, values, by=by, embedded=EMBEDDED)
    for environment, secret in given.items():
        _set_secret(connection, environment, secret, by)
    return connection


@transaction.atomic
def delete_connection(connection: Connection, *, by: User) -> None:
    """Delete it with its secrets. Raises PermissionDenied, or ValidationError where something uses it."""
    require(by, connection.entity, "manage connections")
    endpoints = ", ".join(connection.endpoints.values_list("name", flat=True))
    if endpoints:
        raise ValidationError(f"The connection {connection.name} has endpoints: {endpoints}. Delete them first.")
    remove(connection, by=by)


def address_of(connection: Connection, environment: str) -> str:
    """Where the service is in that environment; empty where it isn't."""
    return str(getattr(connection, ADDRESS_FIELD[Environment(environment)]))


def host_of(address: str) -> str:
    """What a secret is bound to: scheme, host and port, always written the same way."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or DEFAULT_PORTS[parts.scheme]}"


def place_of(secret: Secret) -> str:
    """Where a sealed secret belongs; it opens nowhere else."""
    return f"connection:{secret.connection_id}:{secret.environment}:{secret.host}"


def has_secret(connection: Connection, environment: str) -> bool:
    """Whether there is a secret for the address that the connection has now."""
    address = address_of(connection, environment)
    return bool(address) and connection.secrets.filter(environment=environment, host=host_of(address)).exists()


def warnings_of(connection: Connection) -> list[str]:
    """What a person should know who just saved it."""
    found = []
    for environment in ADDRESS_FIELD:
        address = address_of(connection, environment)
        if address.startswith("http://"):
            found.append(f"The {environment} address is http: requests and secrets travel unencrypted. Use https.")
        if address and connection.auth != Auth.NONE and not has_secret(connection, environment):
            then = "calls fail" if environment == Environment.PRODUCTION else "effects are pretended"
            found.append(f"There is no {environment} secret for {host_of(address)} yet; until there is, {then}.")
    if not connection.sandbox_address:
        found.append("There is no sandbox address: in the sandbox, effects are pretended.")
    return found


def _set_secret(connection: Connection, environment: str, text: str, by: User) -> None:
    """Seal and keep a secret for the host of the current address; a rotation is no edit of the definition."""
    host = host_of(address_of(connection, environment))
    place = place_of(Secret(connection=connection, environment=environment, host=host))
    Secret.objects.update_or_create(
        connection=connection,
        environment=environment,
        host=host,
        defaults={"sealed": seal_secret(text, place), "set_by": by, "set_at": timezone.now()},
    )
    record(
        connection.entity,
        by=by,
        action="set secret",
        subject=subject_of(connection),
        title=connection.name,
        after={"environment": environment, "host": host},
    )


def _address(problems: Problems, field: str, text: str) -> str:
    """The address in its one form: host in ASCII, so that an approver sees no letter that looks like another one."""
    text = text.strip()
    if not text:
        return ""
    if "{{" in text or "}}" in text:
        problems.add(field, "An address holds no references: where a call goes is approved, not computed.")
        return text
    try:
        return check_base(text)
    except NodeError as error:
        problems.add(field, f"{error.message} {error.hint}".rstrip())
        return text


def _check(problems: Problems, values: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    problems.check_texts(Connection, values)
    problems.check_choice("auth", values["auth"], Auth.values)
    if not values["production_address"]:
        problems.add("production_address", "Give the address of the service, like https://api.example.com/v1.")
    _check_auth_name(problems, values)
    for environment, secret in secrets.items():
        _check_secret(problems, values, environment, secret)


def _check_auth_name(problems: Problems, values: Mapping[str, str]) -> None:
    name = values["auth_name"]
    if values["auth"] == Auth.API_KEY_QUERY and not _QUERY_NAME.fullmatch(name):
        problems.add("auth_name", "Name the query parameter that takes the key: letters, digits and - _ . ~ [ ].")
    if values["auth"] != Auth.API_KEY_HEADER:
        return
    if not name:
        problems.add("auth_name", "Name the header that takes the key, like X-API-Key.")
        return
    try:
        check_header_name(name)
    except CallNotBuilt as error:
        problems.add("auth_name", f"{error.message} {error.hint}".rstrip())


def _check_secret(problems: Problems, values: Mapping[str, str], environment: str, secret: str) -> None:
    """Sentences never quote a secret."""
    if environment not in ADDRESS_FIELD:
        problems.add("secrets", f"{environment!r} isn't an environment; secrets are for production or sandbox.")
        return
    field = f"{environment}_secret"
    if not values[ADDRESS_FIELD[Environment(environment)]]:
        problems.add(field, f"A secret goes to an address, and there is no {environment} address.")
    if values["auth"] == Auth.NONE:
        problems.add(field, "Without authentication there is nothing to keep secret; choose how one logs in.")
    if values["auth"] == Auth.BASIC and ":" not in secret:
        problems.add(field, "Basic authentication takes user:password; there is no colon in what was given.")
    if len(secret) > MAX_SECRET_CHARS or not secret.isprintable():
        problems.add(field, f"A secret is one line of at most {MAX_SECRET_CHARS} characters.")
    elif values["auth"] in (Auth.BEARER, Auth.API_KEY_HEADER) and not (secret.isascii() and secret == secret.strip()):
        problems.add(field, "A header takes ASCII, without blanks around it; this secret holds something else.")

"""Set up entities from one JSON file: members, channels, connections, endpoints, keys. Repeatable; all or nothing.

Secrets and passwords never stand in the file: it names the environment variables that hold them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as WrongShape

from flows import origin
from flows.contributors import take_turn
from flows.engine.errors import GraphRefused
from flows.engine.records import NAME_PATTERN, SLUG_PATTERN, place_of, sentence
from flows.engine.strictjson import loads
from flows.members import change_entity, grant, make_entity
from flows.models import Entity, Environment, Membership, Role
from integrations.connections import save_connection, warnings_of
from integrations.endpoints import save_endpoint
from integrations.keys import save_key
from routing.channels import onboard

T = TypeVar("T")


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Member(Part):
    """Somebody with roles in the entity."""

    username: str = Field(min_length=1, max_length=150)
    email: str = Field("", description="Whoever has to act next is told by mail.")
    roles: list[str] = Field(min_length=1, description=f"Any of {', '.join(Role.values)}.")
    password_env: str = Field("", description="Environment variable with the password of a new user.")


class Place(Part):
    """Where a service is, in one environment."""

    address: str = Field(description="Base URL of the service.")
    secret_env: str = Field("", description="Environment variable with the secret.")


class ConnectionPart(Part):
    """A service, and how one logs in there."""

    name: str = Field(pattern=NAME_PATTERN, description="How endpoints name it.")
    title: str = Field("", description="For people.")
    auth: str = Field("none", description="none, basic, bearer, api_key_header or api_key_query.")
    auth_name: str = Field("", description="Name of the header or query parameter of an API key.")
    production: Place
    sandbox: Place | None = Field(None, description="Without it, calls are pretended in the sandbox.")


class PairPart(Part):
    """A query parameter or a header."""

    name: str
    value: Any = Field("", description="Text or JSON, references allowed; null leaves the pair out.")


class EndpointPart(Part):
    """A call that flows make by its name."""

    name: str = Field(pattern=NAME_PATTERN, description="How steps name it.")
    title: str = Field("", description="For people.")
    connection: str = Field(description="Name of the connection, of this file or there already.")
    method: str = Field("GET", description="GET, HEAD, POST, PUT, PATCH or DELETE.")
    path: str = Field(description="Added to the connection's address; begins with /, references allowed.")
    query: list[PairPart] = Field(default_factory=list)
    headers: list[PairPart] = Field(default_factory=list)
    body: Any = Field(None, description="JSON, or the text of a text body; references allowed.")
    body_type: str = Field("", description="json, form, text or none; default: json where there is a body.")
    decides: str = Field("code", description='"code", or a path into the answer, like data.status.')
    base_element: str = Field("", description="Path of the part of the answer that flows get as data; default: all.")
    timeout_seconds: int = Field(10, ge=1, le=60, description="For all of the call.")
    repeat: str = Field("", description="safe, idempotency_key or never; default: safe for GET, else never.")


class KeyPart(Part):
    """Material for the encrypt node."""

    name: str = Field(pattern=NAME_PATTERN, description="How steps name it.")
    kind: str = Field(description="aes-256, rsa-public or hmac.")
    material_env: str = Field("", description="Environment variable with the material; an AES key may be left out.")
    sandbox_material_env: str = Field(
        "", description="The same for the sandbox; without it the key is pretended there. A public key serves both."
    )


class EntityPart(Part):
    """An entity, with everything that is its own but flows and routes."""

    slug: str = Field(pattern=SLUG_PATTERN, max_length=50, description="Its name for commands; never changes.")
    name: str = Field("", description="For people; of a new entity the slug without it.")
    members: list[Member] = Field(default_factory=list)
    channels: list[str] = Field(default_factory=list, description="dynamic_api: without it there can be no routes.")
    connections: list[ConnectionPart] = Field(default_factory=list)
    endpoints: list[EndpointPart] = Field(default_factory=list)
    keys: list[KeyPart] = Field(default_factory=list)


class SetupFile(Part):
    """What `manage.py setup` reads."""

    entities: list[EntityPart] = Field(min_length=1)


def setup_schema() -> dict[str, Any]:
    """The JSON Schema of the file, docs/setup-file.schema.json."""
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Chatflow setup file"}
    return {**SetupFile.model_json_schema(), **about}


def read_setup(text: str) -> SetupFile:
    """Check the file's shape. Raises GraphRefused or JSONRefused with place and reason."""
    try:
        file = SetupFile.model_validate(loads(text))
    except WrongShape as error:
        detail = error.errors(include_url=False)[0]
        raise GraphRefused(place_of(detail["loc"], ""), sentence(detail)) from None
    _refuse_twice("entities", ".slug", [part.slug for part in file.entities])
    for index, part in enumerate(file.entities):
        place = f"entities[{index}]"
        _refuse_twice(f"{place}.members", ".username", [member.username for member in part.members])
        _refuse_twice(f"{place}.channels", "", part.channels)
        named: dict[str, Sequence[ConnectionPart | EndpointPart | KeyPart]]
        named = {"connections": part.connections, "endpoints": part.endpoints, "keys": part.keys}
        for kind, parts in named.items():
            _refuse_twice(f"{place}.{kind}", ".name", [one.name for one in parts])
    return file


def _refuse_twice(place: str, key: str, names: Sequence[str]) -> None:
    """Which of the two would hold is nothing to guess."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise GraphRefused(f"{place}[{index}]{key}", f"{name!r} is there twice", hint="Take one of them out.")


@transaction.atomic
def apply_setup(file: SetupFile, *, by: User) -> list[str]:
    """Bring everything to what the file says; returns what was done, a line each. Nothing is kept of a refused file.

    Raises GraphRefused with place and reason, also where `by` lacks a role.
    """
    for entity in Entity.objects.filter(slug__in=[part.slug for part in file.entities]).order_by("pk"):
        # In one order, and before accounts are recorded: two files at once don't wait for each other.
        take_turn(entity.pk)
    with origin.acting(by):
        return [
            line for index, part in enumerate(file.entities) for line in _apply_entity(part, f"entities[{index}]", by)
        ]


def _apply_entity(part: EntityPart, place: str, by: User) -> list[str]:
    entity = Entity.objects.filter(slug=part.slug).first()
    done = []
    if entity is None:
        entity = _at(place, lambda: make_entity(part.slug, part.name, by=by))
        done.append(f"entity {entity.slug}: made")
    elif part.name and part.name != entity.name:
        _at(f"{place}.name", lambda: _rename(entity, part.name, by))
        done.append(f"entity {entity.slug}: named {part.name!r}")
    for kind, parts, apply in (
        ("members", part.members, _apply_member),
        ("channels", part.channels, _apply_channel),
        ("connections", part.connections, _apply_connection),
        ("endpoints", part.endpoints, _apply_endpoint),
        ("keys", part.keys, _apply_key),
    ):
        for index, one in enumerate(parts):
            told: str = _at(f"{place}.{kind}[{index}]", lambda one=one, apply=apply: apply(entity, one, by))  # type: ignore[misc]
            done += told.splitlines()
    return done


FIELDS = {
    "production_address": "production.address",
    "sandbox_address": "sandbox.address",
    "production_secret": "production.secret_env",
    "sandbox_secret": "sandbox.secret_env",
    "material": "material_env",
    "sandbox_material": "sandbox_material_env",
}
"""What the rules call a field, and where it stands in the file where that is another place."""


def _at(place: str, work: Callable[[], T]) -> T:
    """Do one part; a refusal names the place in the file."""
    try:
        return work()
    except ValidationError as error:
        fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
        field, messages = next(iter(fields.items()))
        field = FIELDS.get(field, field)
        raise GraphRefused(f"{place}.{field}" if field else place, " ".join(messages)) from None
    except PermissionDenied as error:
        raise GraphRefused(place, str(error)) from None


def _rename(entity: Entity, name: str, by: User) -> None:
    try:
        change_entity(entity, by=by, name=name)
    except ValidationError as error:
        raise ValidationError(error.messages) from None


def _apply_member(entity: Entity, part: Member, by: User) -> str:
    unknown = [role for role in part.roles if role not in Role.values]
    if unknown:
        raise ValidationError({"roles": f"there is no role {unknown[0]!r}; roles are {', '.join(Role.values)}"})
    user = User.objects.filter(username=part.username).first() or _new_user(part, by)
    if part.email and part.email != user.email:
        _readdress(user, part.email, by)
    for role in part.roles:
        if not Membership.objects.filter(entity=entity, user=user, role=role).exists():
            grant(entity, user, role, by=by)
    return f"member {part.username}: {', '.join(part.roles)}"


def _new_user(part: Member, by: User) -> User:
    if not by.is_superuser:
        raise ValidationError({"username": f"there is no user {part.username!r}, and only a superuser makes users"})
    user = User(username=part.username, email=part.email, is_staff=True)
    user.full_clean(exclude=["password"])
    if part.password_env:
        password = _from_environment(part.password_env, "password_env")
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise ValidationError({"password_env": error.messages}) from None
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.save()
    return user


def _readdress(user: User, email: str, by: User) -> None:
    if not by.is_superuser:
        raise ValidationError({"email": f"{user} has another address, and only a superuser changes it"})
    user.email = email
    user.full_clean()
    user.save(update_fields=["email"])


def _apply_channel(entity: Entity, kind: str, by: User) -> str:
    try:
        onboard(entity, kind, by=by)
    except ValidationError as error:
        raise ValidationError(error.messages) from None
    return f"channel {kind}: onboarded"


def _apply_connection(entity: Entity, part: ConnectionPart, by: User) -> str:
    places = {Environment.PRODUCTION: part.production, Environment.SANDBOX: part.sandbox}
    secrets = {
        str(environment): _from_environment(place.secret_env, f"{environment}_secret")
        for environment, place in places.items()
        if place is not None and place.secret_env
    }
    connection = save_connection(
        entity,
        by=by,
        name=part.name,
        title=part.title,
        production_address=part.production.address,
        sandbox_address=part.sandbox.address if part.sandbox else "",
        auth=part.auth,
        auth_name=part.auth_name,
        secrets=secrets,
    )
    told = [f"connection {part.name}: {part.production.address}", *(f"  {each}" for each in warnings_of(connection))]
    return "\n".join(told)


def _apply_endpoint(entity: Entity, part: EndpointPart, by: User) -> str:
    body_type = part.body_type or ("none" if part.body is None else "json")
    save_endpoint(
        entity,
        by=by,
        **part.model_dump(
            include={"name", "title", "connection", "method", "path", "decides", "base_element", "repeat"}
        ),
        query=[pair.model_dump() for pair in part.query],
        headers=[pair.model_dump() for pair in part.headers],
        body=part.body,
        body_type=body_type,
        timeout_seconds=part.timeout_seconds,
    )
    return f"endpoint {part.name}: {part.method} {part.path}"


def _apply_key(entity: Entity, part: KeyPart, by: User) -> str:
    material, sandbox_material = (
        _from_environment(getattr(part, field), field) if getattr(part, field) else ""
        for field in ("material_env", "sandbox_material_env")
    )
    save_key(entity, by=by, name=part.name, kind=part.kind, material=material, sandbox_material=sandbox_material)
    return f"key {part.name}: {part.kind}"


def _from_environment(name: str, field: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ValidationError({field: f"the environment variable {name} isn't set"})
    return value

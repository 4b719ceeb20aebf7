"""What the commands share: who acts, in which entity, and errors as one clear line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import CommandError

from flows.engine.errors import FlowError
from flows.models import Entity, Flow
from flows.roles import entities_of


def add_actor(parser: ArgumentParser) -> None:
    """`--as USER` and `--entity E`."""
    parser.add_argument(
        "--as", dest="actor", metavar="USER", help="the user who does this; the same roles hold as on the pages"
    )
    parser.add_argument("--entity", metavar="E", help="slug of the entity; may be left out where there is only one")


def acting(name: str | None) -> User:
    """The active user of that name. Raises CommandError."""
    if not name:
        raise CommandError("Say who does this: --as USER.")
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(
            f"There is no user {name!r}. A superuser creates users in the admin or with `manage.py setup`."
        )
    if not user.is_active:
        raise CommandError(f"The user {name!r} isn't active.")
    return user


def entity_for(slug: str | None, user: User | None) -> Entity:
    """The entity of that slug, or the only one that the user (everybody, without one) belongs to. Raises CommandError."""
    known = entities_of(user) if user is not None else Entity.objects.all()
    if slug:
        found = known.filter(slug=slug).first()
        if found is None:
            raise CommandError(f"There is no entity {slug!r}" + (f" that {user} belongs to." if user else "."))
        return found
    some = list(known.order_by("slug")[:11])
    if len(some) == 1:
        return some[0]
    if not some:
        raise CommandError(
            "There is no entity yet: `manage.py setup FILE --as USER` makes one."
            if user is None
            else f"{user} belongs to no entity; an owner can grant a role."
        )
    raise CommandError("Say which entity: --entity " + " | ".join(entity.slug for entity in some[:10]))


def flow_of(entity: Entity, slug: str) -> Flow:
    """The entity's flow of that slug. Raises CommandError."""
    found = Flow.objects.filter(entity=entity, slug=slug).first()
    if found is None:
        raise CommandError(f"{entity.slug} has no flow {slug!r}; `manage.py flow list` shows them.")
    return found


def read_text(path: str) -> str:
    """The text of a file, or of standard input for `-`. Raises CommandError."""
    if path == "-":
        return sys.stdin.read()
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} can't be read: {error}") from None


def is_file(name: str) -> bool:
    """Whether a file is meant rather than a slug. Raises CommandError for a file that isn't there."""
    path = Path(name)
    if name == "-" or (path.exists() and not path.is_dir()):
        return True
    if "/" in name or name.endswith(".json"):
        raise CommandError(f"There is no file {name}.")
    return False


def pairs(option: str, texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """Names and values of an option that is given as NAME=VALUE, any number of times. Raises CommandError."""
    found = [text.partition("=") for text in texts or ()]
    for name, sign, value in found:
        if not (name and sign):
            raise CommandError(f"{option} takes NAME=VALUE; {name + sign + value!r} has no {'name' if sign else '='}.")
    return [(name, value) for name, _, value in found]


@contextmanager
def one_clear_line(options: Mapping[str, str] | None = None) -> Iterator[None]:
    """Turn a refusal into a CommandError: one line, exit code 1. `options` is from fields to the options they come from."""
    try:
        yield
    except FlowError as error:
        raise CommandError(f"{error.message} {error.hint}".strip()) from None
    except ValidationError as error:
        raise CommandError(_line(error, options or {})) from None
    except PermissionDenied as error:
        raise CommandError(str(error)) from None


def _line(error: ValidationError, options: Mapping[str, str]) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    fields = {options.get(field, ""): " ".join(messages) for field, messages in error.message_dict.items()}
    return " ".join(f"{option}: {said}" if option else said for option, said in fields.items())

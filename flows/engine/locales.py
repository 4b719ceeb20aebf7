"""Time zones and locales by name. What isn't known is a NodeError, so that a node leaves by its `no`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError

from flows.engine.errors import NodeError
from flows.engine.node import Finding

MAX_NAME_CHARS = 64


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises NodeError."""
    try:
        if len(name) > MAX_NAME_CHARS:
            raise ValueError(name)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise NodeError(
            f"There is no time zone {name[:MAX_NAME_CHARS]!r}.",
            code="unknown_timezone",
            hint="Write it like Europe/Paris or UTC.",
        ) from None


@lru_cache(maxsize=256)
def locale_of(name: str) -> Locale:
    """The locale of a name like `en`, `en-GB` or `pt_BR`. Raises NodeError."""
    try:
        if len(name) > MAX_NAME_CHARS:
            raise ValueError(name)
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        raise NodeError(
            f"There is no locale {name[:MAX_NAME_CHARS]!r}.",
            code="unknown_locale",
            hint="Write it like en, en-GB or pt-BR.",
        ) from None


def name_findings(timezone: str, locale: str) -> Iterator[Finding]:
    """A time zone or locale that isn't known; one that is a reference is looked at when the step runs."""
    for find, name in ((zone_of, timezone), (locale_of, locale)):
        try:
            "{{" in name or find(name)
        except NodeError as error:
            yield Finding(error.code, error.message, error.hint)

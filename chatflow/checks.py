"""Checks of our own settings, for `manage.py check`; what the release must be able to run is in flows/checks.py."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from flows import vault
from flows.checks import verify_contents
from integrations import addresses
from routing import allowlist

_READERS: dict[str, Callable[[], object]] = {
    "METRICS_ALLOWED": lambda: allowlist.parse(settings.METRICS_ALLOWED),
    "TRUSTED_PROXIES": lambda: allowlist.parse(";".join(settings.TRUSTED_PROXIES)),
    "OUTBOUND_ALLOWED_NETWORKS": addresses.allowed_networks,
    "CHATFLOW_KEYS": lambda: vault.seal("a trial", place="nowhere"),
}


@register()
def our_settings_can_be_read(**_: Any) -> list[CheckMessage]:
    """Each setting that has a grammar of its own keeps to it."""
    found: list[CheckMessage] = []
    for name, read in _READERS.items():
        try:
            read()
        except (ImproperlyConfigured, ValueError) as error:
            found.append(Error(f"{name} can't be read: {error}", id="chatflow.E001"))
    return found


@register(deploy=True)
def partners_come_by_https(**_: Any) -> list[CheckMessage]:
    """A token that went over plain HTTP is everybody's."""
    if settings.PUBLIC_URL.startswith("https://"):
        return []
    hint = "Give the address that partners call, such as https://flows.example.com."
    return [Warning(f"PUBLIC_URL is {settings.PUBLIC_URL}, without HTTPS.", hint=hint, id="chatflow.W001")]


def refuse_to_start() -> None:
    """For web and worker: ends the process, saying why, where this release can't run what the database holds."""
    try:
        verify_contents()
    except ImproperlyConfigured as error:
        sys.exit(str(error))

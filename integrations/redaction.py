"""Taking secrets out of answers: a service that echoes what it was sent must not carry them into runs and to partners."""

from __future__ import annotations

from collections.abc import Iterable

from flows.engine.strictjson import JSON
from integrations.secrets import MASK

MIN_SECRET_CHARS = 12
"""A shorter one is likely to be a word that answers hold anyway; taking it out would spoil data and hide nothing."""


class Redaction:
    """Replaces the given secrets, wherever they stand in a text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({s for s in secrets if len(s) >= MIN_SECRET_CHARS}, key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: JSON) -> JSON:
        """A copy of a JSON value, keys included; the value itself where there is nothing to look for."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        return value

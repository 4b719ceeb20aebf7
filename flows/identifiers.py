"""What a person is called in texts: phone numbers, e-mail addresses, numbers of customers, in their usual spellings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from urllib.parse import quote

from django.core.exceptions import ValidationError

MIN_CHARS = 4
"""A shorter one would be found in runs of anybody."""

MAX_IDENTIFIERS = 20

_PHONE = re.compile(r"(?:\+|00)?([\d\s().\-/\u00a0]{7,})")
_BETWEEN_DIGITS = r"[\s().\-/\u00a0]{0,3}"
_BEFORE, _AFTER = r"(?<![\w.+\-])", r"(?![\w\-]|\.\w)"
"""`ann@example.com` is not `joann@example.com`, nor `ann@example.com.au`."""


class Person:
    """Somebody by the identifiers that they go by. Raises ValidationError for none, too many, or ones too short."""

    def __init__(self, identifiers: Iterable[str]) -> None:
        self.identifiers = tuple(dict.fromkeys(_plain(text) for text in identifiers if text.strip()))
        if not 1 <= len(self.identifiers) <= MAX_IDENTIFIERS:
            raise ValidationError(f"Give 1 to {MAX_IDENTIFIERS} identifiers, each on a line of its own.")
        if short := [text for text in self.identifiers if len(text) < MIN_CHARS]:
            raise ValidationError(f"{short[0]!r} is too short to be somebody's alone: {MIN_CHARS} characters at least.")

    def is_in(self, text: str) -> bool:
        """Whether one of the identifiers stands in the text: JSON, or what was made for a URL."""
        return bool(text) and self._pattern.search(_plain(text)) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(form for identifier in self.identifiers for form in _forms(identifier)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().strip()


def _forms(identifier: str) -> Iterable[str]:
    """Patterns that find it in a normalised text."""
    phone = _PHONE.fullmatch(identifier)
    digits = re.sub(r"\D", "", phone[1]) if phone else ""
    if len(digits) >= MIN_CHARS + 3:
        yield rf"(?<!\d)(?:\+|%2b|00)?{_BETWEEN_DIGITS.join(digits)}(?!\d)"
        return
    escaped = identifier.replace("\\", "\\\\").replace('"', '\\"')  # as JSON has it
    for spelling in {identifier, escaped, quote(identifier, safe="").casefold()}:
        yield f"{_BEFORE}{re.escape(spelling)}{_AFTER}"

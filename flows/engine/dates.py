"""Read the dates that systems write: RFC 3339, and ISO 8601 dates and times without a zone."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from flows.engine.errors import WrongType


def read_date(text: object, zone: tzinfo = UTC) -> datetime:
    """A moment with its zone; in `zone` where the text names none. Raises WrongType."""
    if isinstance(text, str) and len(text) <= 40:
        try:
            found = datetime.fromisoformat(text.strip().upper())  # RFC 3339 allows t and z
        except ValueError:
            pass
        else:
            return found if found.tzinfo else found.replace(tzinfo=zone)
    raise WrongType(
        f"{str(text)[:40]!r} isn't a date.",
        hint="Dates read 2026-01-31 or 2026-01-31T09:30:00Z; date_format reads others.",
    )

"""Time and identifiers of a step: derived from run and step, so that doing a step again gives the same."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-01-31T09:30:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The present moment."""
    return rfc3339(datetime.now(UTC))


def step_uuid(run_id: str, position: int) -> str:
    """A UUID that belongs to one step of one run (RFC 9562, version 5)."""
    return str(uuid.uuid5(uuid.UUID(run_id), str(position)))

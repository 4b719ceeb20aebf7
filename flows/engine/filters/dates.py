"""Filters on dates, which are texts: 2026-01-31, or a moment as RFC 3339 has it."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta

from flows.engine import patterns
from flows.engine.clock import rfc3339
from flows.engine.dates import read_date
from flows.engine.errors import NodeError, WrongType
from flows.engine.filters.base import Filter, text_of, whole
from flows.engine.locales import locale_of, zone_of
from flows.engine.strictjson import JSON

MAX_STEPS = 4_000_000
"""Of any unit, in either direction: the calendar has fewer days."""

_UNITS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 7 * 86_400}


def date(value: JSON, pattern: JSON, timezone: JSON = "UTC", locale: JSON = "en") -> JSON:
    """Written by a pattern of Unicode letters, in a time zone and a language."""
    moment = read_date(text_of(value))
    try:
        return patterns.write(moment, text_of(pattern), zone_of(text_of(timezone)), locale_of(text_of(locale)))
    except NodeError as error:
        raise WrongType(error.message[:1].lower() + error.message[1:], hint=error.hint or "Check the date.") from None


def add_time(value: JSON, count: JSON, unit: JSON) -> JSON:
    """Later, or earlier for a negative count, by seconds, minutes, hours, days, weeks or months."""
    written, steps, name = text_of(value).strip(), whole(count, least=-MAX_STEPS, most=MAX_STEPS), text_of(unit)
    moment = read_date(written)
    try:
        moment = moment.astimezone(UTC)
        later = _months_later(moment, steps) if name == "months" else moment + timedelta(seconds=steps * _seconds(name))
    except (OverflowError, ValueError):
        raise WrongType("the date would be beyond the years 1 to 9999", hint="Add less.") from None
    is_day = len(written) == len("2026-01-31") and name in ("days", "weeks", "months")
    return later.date().isoformat() if is_day else rfc3339(later)


def _seconds(unit: str) -> int:
    if unit not in _UNITS:
        raise WrongType(f"it can't count in {unit[:40]!r}", hint=f"Choose one of {', '.join(_UNITS)}, months.")
    return _UNITS[unit]


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day of another month, or its last one: a month after 31 January is 28 February."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


FILTERS = {
    "date": Filter(
        date, "'2026-01-31T09:30:00Z' | date: 'dd.MM.yyyy HH:mm', 'Europe/Paris'", "31.01.2026 10:30", cost=20
    ),
    "add_time": Filter(add_time, "'2026-01-31' | add_time: 1, 'months'", "2026-02-28", cost=5),
}

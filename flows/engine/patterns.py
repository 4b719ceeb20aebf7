"""Date patterns by Unicode letters, `yyyy-MM-dd HH:mm`. babel writes them; a table maps them to strptime for reading.

Text between apostrophes stands for itself, and two apostrophes for one.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from functools import lru_cache

from babel import Locale
from babel.dates import format_datetime

from flows.engine.errors import NodeError

MAX_PATTERN_CHARS = 100
MAX_DATE_CHARS = 200

FIELDS: dict[str, str] = {
    "yyyy": "%Y",
    "y": "%Y",
    "yy": "%y",
    "MM": "%m",
    "M": "%m",
    "MMM": "%b",
    "MMMM": "%B",
    "LLL": "",
    "LLLL": "",
    "dd": "%d",
    "d": "%d",
    "EEEE": "%A",
    "EEE": "%a",
    "E": "%a",
    "HH": "%H",
    "H": "%H",
    "hh": "%I",
    "h": "%I",
    "a": "%p",
    "mm": "%M",
    "m": "%M",
    "ss": "%S",
    "s": "%S",
    "SSS": "%f",
    "SSSSSS": "%f",
    "Q": "",
    "QQQ": "",
    "ww": "",
    "YYYY": "",
    "X": "",
    "XX": "%z",
    "XXX": "%z",
    "xx": "%z",
    "xxx": "%z",
    "Z": "%z",
}
"""Field of a pattern to its strptime directive; empty where a field can be written and not read."""

_PIECES = re.compile(r"(?P<field>([A-Za-z])\2*)|'(?P<quoted>(?:[^']|'')*)'|(?P<plain>[^A-Za-z']+)|(?P<open>')")


def problem_of(pattern: str, *, reading: bool = False) -> str:
    """Why a pattern can't be used, as a sentence; empty where it can."""
    read: set[str] = set()
    if not pattern:
        return "The pattern is empty."
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"The pattern is longer than {MAX_PATTERN_CHARS} characters."
    for piece in _PIECES.finditer(pattern):
        field = piece["field"]
        if piece["open"]:
            return f"An apostrophe of the pattern {pattern!r} isn't closed."
        if field and field not in FIELDS:
            return f"The pattern {pattern!r} has {field!r}, which we don't know."
        if field and reading and not FIELDS[field]:
            return f"The pattern {pattern!r} has {field!r}, which can be written but not read."
        if field and reading and FIELDS[field] in read:
            return (
                f"The pattern {pattern!r} has {field!r} where it has the same before; a date is read from one of them."
            )
        read |= {FIELDS[field]} if field else set()
    return ""


def doubt_about(pattern: str) -> str:
    """A likely slip in a pattern that can be used, as a sentence; empty where there is none."""
    fields = {piece["field"] for piece in _PIECES.finditer(pattern)}
    if fields & {"mm", "m"} and not fields & {"HH", "H", "hh", "h"}:
        return "mm is the minute; the month is MM."
    if "YYYY" in fields and "ww" not in fields:
        return "YYYY is the year that a week belongs to; the year is yyyy."
    return ""


def read(text: str, pattern: str, zone: tzinfo) -> datetime:
    """The moment that `text` says by `pattern`; in `zone` where it has no offset. Month and day names are English."""
    try:
        if len(text) > MAX_DATE_CHARS:
            raise ValueError
        moment = datetime.strptime(text, _strptime_format(pattern))
    except ValueError:
        raise NodeError(
            f"{text[:40]!r} isn't a date like {pattern}.",
            code="not_a_date",
            hint="Check the source pattern against real values.",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def write(moment: datetime, pattern: str, zone: tzinfo, locale: Locale) -> str:
    """The moment by `pattern`, in `zone`, with the names of `locale`."""
    _refuse(problem_of(pattern))
    try:
        return format_datetime(moment, pattern, tzinfo=zone, locale=locale)
    except OverflowError:
        raise NodeError(
            "The date is beyond the years 1 to 9999 in that time zone.", code="not_a_date", hint="Check the date."
        ) from None


@lru_cache(maxsize=256)
def _strptime_format(pattern: str) -> str:
    _refuse(problem_of(pattern, reading=True))
    made = []
    for piece in _PIECES.finditer(pattern):
        if piece["field"]:
            made.append(FIELDS[piece["field"]])
        else:
            quoted = piece["quoted"]
            text = piece["plain"] if quoted is None else quoted.replace("''", "'") or "'"
            made.append(text.replace("%", "%%"))
    return "".join(made)


def _refuse(problem: str) -> None:
    if problem:
        raise NodeError(problem, code="bad_date_pattern", hint=f"Known: {' '.join(FIELDS)}.")

"""The filters of the language, in one table. A filter gets the budget, its value and its arguments; it pays for what it makes."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, DecimalException
from typing import Any
from urllib.parse import quote

from babel.dates import format_datetime

from flows.engine import values
from flows.engine.budget import Budget
from flows.engine.clock import rfc3339
from flows.engine.dates import read_date
from flows.engine.errors import FlowError, WrongType
from flows.engine.strictjson import JSON, dumps, loads


@dataclass(frozen=True, slots=True)
class Filter:
    """`function(budget, value, *arguments)`; takes between `least` and `most` arguments."""

    function: Callable[..., JSON]
    least: int
    most: int
    cost: int
    text: str
    example: str

    @property
    def takes(self) -> str:
        if self.most == 0:
            return "no arguments"
        count = str(self.most) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{count} argument{'s' if self.most > 1 else ''}"


FILTERS: dict[str, Filter] = {}


def _filter(least: int = 0, most: int = 0, *, cost: int = 1, text: str, example: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        FILTERS[function.__name__.removesuffix("_")] = Filter(function, least, most, cost, text, example)
        return function

    return register


def _text(value: JSON, name: str) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    if values.is_number(value):
        return values.to_text(value)
    raise WrongType(f"`{name}` takes text, not {values.kind_of(value)}.", hint="Choose a text inside it.")


def _list(value: JSON, name: str) -> list[JSON]:
    if type(value) is list:
        return value
    raise WrongType(f"`{name}` takes a list, not {values.kind_of(value)}.", hint="Choose a list.")


def _number(value: JSON, name: str) -> Decimal:
    if type(value) is int or type(value) is Decimal:
        return Decimal(value)
    raise WrongType(f"`{name}` takes a number, not {values.kind_of(value)}.", hint="`| number` reads one from text.")


def _whole(value: JSON, name: str, what: str) -> int:
    if type(value) is int and abs(value) < 10**9:
        return value
    raise WrongType(f"`{name}` takes a whole number as {what}, not {values.to_text(value)[:20] or 'nothing'}.")


def _made(budget: Budget, text: str) -> str:
    budget.spend_text(len(text))
    return text


# --- Text ---------------------------------------------------------------------------------------------------------------


@_filter(text="In capitals.", example="{{ 'xyz' | upper }}")
def upper(budget: Budget, value: JSON) -> JSON:
    return _made(budget, _text(value, "upper").upper())


@_filter(text="In small letters.", example="{{ 'ABCD' | lower }}")
def lower(budget: Budget, value: JSON) -> JSON:
    return _made(budget, _text(value, "lower").lower())


@_filter(text="Without blanks around it.", example="{{ '  Ann ' | trim }}")
def trim(budget: Budget, value: JSON) -> JSON:
    return _text(value, "trim").strip()


@_filter(1, 1, text="The first characters.", example="{{ 'ABCDEFGH' | left: 4 }}")
def left(budget: Budget, value: JSON, count: JSON) -> JSON:
    return _text(value, "left")[: max(0, _whole(count, "left", "the count"))]


@_filter(1, 1, text="The last characters.", example="{{ 'tvwxyz' | right: 3 }}")
def right(budget: Budget, value: JSON, count: JSON) -> JSON:
    whole = max(0, _whole(count, "right", "the count"))
    return _text(value, "right")[-whole:] if whole else ""


@_filter(2, 2, text="From a position, counted from 0, up to before another.", example="{{ 'abcdABCD' | substr: 2, 6 }}")
def substr(budget: Budget, value: JSON, start: JSON, end: JSON) -> JSON:
    text = _text(value, "substr")
    return text[max(0, _whole(start, "substr", "the start")) : max(0, _whole(end, "substr", "the end"))]


@_filter(2, 2, text="Every occurrence of a text made another.", example="{{ 'a-b-c' | replace: '-', '.' }}")
def replace(budget: Budget, value: JSON, old: JSON, new: JSON) -> JSON:
    text, gone, come = _text(value, "replace"), _text(old, "replace"), _text(new, "replace")
    if not gone:
        raise WrongType("`replace` can't look for an empty text.", hint="Say what to replace.")
    budget.spend_text(len(text) + text.count(gone) * max(0, len(come) - len(gone)))
    return text.replace(gone, come)


@_filter(1, 1, text="A list of the parts between a separator.", example="{{ 'a,b' | split: ',' }}")
def split(budget: Budget, value: JSON, separator: JSON) -> JSON:
    text, between = _text(value, "split"), _text(separator, "split")
    if not between:
        raise WrongType("`split` needs a separator.", hint="For example {{ payload.tags | split: ',' }}.")
    budget.spend(1 + text.count(between))
    return list(text.split(between))


@_filter(text="Characters of a text, items of a list, keys of an object.", example="{{ 'Ann' | length }}")
def length(budget: Budget, value: JSON) -> JSON:
    return len(value) if isinstance(value, str | list | dict) else len(_text(value, "length"))


@_filter(text="As text: numbers without exponent, objects and lists as JSON.", example="{{ 12.5 | text }}")
def text(budget: Budget, value: JSON) -> JSON:
    return _made(budget, values.to_text(value))


@_filter(
    1,
    1,
    text="Another value where there is none (null or empty text).",
    example="{{ payload.nick | default: 'friend' }}",
)
def default(budget: Budget, value: JSON, otherwise: JSON) -> JSON:
    return otherwise if value is None or value == "" else value


@_filter(
    1, 1, text="Whether a text holds a text, or a list an item.", example="{{ 'boats, bikes' | contains: 'bike' }}"
)
def contains(budget: Budget, value: JSON, part: JSON) -> JSON:
    if isinstance(value, list):
        budget.spend(len(value))
        return any(values.same(item, part) for item in value)
    return _text(part, "contains") in _text(value, "contains")


# --- Lists --------------------------------------------------------------------------------------------------------------


@_filter(text="The first item; null of an empty list.", example="{{ payload.items | first }}")
def first(budget: Budget, value: JSON) -> JSON:
    items = _list(value, "first")
    return items[0] if items else None


@_filter(text="The last item; null of an empty list.", example="{{ payload.items | last }}")
def last(budget: Budget, value: JSON) -> JSON:
    items = _list(value, "last")
    return items[-1] if items else None


@_filter(0, 1, text="The items as one text, with a separator between them.", example="{{ payload.items | join: ', ' }}")
def join(budget: Budget, value: JSON, separator: JSON = ", ") -> JSON:
    items, between = _list(value, "join"), _text(separator, "join")
    budget.spend(len(items))
    texts = [values.to_text(item) for item in items]
    budget.spend_text(sum(map(len, texts)) + len(between) * max(0, len(texts) - 1))
    return between.join(texts)


@_filter(text="How many items.", example="{{ payload.items | count }}")
def count(budget: Budget, value: JSON) -> JSON:
    return len(_list(value, "count"))


@_filter(text="Numbers or texts in rising order.", example="{{ payload.items | sort }}")
def sort(budget: Budget, value: JSON) -> JSON:
    items = _list(value, "sort")
    budget.spend(len(items) * max(1, len(items).bit_length()))
    if all(values.is_number(item) for item in items) or all(type(item) is str for item in items):
        return sorted(items)  # type: ignore[type-var]
    raise WrongType("`sort` takes a list of numbers or a list of texts.", hint="Take one field: `| map: 'name'`.")


@_filter(text="Each different item once, in the order of coming.", example="{{ payload.items | unique }}")
def unique(budget: Budget, value: JSON) -> JSON:
    items = _list(value, "unique")
    budget.spend(len(items))
    kept = {dumps([type(item).__name__ if not values.is_number(item) else "", item]): item for item in reversed(items)}
    return list(reversed(kept.values()))


@_filter(
    1, 2, text="Some items: from a position, counted from 0, and how many.", example="{{ payload.items | slice: 0, 2 }}"
)
def slice_(budget: Budget, value: JSON, start: JSON, many: JSON = None) -> JSON:
    items, begin = _list(value, "slice"), max(0, _whole(start, "slice", "the start"))
    end = None if many is None else begin + max(0, _whole(many, "slice", "the count"))
    return items[begin:end]


@_filter(1, 1, text="One field of every object in a list.", example="{{ payload.orders | map: 'id' }}")
def map_(budget: Budget, value: JSON, field: JSON) -> JSON:
    items, name = _list(value, "map"), _text(field, "map")
    budget.spend(len(items))
    return [item.get(name) if type(item) is dict else None for item in items]


@_filter(text="The sum of a list of numbers.", example="{{ payload.prices | sum }}")
def sum_(budget: Budget, value: JSON) -> JSON:
    items = _list(value, "sum")
    budget.spend(len(items))
    total: JSON = 0
    for item in items:
        total = values.arithmetic("+", total, item)
    return total


# --- Numbers ------------------------------------------------------------------------------------------------------------


@_filter(text="A number read from text; a number stays one.", example="{{ '12.50' | number }}")
def number(budget: Budget, value: JSON) -> JSON:
    if values.is_number(value):
        return value
    written = _text(value, "number").strip()
    try:
        if len(written) <= 64 and written.isascii() and "_" not in written:
            found = Decimal(written)
            if found.is_finite() and abs(found.adjusted()) <= 64:
                return values.tidy(found)
    except DecimalException:
        pass
    raise WrongType(f"{written[:40]!r} isn't a number.", hint="A number reads 1234.5, with a point and no separators.")


def _rounded(value: JSON, places: JSON, how: str, name: str) -> JSON:
    digits = _whole(places, name, "the places")
    if not 0 <= digits <= 12:
        raise WrongType(f"`{name}` rounds to 0 to 12 places.", hint="Choose fewer places.")
    wanted = _number(value, name)
    if wanted.adjusted() > 27 - digits:
        return value
    return values.tidy(wanted.quantize(Decimal(1).scaleb(-digits), rounding=how))


@_filter(0, 1, text="Rounded to a number of places; halves away from zero.", example="{{ 2.345 | round: 2 }}")
def round_(budget: Budget, value: JSON, places: JSON = 0) -> JSON:
    return _rounded(value, places, ROUND_HALF_UP, "round")


@_filter(0, 1, text="Rounded down.", example="{{ 2.9 | floor }}")
def floor(budget: Budget, value: JSON, places: JSON = 0) -> JSON:
    return _rounded(value, places, ROUND_FLOOR, "floor")


@_filter(0, 1, text="Rounded up.", example="{{ 2.1 | ceil }}")
def ceil(budget: Budget, value: JSON, places: JSON = 0) -> JSON:
    return _rounded(value, places, ROUND_CEILING, "ceil")


@_filter(text="Without its sign.", example="{{ -3 | abs }}")
def abs_(budget: Budget, value: JSON) -> JSON:
    found = _number(value, "abs")
    return values.tidy(found.copy_abs())


# --- Dates --------------------------------------------------------------------------------------------------------------


@_filter(
    1,
    2,
    cost=20,
    text="A date in a pattern (Unicode letters), in UTC or a zone.",
    example="{{ '2026-01-31' | date: 'dd.MM.yyyy' }}",
)
def date(budget: Budget, value: JSON, pattern: JSON, zone: JSON = "UTC") -> JSON:
    written, where = _text(pattern, "date"), _text(zone, "date")
    if len(written) > 100:
        raise WrongType("A date pattern has at most 100 characters.", hint="Shorten it.")
    try:
        made: str = format_datetime(read_date(value), written, tzinfo=_zone(where), locale="en")
    except (ValueError, KeyError, AttributeError, OverflowError):
        raise WrongType(
            f"The date pattern {written!r} can't be written.", hint="For example yyyy-MM-dd HH:mm."
        ) from None
    return _made(budget, made)


def _zone(name: str) -> Any:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongType(f"There is no time zone {name!r}.", hint="For example Europe/Berlin.") from None


@_filter(
    1,
    1,
    cost=5,
    text="A date moved by days; a negative count moves it back.",
    example="{{ '2026-01-31' | add_days: 1 }}",
)
def add_days(budget: Budget, value: JSON, days: JSON) -> JSON:
    try:
        moved = read_date(value) + timedelta(days=_whole(days, "add_days", "the days"))
    except OverflowError:
        raise WrongType("The date would be out of range.", hint="Move it less far.") from None
    return moved.date().isoformat() if isinstance(value, str) and len(value.strip()) == 10 else rfc3339(moved)


# --- JSON, URL, hash ----------------------------------------------------------------------------------------------------


@_filter(cost=2, text="Written as JSON.", example="{{ payload.order | json }}")
def json(budget: Budget, value: JSON) -> JSON:
    return _made(budget, dumps(value))


@_filter(cost=5, text="Read from JSON text.", example="""{{ '{"a": 1}' | parse_json }}""")
def parse_json(budget: Budget, value: JSON) -> JSON:
    written = _text(value, "parse_json")
    budget.spend_text(len(written))
    try:
        return values.as_json(loads(written))
    except FlowError as error:
        raise WrongType(f"That text isn't JSON: {error.message}", hint="Test it with a condition first.") from None


@_filter(text="Ready for a URL: everything but letters, digits and -._~ escaped.", example="{{ 'a b&c' | url_encode }}")
def url_encode(budget: Budget, value: JSON) -> JSON:
    written = _text(value, "url_encode")
    budget.spend_text(12 * len(written) if not written.isascii() else 3 * len(written))
    return quote(written, safe="")


@_filter(text="In Base64 (RFC 4648).", example="{{ 'user:pass' | base64 }}")
def base64_(budget: Budget, value: JSON) -> JSON:
    return _made(budget, base64.b64encode(_text(value, "base64").encode()).decode())


@_filter(text="Read from Base64.", example="{{ 'QW5u' | from_base64 }}")
def from_base64(budget: Budget, value: JSON) -> JSON:
    try:
        return base64.b64decode(_text(value, "from_base64"), validate=True).decode()
    except (binascii.Error, ValueError):
        raise WrongType("That isn't Base64 of a text.", hint="Check where it comes from.") from None


@_filter(cost=5, text="SHA-256 in hexadecimal.", example="{{ 'Ann' | sha256 }}")
def sha256(budget: Budget, value: JSON) -> JSON:
    written = _text(value, "sha256").encode()
    budget.spend(len(written) // 64)
    return hashlib.sha256(written).hexdigest()

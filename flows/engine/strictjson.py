"""JSON as Chatflow reads and writes it: strict, with exact decimals (RFC 8259; RFC 7493 for what is refused).

In Python a JSON value is dict, list, str, bool, None, int or Decimal; never float.
"""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import orjson

from flows.engine.errors import JSONRefused
from flows.engine.limits import MAX_JSON_DEPTH

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | bool | None | int | Decimal"

MAX_DIGITS = 1_000
"""Digits of one number; Python itself refuses to write integers of more than 4,300."""

MAX_EXPONENT = 400
"""A number beyond 1e±400 isn't data; written out it would swell a text."""

STORED_DEPTH = MAX_JSON_DEPTH + 16
"""`max_depth` for what we wrote ourselves: a value from outside with our own objects around it."""

PLAIN_EXPONENT = 30
"""Numbers down to 1e-30 are written without an exponent."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_STRINGS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_INT64 = 2**63


def loads(text: str | bytes, *, max_depth: int = MAX_JSON_DEPTH) -> Any:
    """Read JSON. Raises JSONRefused for anything that another reader might read otherwise."""
    text = _decoded(text) if isinstance(text, bytes) else _checked(text)
    _check_depth(text, max_depth)
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise JSONRefused(f"Line {error.lineno}, column {error.colno}: {_reason(error)}.") from None
    if "\\u" in text:
        _check_escaped(value)
    return value


def stored(text: str) -> Any:
    """Read JSON that we wrote ourselves: a value from outside may stand in it with our own objects around."""
    return loads(text, max_depth=STORED_DEPTH)


def dumps(value: Any) -> str:
    """Write compact JSON, numbers as they were written."""
    return dumps_bytes(value).decode()


def dumps_bytes(value: Any) -> bytes:
    """Like `dumps`, as UTF-8."""
    try:
        return orjson.dumps(value, default=_default)
    except TypeError:
        return orjson.dumps(_big_as_decimal(value), default=_default)


def canonical(value: Any) -> str:
    """The one text of a value: NFC, sorted keys, no blanks, numbers as written. What a hash is taken of."""
    return orjson.dumps(_big_as_decimal(_nfc(value)), default=_default, option=orjson.OPT_SORT_KEYS).decode()


def pretty(value: Any) -> str:
    """Write JSON for people: two spaces, a line break at the end."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(_big_as_decimal(value), default=_default, option=options).decode()


def number_text(number: int | Decimal) -> str:
    """A number as JSON, digit by digit: reading it again gives the same."""
    text = str(number)
    if "E-" in text and isinstance(number, Decimal) and number.adjusted() >= -PLAIN_EXPONENT:
        return format(number, "f")
    return text


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")):
        raise JSONRefused("A byte order mark is not allowed.", hint="Send UTF-8 without a byte order mark.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JSONRefused(f"Byte {error.start + 1} isn't UTF-8.", hint="Send UTF-8.") from None


def _checked(text: str) -> str:
    """The same text, if it could have come as UTF-8 without a byte order mark."""
    try:
        return _decoded(text.encode()) if text.startswith("\ufeff") or not text.isascii() else text
    except UnicodeEncodeError as error:
        raise JSONRefused(f"Character {error.start + 1} is half of a surrogate pair.", hint=_WHOLE) from None


_WHOLE = "Send whole characters: both halves, or the character itself."


def _reason(error: json.JSONDecodeError) -> str:
    if not error.doc.strip():
        return "there is nothing to read"
    return _REASONS.get(error.msg, error.msg[:1].lower() + error.msg[1:])


_REASONS = {
    "Extra data": "something follows after the end of the value",
    "Expecting value": "a value is expected here",
    "Invalid control character at": "a line break or control character in a text is written as an escape, like \\n",
    "Unterminated string starting at": "the text that begins here has no closing quote",
    "Expecting property name enclosed in double quotes": "a key in double quotes is expected here",
    "Illegal trailing comma before end of object": "there is a comma too many",
    "Illegal trailing comma before end of array": "there is a comma too many",
}
"""In our words, what Python's reader says most often."""


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", _STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > max_depth:
            raise JSONRefused(f"It is nested deeper than {max_depth} levels.", hint="Send flatter data.")


def _check_escaped(value: Any) -> None:
    """Refuse what only an escape like \\u0000 can bring in."""
    if isinstance(value, str):
        if "\x00" in value:
            raise JSONRefused("A NUL character is not allowed.", hint="Remove \\u0000.")
        if _SURROGATE.search(value):
            raise JSONRefused("Half of a surrogate pair isn't a character.", hint=_WHOLE)
    elif isinstance(value, list):
        for item in value:
            _check_escaped(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_escaped(key)
            _check_escaped(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise JSONRefused(f"The key {key[:80]!r} is there twice in one object.", hint="Keep one of them.")
        seen.add(key)
    return made


def _integer(text: str) -> int:
    _check_length(text)
    return int(text)


def _number(text: str) -> Decimal:
    _check_length(text)
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent that even Decimal can't hold
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT:
        raise JSONRefused(f"The number {text[:40]} is beyond 1e±{MAX_EXPONENT}.", hint="Send it as text.")
    return number


def _check_length(text: str) -> None:
    if len(text) > MAX_DIGITS:
        raise JSONRefused(f"The number {text[:40]}… has more than {MAX_DIGITS} digits.", hint="Send it as text.")


def _constant(text: str) -> Any:
    raise JSONRefused(f"{text} isn't JSON.", hint="Send null or a number.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant, strict=True
)


def _default(value: Any) -> Any:
    if type(value) is Decimal and value.is_finite():
        return orjson.Fragment(number_text(value))
    raise TypeError(f"{type(value).__name__} {value!r} isn't JSON")


def _big_as_decimal(value: Any) -> Any:
    """The value with integers that orjson can't write as Decimals, which it writes digit by digit."""
    if isinstance(value, dict):
        return {key: _big_as_decimal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_big_as_decimal(item) for item in value]
    if type(value) is int and not -_INT64 <= value < 2 * _INT64:
        return Decimal(value)
    return value


def _nfc(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list | tuple):
        return [_nfc(item) for item in value]
    if isinstance(value, dict):
        return _object([(unicodedata.normalize("NFC", key), _nfc(item)) for key, item in value.items()])
    return value

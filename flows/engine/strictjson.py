"""JSON as Chatflow reads and writes it: strict, with exact decimals (RFC 8259; RFC 7493 for what is refused).

In Python a JSON value is dict, list, str, bool, None, int or Decimal; never float.
"""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

from flows.engine.errors import JSONRefused
from flows.engine.limits import MAX_JSON_DEPTH

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | bool | None | int | Decimal"

MAX_INTEGER_DIGITS = 1_000
MAX_EXPONENT = 400
"""A number beyond 1e±400 isn't data; written out it would swell a text."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = 2**63


def loads(text: str | bytes) -> Any:
    """Read JSON. Raises JSONRefused for anything that another reader might read otherwise."""
    if isinstance(text, bytes):
        text = _decoded(text)
    if "\x00" in text or "\\u0000" in text:
        raise JSONRefused("A NUL character is not allowed.", hint="Remove \\u0000.")
    _check_depth(text)
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise JSONRefused(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise JSONRefused(f"Nested deeper than {MAX_JSON_DEPTH} levels.") from None
    if "\\u" in text:
        _check_surrogates(value)
    return value


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
    text = orjson.dumps(_big_as_decimal(_nfc(value)), default=_default, option=orjson.OPT_SORT_KEYS)
    return text.decode()


def pretty(value: Any) -> str:
    """Write JSON for people: two spaces, a line break at the end."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(_big_as_decimal(value), default=_default, option=options).decode()


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")):
        raise JSONRefused("A byte order mark is not allowed.", hint="Send UTF-8 without a byte order mark.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JSONRefused(f"Byte {error.start + 1} isn't UTF-8.", hint="Send UTF-8.") from None


_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", _STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_JSON_DEPTH:
            raise JSONRefused(f"Nested deeper than {MAX_JSON_DEPTH} levels.", hint="Send flatter data.")


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise JSONRefused("Half of a surrogate pair is not a character.", hint="Send whole characters.")
    elif isinstance(value, list):
        for item in value:
            _check_surrogates(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_surrogates(key)
            _check_surrogates(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JSONRefused(f"The key {twice!r} is there twice in one object.")
    return made


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise JSONRefused(f"A number has more than {MAX_INTEGER_DIGITS} digits.")
    return int(text)


def _number(text: str) -> Decimal:
    if len(text) > MAX_INTEGER_DIGITS:
        raise JSONRefused(f"A number has more than {MAX_INTEGER_DIGITS} digits.")
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT:
        raise JSONRefused(f"The number {text[:40]} is out of range.")
    return number


def _constant(text: str) -> Any:
    raise JSONRefused(f"{text} isn't JSON.", hint="Send null or a number.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant, strict=True
)


def _default(value: Any) -> Any:
    if type(value) is Decimal:
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} isn't JSON")


def _big_as_decimal(value: Any) -> Any:
    """Integers that orjson can't write, as Decimals, which it writes digit by digit."""
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
    if isinstance(value, dict):
        return {unicodedata.normalize("NFC", key): _nfc(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nfc(item) for item in value]
    return value

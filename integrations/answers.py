"""Reading an answer: its JSON as JSON, other text as text."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from typing import NamedTuple

from flows.engine import strictjson
from flows.engine.errors import JSONRefused
from flows.engine.strictjson import JSON
from integrations.outbound import OutboundResponse

# By Python's names. Not every codec is a charset: some are slow on purpose-made input, some aren't text at all.
CHARSETS = frozenset(
    ["utf-8", "utf-8-sig", "ascii", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
    + ["iso8859-1", *(f"iso8859-{part}" for part in (*range(2, 12), *range(13, 17)))]
    + [f"cp{page}" for page in range(1250, 1259)]
    + ["koi8-r", "koi8-u", "shift_jis", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "big5"]
)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)


class Reading(NamedTuple):
    """`note` says why there is no `data` although there was a body."""

    data: JSON
    note: str = ""


def read(response: OutboundResponse) -> Reading:
    """The body as a JSON value, or why there is none: JSON parsed, other text as text, null without a body.

    Numbers stay exact; JSON that two readers might read differently is refused.
    """
    if not response.body:
        return Reading(None)
    media_type, charset = _content_type(response.header("content-type"))
    if charset not in CHARSETS:
        return Reading(None, f"The answer's character set {charset!r} isn't one we read.")
    try:
        text = response.body.decode(charset).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return Reading(None, f"The answer isn't text in {charset}.")
    if "\x00" in text:
        return Reading(None, "The answer is binary: it holds NUL characters.")
    is_json = media_type in ("application/json", "text/json") or media_type.endswith("+json")
    if not is_json and media_type:
        return Reading(text)
    try:
        return Reading(strictjson.loads(text))
    except JSONRefused as refused:
        return Reading(None, f"The answer says it is JSON, and isn't: {refused}") if is_json else Reading(text)


def _content_type(header: str) -> tuple[str, str]:
    """Media type and charset, by Python's name for it; UTF-8 where none is given."""
    media_type, _, parameters = header.partition(";")
    found = _CHARSET.search(parameters)
    charset = found[1] if found else "utf-8"
    with suppress(LookupError):
        charset = codecs.lookup(charset).name
    return media_type.strip().lower(), charset

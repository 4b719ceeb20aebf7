"""The Idempotency-Key header: how it is read, and what makes two requests the same.

The draft of the IETF makes it a structured-field string (`Idempotency-Key: "8e03978e"`); many clients leave the quotes
out, so both forms are read and mean the same key.
"""

from __future__ import annotations

import re
from hashlib import sha256

from routing.body import Query
from routing.problem import Problem

MAX_CHARS = 255

_QUOTED = re.compile(r'"((?:[\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', re.ASCII)
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]*", re.ASCII)
"""Visible ASCII but for the quote, and for the comma that joins a header which came twice."""


def key(header: str | None) -> str | None:
    """The key in this header, None if there is no such header. 400 for anything else."""
    if header is None:
        return None
    text = header.strip(" \t")
    quoted = _QUOTED.fullmatch(text)
    found = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text
    if not quoted and not _BARE.fullmatch(text):
        raise Problem("bad_idempotency_key", "The Idempotency-Key header holds more than one key, or odd characters.")
    if not 1 <= len(found) <= MAX_CHARS:
        raise Problem("bad_idempotency_key", f"The Idempotency-Key has {len(found)} characters, not 1 to {MAX_CHARS}.")
    return found


def fingerprint(method: str, query: Query, content_type: str, body: bytes) -> str:
    """The same for two requests that mean the same: names of the query may be in any order, the rest to the byte."""
    digest = sha256()
    pairs = [part for pair in sorted(query.pairs, key=lambda pair: pair[0]) for part in pair]
    media_type = "".join(content_type.split()).lower()
    for part in (method.encode(), media_type.encode(), body, *(text.encode() for text in pairs)):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()

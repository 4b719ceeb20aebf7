"""Regular expressions of authors: RE2, whose time is linear in the text whatever the pattern.

Linear isn't little: at its worst RE2 goes through the whole pattern for each byte of the text. So this is counted, and
what would take too long isn't begun.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from flows.engine.errors import NodeError
from flows.engine.limits import MAX_PATTERN_CHARS

MAX_GROUPS = 20
MAX_MEMORY_BYTES = 2 * 1024 * 1024

MAX_MATCH_WORK = 8_000_000
"""Instructions of a pattern times bytes of a text: about 50 ms at worst, 7 ns each."""

WORK_PER_UNIT = 200
"""Of a budget."""


def _options() -> Any:
    options = re2.Options()
    options.max_mem = MAX_MEMORY_BYTES
    options.log_errors = False
    return options


@lru_cache(maxsize=256)
def program(pattern: str) -> Any:
    """The pattern, ready to match. Raises `re2.error`."""
    return re2.compile(pattern, _options())


def compiled(pattern: str) -> Any:
    """The pattern of a node, ready to match. Raises NodeError with what RE2 says against it."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise NodeError(f"The pattern is longer than {MAX_PATTERN_CHARS} characters.", code="bad_regex")
    try:
        made = program(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else "not a text"
        raise NodeError(
            f"The pattern can't be used: {reason}.",
            code="bad_regex",
            hint="RE2 has no look-around and no back-references.",
        ) from None
    if made.groups > MAX_GROUPS:
        raise NodeError(f"The pattern has more than {MAX_GROUPS} groups.", code="bad_regex", hint="Use (?:…) for some.")
    return made


def work(pattern: str, text: str) -> int:
    """What matching may take at worst: instructions times bytes. The pattern is one that `program` takes."""
    return _instructions(pattern) * len(text.encode())


@lru_cache(maxsize=256)
def _instructions(pattern: str) -> int:
    """How many places of the pattern may be gone through for a byte.

    Counted in the Latin-1 form: in UTF-8 a class like `\\pL` takes a thousand instructions, of which a byte meets a few.
    """
    options = _options()
    options.encoding = re2.Options.Encoding.LATIN1
    size: int = re2.compile(pattern.encode(), options).programsize
    return size

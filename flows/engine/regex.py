"""Regular expressions of authors: RE2, whose time is linear in the text whatever the pattern."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from flows.engine.errors import NodeError
from flows.engine.limits import MAX_PATTERN_CHARS

MAX_GROUPS = 20
MAX_MEMORY_BYTES = 8 * 1024 * 1024


def _options() -> Any:
    options = re2.Options()
    options.max_mem = MAX_MEMORY_BYTES
    options.log_errors = False
    return options


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """The pattern, ready to match. Raises NodeError with what RE2 says against it."""
    try:
        if len(pattern) > MAX_PATTERN_CHARS:
            raise NodeError(f"The pattern is longer than {MAX_PATTERN_CHARS} characters.", code="bad_regex")
        made = re2.compile(pattern, _options())
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

"""Names that say that what they name is secret, in whatever case and with `-`, `_` or nothing between their words.

mask_named({"API-Key": "k3y", "id": 7})         {"API-Key": "••••", "id": 7}
mask_named_text('GET /x?api_key=k3y&id=7')      'GET /x?api_key=••••&id=7'
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from flows.masking import MASK

LONG = frozenset(
    ["authorization", "cookie", "password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey"]
    + ["privatekey", "credential", "sessionid", "sessid"]
)
"""Secret wherever they stand in a name: `accessToken`, `client_secret`, `X-API-Key`."""

SHORT = frozenset({"otp", "totp", "pin", "pwd", "jwt", "session"})
"""Secret as a word of their own: `card_pin`, not `shipping`."""

HARMLESS = frozenset({"tokenprefix", "tokentype", "secretary", "secretariat"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NOT_LETTERS = re.compile(r"[^a-z0-9]+")

_ANY_NAME = (
    r"(?:authorization|cookie|passw(?:or)?d|passphrase|secret|token|(?:api|access|private)[-_. ]?key|credential|sess(?:ion)?"
    r"[-_]?id|otp|pin|pwd|jwt|session)"
)


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    return re2.compile(pattern, options)


_MAY_NAME = _compiled(_ANY_NAME)
_NAMED = _compiled(
    rf"(?P<name>[\w.-]*{_ANY_NAME}[\w.-]*)(?P<between>\\*[\"']?\s*[:=]\s*)(?P<value>"
    r"\\*\"[^\"\\]*|\\*'[^'\\]*|(?:(?:bearer|basic|digest|token)\s+)?[^\s\"'&,;)}\]\\]+)"
)
_HEADERS = _compiled(
    r"(?P<name>(?:proxy-)?authorization|(?:set-)?cookie)(?P<between>\s*[:=]\s*)(?P<value>[^\"'\\\r\n]+)"
)
_OURS = _compiled(r"(?P<name>cft_[a-z2-7]{8})(?P<between>_)(?P<value>[A-Za-z0-9_-]{8,})")
_BEARER = _compiled(r"(?P<name>bearer)(?P<between>\s+)(?P<value>[A-Za-z0-9._~+/=-]{16,})")
_IN_URL = _compiled(r"(?P<name>://[^/\s:@\"']*)(?P<between>:)(?P<value>[^/\s@\"']+)@")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a field, header or parameter of that name holds a secret."""
    joined = _NOT_LETTERS.sub("", name.lower())
    if joined in HARMLESS:
        return False
    return any(word in joined for word in LONG) or any(word.lower() in SHORT for word in _WORD.findall(name))


def mask_named(value: Any) -> Any:
    """A copy of a JSON value with what secret names name masked: members, and the `value` beside such a `name`."""
    if isinstance(value, list | tuple):
        return [mask_named(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_pair = isinstance(value.get("name"), str) and "value" in value and is_secret(value["name"][:200])
    return {
        name: _masked(item) if (is_pair and name == "value") or is_secret(str(name)[:200]) else mask_named(item)
        for name, item in value.items()
    }


def _masked(value: Any) -> Any:
    """Nothing is hidden of nothing; everything else goes, an object or a list as a whole."""
    return value if value is None or value is True or value is False or value in ("", [], {}) else MASK


def may_name(text: str) -> bool:
    """Whether a secret name may stand in this text."""
    return _MAY_NAME.search(text) is not None


def mask_tokens(text: str) -> str:
    """A text without the secret part of tokens of ours."""
    return str(_OURS.sub(_keep_name, text))


def mask_named_text(text: str) -> str:
    """A text without the values of `name=value`, `name: value` and `"name": "value"`, our tokens, and logins in URLs."""
    text = mask_tokens(text) if "cft_" in text else text
    text = _IN_URL.sub(lambda hit: f"{hit['name']}:{MASK}@", text) if "://" in text else text
    text = _BEARER.sub(_keep_name, text)
    if not may_name(text):
        return text
    return str(_NAMED.sub(_keep_if_harmless, _HEADERS.sub(_keep_name, text)))


def _keep_name(hit: Any) -> str:
    return f"{hit['name']}{hit['between']}{MASK}"


def _keep_if_harmless(hit: Any) -> str:
    if not is_secret(hit["name"]):
        return str(hit.group())
    quote = re.match(r"\\*[\"']|", hit["value"])
    return f"{hit['name']}{hit['between']}{quote.group() if quote else ''}{MASK}"

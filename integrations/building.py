"""Putting a call together from rendered values, so that a value stays a value: no way out of its place in path or header.

Paths are made by `flows.engine.url_paths`. Bodies are made from JSON trees and pairs, never by joining text. What can't be built
is refused with CallNotBuilt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import idna

from flows.engine import strictjson
from flows.engine.strictjson import JSON
from flows.engine.url_paths import PathRefused, check_segment, join_path, render_path, split_path
from integrations.outbound import MAX_BODY_BYTES, CallNotBuilt

__all__ = [
    "build_url",
    "check_base",
    "check_header",
    "check_header_name",
    "check_url",
    "form_body",
    "join_path",
    "json_body",
    "render_path",
    "split_path",
    "text_body",
]

MAX_URL_CHARS = 8_000
"""What common servers accept."""

MAX_HEADER_CHARS = 8 * 1024

OUR_HEADERS = frozenset(
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"]
    + ["accept-encoding", "http2-settings"]
)
"""Headers that frame the message or the connection: a value of theirs could make two requests of one."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_|~0-9A-Za-z-]{1,64}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,254}}$){_LABEL}(?:\.{_LABEL})*\.?")
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")


# --- URL ----------------------------------------------------------------------------------------------------------------


def build_url(base: str, path: str, query_pairs: Iterable[tuple[str, str]] = ()) -> str:
    """The URL of a call: the connection's address, the path as `join_path` or `render_path` made it, and the query."""
    start = check_base(base)
    if not _PATH.fullmatch(path):
        raise CallNotBuilt(f"The path {path!r} isn't one.", hint="Write it like /orders/{{ payload.id }}.")
    pairs = list(query_pairs)
    for pair in pairs:
        for text in pair:
            _check_characters(text)
    url = start + path + ("?" + urlencode(pairs, quote_via=quote, safe="") if pairs else "")
    check_url(url)
    return url


@lru_cache(maxsize=256)
def check_base(base: str) -> str:
    """The address of a connection in its one form: host in ASCII, no slash at the end. Raises CallNotBuilt."""
    parts = _split(base.strip())
    if parts.query or "?" in base:
        raise CallNotBuilt(
            "The address has a query.", hint="Give query parameters at the endpoint or as the connection's key."
        )
    host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            raise CallNotBuilt(f"{host!r} isn't a host name.", hint="Write it as it stands in a browser.") from None
    if ":" in host:
        host = f"[{host}]"
    url = f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
    check_url(url)
    return url


def check_url(url: str) -> SplitResult:
    """Read a URL that is ready to be called. Raises CallNotBuilt for anything that two readers might read differently."""
    parts = _split(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    if not (_HOST.fullmatch(host) or _IPV6.fullmatch(host)):
        raise CallNotBuilt(f"{host!r} isn't a host name.", hint="Write an address like https://api.example.com/v1.")
    if not _PATH.fullmatch(parts.path) or not _QUERY.fullmatch(parts.query):
        raise CallNotBuilt("The address holds a character that has to be encoded.", hint="Encode it as %XX.")
    try:
        for segment in parts.path.split("/"):
            check_segment(segment)
    except PathRefused as refused:
        raise CallNotBuilt(refused.message, hint=refused.hint) from None
    if len(url) > MAX_URL_CHARS:
        raise CallNotBuilt(
            f"The address is longer than {MAX_URL_CHARS} characters.", hint="Send long values in the body."
        )
    return parts


def _split(url: str) -> SplitResult:
    example = "Write an address like https://api.example.com/v1."
    if _CONTROL.search(url) or " " in url or "\\" in url:
        raise CallNotBuilt("The address holds a blank, a backslash or a control character.", hint=example)
    try:
        parts = urlsplit(url)
        port = parts.netloc.rpartition(":")[2] if parts.port is not None else "1"
    except ValueError:
        raise CallNotBuilt("The address can't be read.", hint=example) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CallNotBuilt("The address doesn't begin with https:// and a host.", hint=example)
    if "@" in parts.netloc:
        raise CallNotBuilt(
            "The address holds a user name.", hint="Give user name and password as the connection's secret."
        )
    if "#" in url:
        raise CallNotBuilt("The address has a fragment.", hint="Leave out everything from the # on.")
    if not _PORT.fullmatch(port) or parts.netloc.endswith(":"):
        raise CallNotBuilt("The port isn't one.", hint=example)
    return parts


# --- Headers ------------------------------------------------------------------------------------------------------------


def check_header_name(name: str) -> None:
    """Refuse a name that no header can have, or that is ours to send."""
    if not _HEADER_NAME.fullmatch(name):
        raise CallNotBuilt(
            f"{name!r} can't be the name of a header.", hint="Use letters, digits and hyphens, 64 at most."
        )
    if name.lower() in OUR_HEADERS or name.lower().startswith("proxy-"):
        raise CallNotBuilt(f"The header {name} can't be set: it is part of how the call is sent.", hint="Leave it out.")


def check_header(name: str, value: str) -> None:
    """Refuse a header that would be more, or other, than one line with this name and value."""
    check_header_name(name)
    if not _HEADER_VALUE.fullmatch(value):
        hint = "Line breaks and characters beyond Latin-1 can't be sent; encode the value, for example with a filter."
        raise CallNotBuilt(f"The value of the header {name} holds a character that a header can't hold.", hint=hint)
    if len(value) > MAX_HEADER_CHARS:
        raise CallNotBuilt(
            f"The value of the header {name} is longer than 8 KiB.", hint="Send long values in the body."
        )


# --- Bodies -------------------------------------------------------------------------------------------------------------


def json_body(tree: JSON) -> tuple[bytes, str]:
    """A JSON body and its content type."""
    try:
        return _checked(strictjson.dumps_bytes(tree)), "application/json"
    except TypeError:  # half of a surrogate pair, which a value read from JSON can't hold
        raise CallNotBuilt(
            "The body holds a value that isn't JSON.", hint="See which values are in the body."
        ) from None


def form_body(pairs: Iterable[tuple[str, str]]) -> tuple[bytes, str]:
    """A form as browsers send it, and its content type."""
    pairs = list(pairs)
    for pair in pairs:
        for text in pair:
            _check_characters(text)
    return _checked(urlencode(pairs).encode()), "application/x-www-form-urlencoded"


def text_body(text: str) -> tuple[bytes, str]:
    """Plain text, and its content type."""
    _check_characters(text)
    return _checked(text.encode()), "text/plain; charset=utf-8"


def _checked(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise CallNotBuilt("The body of the call is larger than 1 MiB.", hint="Send less data.")
    return body


def _check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CallNotBuilt("A value holds half of a character.", hint="Send whole characters.") from None

"""A second, strict reading of an answer's bytes: where it begins and ends, and whether anyone might see that differently.

`http.client` is lenient, as readers have to be: it skips lines that are no headers, takes `0x5` for a chunk's length, and
drops what it read beyond the end. What it took for an answer is one only if the strict reading agrees (RFC 9112).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n\0]*)?\r\n")
_LINE = re.compile(rb"[^\r\n\0]*\r\n")

WITHOUT_BODY = frozenset({204, 304})
LEAVES_NO_DOUBT = frozenset(range(200, 300)) - {204, 205}
"""Statuses whose answers always have a body that is framed; after others, servers are known to send what doesn't belong."""


Raw = bytes | bytearray


class Unframed(ValueError):
    """What came isn't one HTTP answer. The text says why, in words of ours: it holds nothing of the answer."""


@dataclass(slots=True)
class Head:
    """Status line and headers; the body begins at `end`."""

    minor_version: int
    status: int
    end: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def values(self, name: bytes) -> list[bytes]:
        """The values of a header, in lower case, as often as it is there."""
        return [value.lower() for key, value in self.headers if key == name]

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks. Raises Unframed for what isn't chunked and nothing else."""
        codings = self.values(b"transfer-encoding")
        if codings and (codings != [b"chunked"] or self.minor_version == 0 or self.values(b"content-length")):
            raise Unframed("the length of its body is said in two ways")
        return bool(codings)

    @property
    def length(self) -> int | None:
        """The length that is said. Raises Unframed where it is more than one, or none that can be."""
        lengths = set(self.values(b"content-length"))
        if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
            raise Unframed("the length of its body isn't one number")
        return int(lengths.pop()) if lengths else None

    @property
    def keeps_connection(self) -> bool:
        """Whether the connection stays open, by what the answer says."""
        said = {word.strip() for value in self.values(b"connection") for word in value.split(b",")}
        return self.minor_version == 1 and said <= {b"keep-alive"}


def read_head(raw: Raw) -> Head:
    """The head of the final answer, behind any 100 Continue. Raises Unframed."""
    head = _one_head(raw, 0)
    while head.status == 100:
        head = _one_head(raw, head.end)
    return head


def is_reusable(method: str, head: Head, raw: Raw) -> bool:
    """Whether the answer, of which `raw` is all that came, left its connection ready for the next request.

    Raises Unframed where the body isn't what was announced, or something comes after it.
    """
    if method == "HEAD" or head.status in WITHOUT_BODY:
        return False
    if head.chunked:
        end = _chunks_end(raw, head.end)
    elif head.length is not None:
        end = head.end + head.length
    else:
        return False  # it ends with its connection
    if end > len(raw):
        raise Unframed("it ends too early")
    if raw[end:].strip(b"\r\n"):  # an empty line is a well-known slip
        raise Unframed("it goes on after its end")
    return end == len(raw) and head.status in LEAVES_NO_DOUBT and head.keeps_connection


def _one_head(raw: Raw, start: int) -> Head:
    line, position = _line(raw, start)
    found = _STATUS.fullmatch(line)
    if not found:
        raise Unframed("its status line isn't one of HTTP/1.1")
    head = Head(int(found[1]), int(found[2]), 0)
    while True:
        line, position = _line(raw, position)
        if not line:
            head.end = position
            return head
        _add_header(head, line)


def _add_header(head: Head, line: bytes) -> None:
    if line[:1] in (b" ", b"\t") and head.headers:  # the header before goes on, as it was allowed to long ago
        name, value = head.headers[-1]
        head.headers[-1] = name, value + b" " + line.strip(b" \t")
        return
    found = _HEADER.fullmatch(line)
    if not found:
        raise Unframed("a line of its head isn't a header")
    head.headers.append((found[1].lower(), found[2]))


def _line(raw: Raw, start: int) -> tuple[bytes, int]:
    """A line of the head and where the next one begins. Some small servers end their lines without a CR."""
    end = raw.find(b"\n", start)
    line = bytes(raw[start:end]).removesuffix(b"\r")
    if end < 0 or b"\r" in line or b"\0" in line:
        raise Unframed("a line of its head isn't one")
    return line, end + 1


def _chunks_end(raw: Raw, position: int) -> int:
    """Where a chunked body ends, its trailers included."""
    while True:
        found = _CHUNK.match(raw, position)
        if not found:
            raise Unframed("a chunk of its body has no length")
        size, position = int(found[1], 16), found.end()
        if not size:
            break
        position += size + 2
        if raw[position - 2 : position] != b"\r\n":
            raise Unframed("a chunk of its body isn't as long as it says")
    while True:
        line = _LINE.match(raw, position)
        if not line:
            raise Unframed("a line after its last chunk isn't one")
        position = line.end()
        if line[0] == b"\r\n":
            return position

"""Unpacking an answer's body piece by piece, so that a small one that unpacks to a large one fills no memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE_BYTES = 64 * 1024

GZIP, ZLIB, BARE = 31, 15, -15
"""zlib's names (wbits) of gzip, of deflate as it is meant, and of deflate as some servers understand it."""

ENCODINGS = {"": 0, "identity": 0, "gzip": GZIP, "x-gzip": GZIP, "deflate": ZLIB}
"""What we ask for, by its name in Content-Encoding. One of them: nobody who means well packs twice."""


class BadPacking(ValueError):
    """The body isn't packed as it says. The text says why, and holds nothing of the body."""


class Unpacking:
    """One body. `encoding` is one of ENCODINGS."""

    def __init__(self, encoding: str) -> None:
        self._bits = ENCODINGS[encoding]
        self._zlib = zlib.decompressobj(self._bits) if self._bits == GZIP else None
        self._start = b""

    def parts(self, piece: bytes) -> Iterator[bytes]:
        """What a piece of the body holds, in parts of bounded size. Raises BadPacking."""
        if not self._bits:
            yield piece
            return
        if self._zlib is None:
            piece = self._start = self._start + piece
            if len(piece) < 2:
                return
            self._zlib = zlib.decompressobj(ZLIB if _is_zlib(piece) else BARE)
        self._start = b"begun"
        part = b""
        while piece or (len(part) == PIECE_BYTES and not self._zlib.eof):
            if self._zlib.eof:
                self._zlib = self._next_member()
            try:
                part = self._zlib.decompress(piece, PIECE_BYTES)
            except zlib.error:
                raise BadPacking("its body isn't packed as it says") from None
            yield part
            piece = self._zlib.unconsumed_tail or self._zlib.unused_data

    def finish(self) -> None:
        """The body is over. Raises BadPacking where its packing isn't; no body at all is none that is packed."""
        if self._start and not (self._zlib and self._zlib.eof):
            raise BadPacking("its packed body ends too early")

    def _next_member(self) -> zlib._Decompress:
        """A gzip file may be several, one after the other; behind anything else there is nothing."""
        if self._bits != GZIP:
            raise BadPacking("its packed body goes on after its end")
        return zlib.decompressobj(GZIP)


def _is_zlib(start: bytes) -> bool:
    """Whether it begins like zlib's format (RFC 1950), which bare deflate hardly ever does."""
    return start[0] & 15 == 8 and (start[0] * 256 + start[1]) % 31 == 0

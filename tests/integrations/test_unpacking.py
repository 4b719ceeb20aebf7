"""Bodies that are packed, and such that only say so."""

from __future__ import annotations

import gzip
import zlib
from itertools import count

import pytest

from integrations.unpacking import PIECE_BYTES, BadPacking, Unpacking

pytestmark = pytest.mark.pure

TEXT = b"some text, " * 40_000
BARE = zlib.compress(TEXT)[2:-4]


def unpacked(encoding: str, packed: bytes, size: int) -> bytes:
    unpacking = Unpacking(encoding)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    body = b"".join(part for piece in pieces for part in unpacking.parts(piece))
    unpacking.finish()
    return body


@pytest.mark.parametrize("size", [1, 7, PIECE_BYTES])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", TEXT[:5000]),
        ("identity", TEXT[:5000]),
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", BARE),
    ],
)
def test_a_body_is_unpacked_whatever_its_pieces_are(encoding: str, packed: bytes, size: int) -> None:
    assert unpacked(encoding, packed, size) in (TEXT, TEXT[:5000])


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_no_body_is_no_mistake(encoding: str) -> None:
    assert unpacked(encoding, b"", 1) == b""


@pytest.mark.parametrize("size", [1, PIECE_BYTES])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", b"not packed"),
        ("gzip", gzip.compress(TEXT)[:-1]),
        ("gzip", gzip.compress(TEXT)[:-8] + bytes(8)),
        ("gzip", gzip.compress(TEXT) + b"more"),
        ("gzip", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)[:-1]),
        ("deflate", zlib.compress(TEXT) + b"more"),
        ("deflate", BARE + b"more"),
        ("deflate", b"x"),
        ("deflate", gzip.compress(TEXT)),
    ],
)
def test_a_body_that_only_says_it_is_packed_is_refused(encoding: str, packed: bytes, size: int) -> None:
    with pytest.raises(BadPacking):
        unpacked(encoding, packed, size)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_unpacked_in_parts_of_bounded_size(encoding: str) -> None:
    zeros = bytes(16 * 1024 * 1024)
    packed = gzip.compress(zeros) if encoding == "gzip" else zlib.compress(zeros)
    for number, part in zip(count(), Unpacking(encoding).parts(packed), strict=False):
        assert len(part) <= PIECE_BYTES
        if number == 3:
            break

"""Where deflate streams end, which says whether they are streams at all."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from nzip.formats.content.containers.base import Found

PIECE = 1 << 16  # bytes that are looked at, and made, at once
FIRST = 1 << 10  # bytes that are looked at first: noise seldom lasts longer
EXPANSION, ROOM = 12, 64 << 20  # bytes that trials may make: so many times those searched, and these
TRIALS = 1 << 16  # trials in one search


Search = Callable[[bytes, Iterable[int], int], Iterable[Found]]


class Stream(NamedTuple):
    """A deflate stream.

    Attributes:
        stop: where it ends.
        size: bytes inside.
        adler, crc: Adler-32 and CRC-32 of them.
    """

    stop: int
    size: int
    adler: int
    crc: int


class Budget:
    """The time that a search may spend on what may turn out to be nothing, counted in bytes.

    Args:
        size: bytes that are searched.
        again: the search itself, of bytes, where files begin in them, and from where on.

    Attributes:
        walked: bytes that finders may still step through.
    """

    def __init__(self, size: int, again: Search):
        self.again = again
        self._made = ROOM + EXPANSION * size
        self._trials = TRIALS
        self.walked = ROOM + EXPANSION * size

    def inflated(self, data: bytes, start: int, stop: int | None = None) -> Stream | None:
        """Return the stream that begins at `start`, if there is one that ends at `stop` or before it."""
        self._trials -= 1
        if self._trials < 0 or self._made <= 0:
            return None
        end = len(data) if stop is None else min(stop, len(data))
        view, at, size, adler, crc = memoryview(data), start, 0, 1, 0
        piece = FIRST
        inflater = zlib.decompressobj(-15)
        rest: bytes | memoryview = b""
        try:
            while not inflater.eof:
                if not rest:
                    rest = view[at : min(at + piece, end)]
                    at += len(rest)
                    piece = PIECE
                    if not rest:
                        return None
                made = inflater.decompress(rest, PIECE)
                rest = inflater.unconsumed_tail
                size += len(made)
                self._made -= len(made)
                if self._made < 0:
                    return None
                adler, crc = zlib.adler32(made, adler), zlib.crc32(made, crc)
        except zlib.error:
            return None
        return Stream(at - len(inflater.unused_data), size, adler, crc)

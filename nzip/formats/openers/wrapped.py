"""Openers `zlib` and `gzip`: deflate streams in their wrapping, whose checks and sizes are computed.

RFC 1950 and RFC 1952. The streams themselves are the business of the opener of deflate; the recipe has the header that
stands before a stream, and that opener's recipe. docs/reference/OPENERS.md defines both to the bit.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.deflate.opener import DeflateOpener
from nzip.registry import OPENERS

GZIP_MAGIC = b"\x1f\x8b\x08"
HEADER_CHECK, EXTRA, NAME, COMMENT, RESERVED = 2, 4, 8, 16, 0xE0  # flags of a gzip member
GZIP_TRAILER = 8
HEADER, ADLER = 2, 4  # bytes around a zlib stream
SEVERAL = 0  # what a recipe of several zlib streams begins with; no header does
MOST_STREAMS = 1 << 16


def gzip_header(data: bytes) -> int | None:
    """Return the bytes of the header of the gzip member that `data` begins with; None if there is none."""
    if len(data) < 10 or data[:3] != GZIP_MAGIC or data[3] & RESERVED:
        return None
    flags, at = data[3], 10
    if flags & EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (NAME, COMMENT):
        if flags & flag:
            at = data.find(b"\0", at) + 1
            if not at:
                return None
    at += 2 if flags & HEADER_CHECK else 0
    return at if at <= len(data) else None


def zlib_header(data: bytes) -> bool:
    """Return whether `data` begins as a zlib stream without a preset dictionary does."""
    if len(data) < HEADER or (data[0] << 8 | data[1]) % 31:
        return False
    return data[0] & 15 == 8 and data[0] < 128 and not data[1] & 32


class GzipOpener(Opener):
    """One member of a gzip file; its CRC-32 and size are computed."""

    name = "gzip"
    id = 23
    version = 1

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        length = gzip_header(coded)
        if length is None or len(coded) < length + GZIP_TRAILER:
            return None
        opened = deflate().open(coded[length:-GZIP_TRAILER], most, **hints)
        if opened is None or _gzip_trailer(opened.inner) != coded[-GZIP_TRAILER:]:
            return None
        return Opened(opened.inner, coded[len(GZIP_MAGIC) : length] + opened.recipe)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        header = GZIP_MAGIC + recipe
        length = gzip_header(header)
        if length is None or size < length + GZIP_TRAILER:
            raise CorruptError("a recipe of gzip holds no header")
        stream = deflate().close(inner, header[length:], size - length - GZIP_TRAILER)
        return header[:length] + stream + _gzip_trailer(inner)

    def memory(self, inner: int, size: int) -> int:
        return deflate().memory(inner, size) + 2 * size

    def prepare(self) -> None:
        deflate().prepare()


class ZlibOpener(Opener):
    """A zlib stream without a preset dictionary, or several that follow each other; each Adler-32 is computed.

    Hints of several: `cuts`, where all but the first begin; `ends`, where each ends, if bytes stand between them.
    """

    name = "zlib"
    id = 24
    version = 1

    def open(
        self, coded: bytes, most: int, *, cuts: Sequence[int] = (), ends: Sequence[int] = (), **hints: Any
    ) -> Opened | None:
        inner, text = bytearray(), [] if not cuts else [bytes((SEVERAL,)), uleb(len(cuts) + 1)]
        borders, stops = (*cuts, len(coded)), tuple(ends) or (*cuts, len(coded))
        if len(cuts) >= MOST_STREAMS or len(stops) != len(borders) or list(borders) != sorted(borders):
            return None
        for start, stop, border in zip((0, *cuts), stops, borders, strict=True):
            if border < stop or stop - start <= HEADER + ADLER or not zlib_header(coded[start : start + HEADER]):
                return None
            opened = deflate().open(coded[start + HEADER : stop - ADLER], most - len(inner), **hints)
            if opened is None or _adler(opened.inner) != coded[stop - ADLER : stop]:
                return None
            inner += opened.inner
            text.append(coded[start : start + HEADER])
            if cuts:
                text += (uleb(len(opened.inner)), uleb(len(opened.recipe)))
            text.append(opened.recipe)
            if cuts:
                text += (uleb(border - stop), coded[stop:border])
            elif border > stop:
                return None
        return Opened(bytes(inner), b"".join(text))

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        if recipe[:1] == bytes((SEVERAL,)):
            return self._several(inner, Reader(recipe, 1), size)
        if not zlib_header(recipe) or size < HEADER + ADLER:
            raise CorruptError("a recipe of zlib holds no header")
        return recipe[:HEADER] + deflate().close(inner, recipe[HEADER:], size - HEADER - ADLER) + _adler(inner)

    def _several(self, inner: bytes, source: Reader, size: int) -> bytes:
        out, at = bytearray(), 0
        count = source.uleb()
        if count > MOST_STREAMS:
            raise CorruptError("a recipe of zlib has too many streams")
        for _ in range(count):
            header, length = source.bytes(HEADER), source.uleb()
            recipe, plain = source.bytes(source.uleb()), inner[at : at + length]
            at += length
            left = size - len(out) - HEADER - ADLER
            if at > len(inner) or left < 0 or not zlib_header(header):
                raise CorruptError("a recipe of zlib is for other bytes")
            out += header + deflate().close_within(plain, recipe, left) + _adler(plain)
            out += source.bytes(source.uleb())
        if at != len(inner) or len(out) != size or source.left():
            raise CorruptError("a recipe of zlib is for other bytes")
        return bytes(out)

    def memory(self, inner: int, size: int) -> int:
        return deflate().memory(inner, size) + inner + 3 * size

    def prepare(self) -> None:
        deflate().prepare()


def deflate() -> DeflateOpener:
    """Return the opener of what is in the wrapping."""
    opener: DeflateOpener = OPENERS.by_name("deflate")
    return opener


def _adler(inner: bytes) -> bytes:
    return zlib.adler32(inner).to_bytes(4, "big")


def _gzip_trailer(inner: bytes) -> bytes:
    return zlib.crc32(inner).to_bytes(4, "little") + (len(inner) & 0xFFFFFFFF).to_bytes(4, "little")

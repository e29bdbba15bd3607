"""Openers `zlib` and `gzip`: a deflate stream in its wrapping, whose checks and sizes are computed.

RFC 1950 and RFC 1952. The stream itself is the business of the opener of deflate; the recipe is the header that stands
before the stream, and that opener's recipe. docs/reference/OPENERS.md defines both to the bit.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.openers.base import Opened, Opener
from nzip.registry import OPENERS

GZIP_MAGIC = b"\x1f\x8b\x08"
HEADER_CHECK, EXTRA, NAME, COMMENT, RESERVED = 2, 4, 8, 16, 0xE0  # flags of a gzip member


class WrappedOpener(Opener):
    """A header, a deflate stream, and a trailer that follows from the bytes that were deflated.

    Class attributes:
        lead: bytes that every header begins with, which the recipe leaves out.
        trailing: bytes of the trailer.
    """

    lead: bytes
    trailing: int

    @abstractmethod
    def header_length(self, data: bytes) -> int | None:
        """Return the bytes of the header that `data` begins with; None if there is none of this kind."""

    @abstractmethod
    def trailer(self, inner: bytes) -> bytes:
        """Return what follows the stream of `inner`."""

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        length = self.header_length(coded)
        if length is None or len(coded) < length + self.trailing:
            return None
        opened = _deflate().open(coded[length : len(coded) - self.trailing], most, **hints)
        if opened is None or self.trailer(opened.inner) != coded[len(coded) - self.trailing :]:
            return None
        return Opened(opened.inner, coded[len(self.lead) : length] + opened.recipe)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        header = self.lead + recipe
        length = self.header_length(header)
        if length is None or size < length + self.trailing:
            raise CorruptError(f"a recipe of {self.name} holds no header")
        stream = _deflate().close(inner, header[length:], size - length - self.trailing)
        return header[:length] + stream + self.trailer(inner)

    def memory(self, inner: int, size: int) -> int:
        return _deflate().memory(inner, size) + size

    def prepare(self) -> None:
        _deflate().prepare()


class ZlibOpener(WrappedOpener):
    """A zlib stream without a preset dictionary; its Adler-32 is computed."""

    name = "zlib"
    id = 24
    version = 1
    lead = b""
    trailing = 4

    def header_length(self, data: bytes) -> int | None:
        right = len(data) >= 2 and data[0] & 15 == 8 and data[0] >> 4 <= 7 and (data[0] << 8 | data[1]) % 31 == 0
        return 2 if right and not data[1] & 32 else None

    def trailer(self, inner: bytes) -> bytes:
        return zlib.adler32(inner).to_bytes(4, "big")


class GzipOpener(WrappedOpener):
    """One member of a gzip file; its CRC-32 and size are computed."""

    name = "gzip"
    id = 23
    version = 1
    lead = GZIP_MAGIC
    trailing = 8

    def header_length(self, data: bytes) -> int | None:
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

    def trailer(self, inner: bytes) -> bytes:
        return zlib.crc32(inner).to_bytes(4, "little") + (len(inner) & 0xFFFFFFFF).to_bytes(4, "little")


def _deflate() -> Opener:
    opener: Opener = OPENERS.by_name("deflate")
    return opener

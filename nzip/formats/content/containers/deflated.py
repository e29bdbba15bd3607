"""Finders of deflate streams that stand alone: in zlib's wrapping, and members of gzip files."""

from __future__ import annotations

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import Budget
from nzip.formats.openers.wrapped import GZIP_TRAILER, gzip_header

LEAST = 24  # bytes of a stream: what opening saves must pay for the plan
MOST_HEADER = 1 << 12  # bytes of a gzip header
ALONE = 256  # and of a stream without its check, which may be no stream at all


def zlib_stream(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find a zlib stream (RFC 1950) that begins at `at`; without its check where that is wrong or cut off."""
    stream = budget.inflated(data, at + 2)
    if stream is None or stream.stop - at < LEAST or stream.size <= stream.stop - at:
        return []
    if data[stream.stop : stream.stop + 4] == stream.adler.to_bytes(4, "big"):
        return [Found(at, stream.stop + 4, "zlib")]
    return [Found(at + 2, stream.stop, "deflate")] if stream.stop - at >= ALONE else []


def gzip_member(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find a member of a gzip file (RFC 1952) that begins at `at`."""
    length = gzip_header(data[at : at + MOST_HEADER])
    if length is None:
        return []
    stream = budget.inflated(data, at + length)
    if stream is None or stream.size <= LEAST:
        return []
    right = stream.crc.to_bytes(4, "little") + (stream.size & 0xFFFFFFFF).to_bytes(4, "little")
    if data[stream.stop : stream.stop + GZIP_TRAILER] == right:
        return [Found(at, stream.stop + GZIP_TRAILER, "gzip")]
    return [Found(at + length, stream.stop, "deflate")]

"""Parts of deflate streams, to be opened."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from nzip.formats.openers.deflate.inflation import tokens_of
from nzip.formats.openers.deflate.torn import Part

MOST = 1 << 24


def parts_of(stream: bytes, every: int, least: int = 40) -> Iterator[tuple[bytes, Part, bytes]]:
    """Yield the bytes of the parts of a stream, each of `every` blocks, what they are, and what they hold; where these
    are `least` bytes."""
    whole = tokens_of(stream, 0, MOST)
    assert whole is not None
    plain = whole.plain.tobytes()
    borders = [(int(bit), int(at)) for bit, at in whole.blocks[::every, (0, 3)]]
    ends = [*borders[1:], (8 * len(stream), len(plain))]
    for (bit, at), (end, stop) in zip(borders, ends, strict=True):
        goes_on = stop < len(plain) or end < 8 * len(stream)
        start, last = bit >> 3, end >> 3
        held = end & 7
        tail = stream[last] & (1 << held) - 1 if held else 0
        window = plain[max(0, at - 32768) : at]
        part = Part(start, last, bit & 7, held, tail, window, at, goes_on, stop - at)
        if last - start >= least:
            yield stream[start:last], part, plain[at:stop]


def small(data: bytes, level: int, memory: int = 1, strategy: int = 0) -> bytes:
    """Deflate in small blocks."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
    return packer.compress(data) + packer.flush()

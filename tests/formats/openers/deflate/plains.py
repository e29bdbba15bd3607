"""What is deflated in tests: the same bytes on every machine, for ever."""

from __future__ import annotations

import random
import struct
import zlib

from formats.openers.made import words


def noise(count: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(count)


def few(count: int, symbols: bytes, seed: int = 1) -> bytes:
    return bytes(random.Random(seed).choices(symbols, k=count))


def table(count: int, seed: int = 1) -> bytes:
    draw = random.Random(seed)
    return b"".join(struct.pack("<HhI", k, draw.randrange(-9, 9), draw.randrange(1 << 12) << 8) for k in range(count))


def by_zlib(plain: bytes, level: int = 6) -> bytes:
    """Return a raw stream by the machine's zlib, whichever that is."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(plain) + packer.flush()


PLAINS = {
    "nothing": b"",
    "a byte": b"a",
    "words": words(3000, 5),
    "table": table(3000),
    "zeros": few(20000, b"\0\0\0\0\0\0\0\0\1"),
    "noise": noise(3000),
    "mixed": words(900, 6) + noise(40000, 2) + words(900, 6) + table(900, 2) + bytes(3000),
}

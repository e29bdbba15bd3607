"""Small pieces of content of several types, each made of a seed."""

from __future__ import annotations

import struct
from random import Random

WORDS = (
    b"the quick brown fox, jumps over the lazy dog; and ",
    b'{"name": "value", "list": [1, 2, 3]},\n',
    b"int main(void) { return fuzz(0x1F); }\n",
    "größer als 漢字 ".encode(),
)


def text(seed: int, size: int) -> bytes:
    """Return text of some variety."""
    r = Random(seed)
    out = bytearray()
    while len(out) < size:
        out += r.choice(WORDS)[: r.randrange(5, 50)] + r.choice((b"", b" ", b"\n", b"%d" % r.randrange(1000)))
    return bytes(out[:size])


def table(seed: int, size: int, width: int = 12) -> bytes:
    """Return records of a fixed width: counters, small numbers, noise."""
    r = Random(seed)
    rows = [
        struct.pack("<IhHi", n * 7, n % 50 - 25, r.randrange(300), r.randrange(-9, 9)) for n in range(size // 12 + 1)
    ]
    return b"".join(row[:width].ljust(width, b"\0") for row in rows)[:size]


def bitmap(seed: int, size: int) -> bytes:
    """Return rows of a black and white picture."""
    r = Random(seed)
    row = bytearray(27)
    out = bytearray()
    while len(out) < size:
        row[r.randrange(27)] ^= r.choice((0xFF, 0xF0, 0x0F, 1))
        out += row
    return bytes(out[:size])


def code(seed: int, size: int) -> bytes:
    """Return what looks like machine code with calls."""
    r = Random(seed)
    out = bytearray()
    while len(out) < size:
        out += r.choice((b"\xe8", b"\xe9", b"\x0f\x84")) + struct.pack("<i", r.choice((64, 640, 6400)) - len(out))
        out += r.choice((b"\x55\x48\x89\xe5", b"\xc3\x90\x90", b"\x48\x83\xec\x10"))
    return bytes(out[:size])

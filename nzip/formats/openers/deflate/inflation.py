"""Inflating: from a raw deflate stream to its tokens, its blocks and what it holds."""

from __future__ import annotations

from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.formats.openers.deflate import layout
from nzip.process import imported

Array = Any
read = Native("nzip.formats.openers.deflate.inflate_kernel", "inflate")
GUESS = 4  # bytes that a coded byte is first thought to hold
LEAST = 512


class Inflated(NamedTuple):
    """A stream that was read to its end.

    Attributes:
        plain: what it holds.
        end: where it ends among the bytes that were read.
        padding: the bits between its last block and the end of its last byte.
        odd: whether bits before a stored block are not zero.
        tokens: (n,) uint32.
        blocks: (n, FIELDS) int64.
    """

    plain: Array
    end: int
    padding: int
    odd: bool
    tokens: Array
    blocks: Array


class Reading:
    """A stream as far as it was read, and what the loop works in.

    Args:
        coded: uint8, contiguous and such as can be written; numba alone passes others.
        room: bytes that the stream may hold.
        tokens: how many of them there is room for; None where neither they nor blocks are wanted.

    Attributes:
        plain: uint8; what the stream holds, and room for more.
        state: as in `layout`.
        done: whether the stream's last block was read.
    """

    def __init__(self, coded: Array, room: int, tokens: int | None = None):
        import numpy as np

        self.coded = coded
        self.plain = np.empty(room, np.uint8)
        self.state = np.zeros(8, np.int64)
        self.done = False
        self._keeps = tokens is not None
        self._tokens = np.empty(tokens or 0, np.uint32)
        self._blocks = np.empty((8 + len(coded) // 8192) * layout.FIELDS if self._keeps else 0, np.int64)
        self._scratch = np.empty(layout.SCRATCH, np.int32)

    def read(self) -> int:
        """Read whole blocks, as many as there is room for; return what the loop returns."""
        import numpy as np

        from nzip.formats.openers.deflate.tables import TABLES

        while True:
            status: int = read(
                self.coded, self.state, self.plain, self._tokens, self._blocks, self._scratch, TABLES
            )  # fmt: skip
            full = self._keeps and (self.state[layout.BLOCKS] + 1) * layout.FIELDS > len(self._blocks)
            if status != layout.MORE or not full:
                self.done = status == layout.DONE
                return status
            self._blocks = np.concatenate((self._blocks, np.empty_like(self._blocks)))

    def grow(self, room: int) -> None:
        """Make room for so many bytes in all."""
        import numpy as np

        out, count = self.state[layout.OUT], self.state[layout.TOKENS]
        self.plain = np.concatenate((self.plain[:out], np.empty(room - out, np.uint8)))
        if self._keeps:
            tokens = np.empty(min(room, 8 * len(self.coded)) - count, np.uint32)
            self._tokens = np.concatenate((self._tokens[:count], tokens))

    @property
    def end(self) -> int:
        """Coded bytes that were read, the last one maybe in part."""
        return (int(self.state[layout.BIT]) + 7) // 8

    def inflated(self, start: int = 0) -> Inflated:
        """Return what was read of a stream whose first byte is number `start`."""
        bit = int(self.state[layout.BIT])
        return Inflated(
            self.plain[: self.state[layout.OUT]],
            start + self.end,
            int(self.coded[bit >> 3]) >> (bit & 7) if self.done and bit & 7 else 0,  # else the stream goes on there
            bool(self.state[layout.PADDING]),
            self._tokens[: self.state[layout.TOKENS]],
            self._blocks[: self.state[layout.BLOCKS] * layout.FIELDS].reshape(-1, layout.FIELDS),
        )


def inflate(data: bytes | bytearray | memoryview, start: int = 0, most: int = 1 << 30) -> tuple[bytes, int] | None:
    """Inflate the raw deflate stream at `start`.

    Args:
        data: bytes that may go on behind the stream.
        most: bytes that it may hold.
    Returns:
        (what it holds, where it ends); None where there is no whole stream, or it holds more.
    """
    found = tokens_of(data, start, most, keep=False)
    return None if found is None else (found.plain.tobytes(), found.end)


def tokens_of(data: bytes | bytearray | memoryview, start: int, most: int, keep: bool = True) -> Inflated | None:
    """As `inflate`, with tokens and blocks if `keep` says so."""
    if most < 0:  # nothing is left of what containers may hold together
        return None
    imported("numpy")
    import numpy as np

    coded = np.frombuffer(data, np.uint8)[start:].copy()
    room = min(most, LEAST + GUESS * min(len(coded), 1 << 22))
    reading = Reading(coded, room, min(room, 8 * len(coded)) if keep else None)
    while reading.read() == layout.MORE:
        if len(reading.plain) >= most:
            return None
        reading.grow(min(most, 2 * len(reading.plain) + LEAST))
    return reading.inflated(start) if reading.done else None

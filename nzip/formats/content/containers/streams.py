"""Where deflate streams end, which says whether they are streams at all.

What is found decides how a block is coded, and so comes from this package's own inflate, not from the machine's zlib:
the same bytes are made everywhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.openers.deflate import inflation, layout
from nzip.process import imported

FIRST = 1 << 10  # bytes that are looked at first: noise seldom lasts longer
WINDOW = 1 << 15
PIECE = 1 << 20  # bytes that are made at once; a block that makes more is begun anew with room for twice as many
MOST_OF_BLOCK = 1 << 25  # bytes that a block of a stream may make
EXPANSION, ROOM = 12, 64 << 20  # bytes that trials may make: so many times those searched, and these
STEP = 128  # bytes that one step of a finder in Python counts as: a field, an entry, a block
TRIALS, SELDOM = 1 << 10, 16  # trials: so many, and one for so many bytes that are searched


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
    """The time that searches may spend on what may turn out to be nothing, counted in bytes: those of a block, and of
    all that comes out of the containers in it.

    Args:
        size: bytes of the block.
        again: the search itself, of bytes, where files begin in them, and from where on; it takes the budget too.

    Attributes:
        again: the same with this budget.
        walked: bytes that finders may still step through.
    """

    def __init__(self, size: int, again: Callable[..., Iterable[Found]]):
        self.again: Search = partial(again, budget=self)
        self._data = b""
        self._array: Any = None
        self._made = ROOM + EXPANSION * size
        self._trials = TRIALS + size // SELDOM
        self.walked = ROOM + EXPANSION * size

    def release(self) -> None:
        """Let go of the bytes that were searched."""
        self._data, self._array = b"", None

    def inflated(self, data: bytes, start: int, stop: int | None = None) -> Stream | None:
        """Return the stream that begins at `start`, if there is one that ends at `stop` or before it."""
        status, stream = self.followed(data, start, stop)
        return stream if status == layout.DONE else None

    def followed(
        self, data: bytes, start: int, stop: int | None = None, fits: Callable[[int, int], bool] = lambda at, size: True
    ) -> tuple[int, Stream]:
        """Follow what begins at `start`, up to `stop`, while `fits` says so of where it is and of what it holds so far.

        Returns:
            DONE, BAD (also where that takes too long), SHORT or MORE, as in `layout`; and what was read of it.
        """
        self._trials -= 1
        none = layout.BAD, Stream(start, 0, 1, 0)
        if self._trials < 0 or self._made <= 0:
            return none
        imported("numpy")
        import numpy as np

        end = len(data) if stop is None else min(stop, len(data))
        if end - start > FIRST:
            first = _Reader(np.frombuffer(data, np.uint8, FIRST, start).copy(), FIRST << 4)
            if first.follow() == layout.BAD or not self._paid(first.made):
                return none
        if self._data is not data:
            self._data, self._array = data, np.frombuffer(data, np.uint8).copy()  # such as can be passed without numba
        reader, read, status = _Reader(self._array[start:end], WINDOW + PIECE), Stream(start, 0, 1, 0), layout.MORE
        while status == layout.MORE:
            status = reader.follow()
            made = reader.taken()
            if not self._paid(reader.made):
                return none
            size, adler, crc = read.size + len(made), zlib.adler32(made, read.adler), zlib.crc32(made, read.crc)
            read = Stream(start + reader.end, size, adler, crc)
            if not fits(read.stop, read.size) or (status == layout.MORE and not len(made) and not reader.doubled()):
                return layout.MORE, read
        return status, read

    def walk(self, count: int = STEP) -> bool:
        """Step through `count` bytes more; return whether they could be paid for. Who cannot pay finds nothing more."""
        self.walked -= count
        return self.walked >= 0

    def steps(self, most: int) -> Iterator[int]:
        """Count from 0 up to `most`, as long as every step can be paid for."""
        for number in range(most):
            if not self.walk():
                return
            yield number

    def _paid(self, made: int) -> bool:
        """Whether `made` bytes more may be made."""
        self._made -= made
        return self._made >= 0


class _Reader(inflation.Reading):
    """Reads a stream block by block, and keeps no more of what it holds than a window and what was made last.

    Attributes:
        made: bytes that the last `follow` made.
    """

    made = _kept = 0

    def follow(self) -> int:
        """Read as much as there is room for; return what the loop returns."""
        self._kept = int(self.state[layout.OUT])
        status = self.read()
        stood = layout.OUT if status == layout.DONE else layout.REACHED
        self.made = int(self.state[stood]) - self._kept
        return status

    def taken(self) -> Any:
        """Return what the last `follow` made of whole blocks, and keep the window of it."""
        out = int(self.state[layout.OUT])
        made = self.plain[self._kept : out].copy()
        if out > WINDOW:
            self.plain[:WINDOW] = self.plain[out - WINDOW : out].copy()
            self.state[layout.OUT] = WINDOW
        return made

    def doubled(self) -> bool:
        """Make room for a block that makes more than there was room for; False where that is too much."""
        room = 2 * len(self.plain)
        if room > MOST_OF_BLOCK:
            return False
        self.grow(room)
        return True

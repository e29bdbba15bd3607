"""What blocks copy from: the literals of the blocks before them, as a reader from the front keeps them."""

from __future__ import annotations

from array import array

from nzip.codec.like import Old
from nzip.errors import CorruptError
from nzip.formats.container.copies import Copies
from nzip.formats.container.structures import BlockHeader


class Past:
    """The literals of a member's blocks, as far back as later ones reach.

    Args:
        reach: how many bytes; none are kept for 0.
        old: the file that the member is like: as the literals of a block that stands before the first.
    """

    def __init__(self, reach: int, old: Old | None = None):
        self._reach = reach
        self._old = old
        self._known = bytearray()
        self._starts = array("Q", (0,))  # where each block's literals begin in the member's, and the next one's will
        self._gone = 0
        self._lost: set[int] = set()  # blocks that have no literals
        self._known_from = 0  # block before which no number is known

    def content(self, header: BlockHeader, payload: bytes, literals: bytes) -> bytes:
        """Return the content of the next block, and keep its literals.

        Args:
            header, payload: of the block; of the payload at least what says of copies.
            literals: what `decode_block` made of them.

        Raises:
            CorruptError: what it says of copies is damaged.
        """
        content = literals
        if header.copies_size:
            data = payload[: header.copies_size]
            found = Copies(data, header.raw_size, header.literal_size, self.blocks + (self._old is not None))
            content = found.content(literals, self._fetch)
        self.add(literals)
        return content

    @property
    def blocks(self) -> int:
        """How many blocks stand before the next."""
        return len(self._starts) - 1

    def add(self, literals: bytes) -> None:
        """Keep the literals of the next block."""
        self._starts.append(self._starts[-1] + len(literals))
        if not self._reach:
            self._gone = self._starts[-1]
            return
        self._known += literals
        excess = len(self._known) - self._reach
        if excess > 0:
            del self._known[:excess]
            self._gone += excess

    def lose(self, *, placed: bool = True) -> None:
        """Note that the next block is lost; and, if its place is not known, what stands before any further one too."""
        self._lost.add(len(self._starts) - 1)
        self._starts.append(self._starts[-1])
        if not placed:
            self._known_from = len(self._starts) - 1

    def _fetch(self, back: int, offset: int, length: int) -> bytes:
        number = self.blocks - back
        if number < 0:
            assert self._old is not None
            if not 0 <= offset <= len(self._old) - length:
                raise CorruptError("a block copies what is not in the file that its member is like")
            return self._old.read(offset, offset + length)
        if number in self._lost or number < self._known_from:
            raise CorruptError("a block copies from one that is lost")
        start = self._starts[number] + offset
        if start >= self._starts[number + 1]:
            raise CorruptError("a block copies what does not stand before it")
        if start < self._gone:
            raise CorruptError("a block copies from further back than the header says")
        return bytes(self._known[start - self._gone : start - self._gone + length])

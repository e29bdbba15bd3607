"""Conditional cost: what a block costs an engine that has read other bytes before.

This is C(block | known) of the compression distances (Cilibrasi and Vitanyi, "Clustering by Compression", 2005).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar


class Conditional(ABC):
    """An engine that has read something: the cost of a block after it. One thread at a time.

    Attributes:
        exact: `bits` is what an arithmetic coder spends on the block, to a fraction of a bit, and a decoder that has
            read the same gets the block back. Otherwise it is a difference of two sizes, which may be negative.
    """

    exact: ClassVar[bool]

    @abstractmethod
    def bits(self, block: bytes) -> float:
        """Return the bits that `block` costs after what was read; nothing is learned from it for the next call."""


class ConditionalKernel(Conditional):
    """A kernel that has read something: it codes a block on a copy of the state, and what that changed is then undone.

    Undoing takes less time than a copy. A class below gives three steps; to these the buffer is what was read, then
    the block.

    Attributes:
        buffer: uint8, what was read and room behind it.
        begin: where blocks begin in it.
    """

    exact = True
    buffer: Any
    begin: int

    @abstractmethod
    def _encode_kernel(self, buffer: Any, coded: Any) -> tuple[int, int, int]:
        """Encode the block; return bytes of payload, bytes that left the coder, and the range - 1 at the end."""

    @abstractmethod
    def _decode_kernel(self, buffer: Any, coded: Any) -> None:
        """Decode the block to its place in the buffer."""

    @abstractmethod
    def _undo(self, buffer: Any) -> None:
        """Make the state what it was before the block."""

    def bits(self, block: bytes) -> float:
        return self._encode(block)[1]

    def encode(self, block: bytes) -> bytes:
        """Return the payload of `block`, which `decode` reads after the same `known`."""
        return self._encode(block)[0]

    def decode(self, payload: bytes, size: int) -> bytes:
        """Return the block of `size` bytes that `encode` made `payload` of; other bytes for another payload."""
        import numpy as np

        buffer = self._filled(bytes(size))
        self._decode_kernel(buffer, np.frombuffer(payload, np.uint8).copy())
        block = bytes(buffer[self.begin :].tobytes())
        self._undo(buffer)
        return block

    def _encode(self, block: bytes) -> tuple[bytes, float]:
        import numpy as np

        if not block:
            return b"", 0.0
        buffer = self._filled(block)
        coded = np.empty(32 * len(block) + 8, np.uint8)  # no bit takes more than four bytes
        end, whole, spread = self._encode_kernel(buffer, coded)
        self._undo(buffer)
        return coded[:end].tobytes(), 8 * whole + 32 - math.log2(spread + 1)

    def _filled(self, block: bytes) -> Any:
        import numpy as np

        end = self.begin + len(block)
        if end > len(self.buffer):
            self.buffer = np.concatenate((self.buffer[: self.begin], np.empty(len(block), np.uint8)))
        self.buffer[self.begin : end] = np.frombuffer(block, np.uint8)
        return self.buffer[:end]


class Concatenated(Conditional):
    """For any engine: the payload of what was read and the block as one block, less that of the former alone.

    Args:
        size: bytes of the payload of some bytes.
        known: what is read first.
    """

    exact = False

    def __init__(self, size: Callable[[bytes], int], known: bytes):
        self._size = size
        self._known = known
        self._before = size(known)

    def bits(self, block: bytes) -> float:
        return 8.0 * (self._size(self._known + block) - self._before)


class Unconditional(Conditional):
    """For engines whose start depends on the block: nothing was read, and each block is coded as what it is.

    Args:
        classify: class and record length of a block.
        start: what blocks of a class and record length cost; made once for each of the latest few.
    """

    exact = True
    KEPT = 4

    def __init__(self, classify: Callable[[bytes], tuple[int, int]], start: Callable[[int, int], Conditional]):
        self._classify = classify
        self._start = start
        self._starts: dict[tuple[int, int], Conditional] = {}

    def bits(self, block: bytes) -> float:
        kind = self._classify(block) if block else (0, 0)
        start = self._starts.pop(kind, None) or self._start(*kind)
        self._starts[kind] = start
        if len(self._starts) > self.KEPT:
            del self._starts[next(iter(self._starts))]
        return start.bits(block)

"""The `Engine` seam: what turns one block of bytes into a payload and back.

An engine is a pure function of its input: the payload depends on the block and the parameters alone, never on
the machine, the number of threads or what was coded before. Parameters travel in the block's header in the
engine's own packed form, so that a file carries all that decoding needs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

Params = Mapping[str, Any]  # numbers; names of models are strings


class Engine(ABC):
    """Codes blocks; one object serves any number of threads at once.

    Class attributes:
        name: the word users see (`"cm"`).
        id: the number in the block header; 0..63 belong to nzip, 64..127 to others.
        version: raised whenever the payload of some block changes. Every released version keeps decoding.
        verifies: blocks are decoded after they are encoded unless the caller says otherwise.
        cuts: `encode_within` is there.
        imports: modules that coding needs; imported whole before it begins.
        fallback: an engine and its parameters that code a block where this one fails, or does not make it smaller
            than that one does; None for none.
    """

    name: ClassVar[str]
    id: ClassVar[int]
    version: ClassVar[int]
    verifies: ClassVar[bool] = False
    cuts: ClassVar[bool] = False
    imports: ClassVar[tuple[str, ...]] = ("numpy",)
    fallback: ClassVar[tuple[str, dict[str, Any]] | None] = None

    @abstractmethod
    def pack(self, params: Params) -> bytes:
        """Return `params` in the form the block header stores (at most 255 bytes).

        Raises:
            ValueError: a parameter is unknown or out of range.
        """

    @abstractmethod
    def unpack(self, packed: bytes) -> dict[str, Any]:
        """Return the parameters that `pack` stored.

        Raises:
            CorruptError: `packed` is not what `pack` writes.
            UnsupportedError: `packed` names something this version does not know.
        """

    @abstractmethod
    def memory(self, params: Params, size: int) -> int:
        """Return the bytes of working memory that decoding a block of `size` bytes needs.

        The block and the payload themselves are not counted. The block header states this number, and a
        reader compares it with its limit before it allocates.
        """

    def encode_memory(self, params: Params, size: int) -> int:
        """Return the bytes of working memory that encoding a block of `size` bytes needs."""
        return self.memory(params, size)

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        """Return `params` adjusted to a block of `size` bytes: a short block needs no large tables."""
        return dict(params)

    @abstractmethod
    def encode(self, block: bytes, params: Params) -> bytes:
        """Return the payload of `block` (one byte or more).

        A payload that is not shorter than the block need not decode: the caller then stores the block instead.
        """

    def encode_within(self, block: bytes, params: Params, limit: int) -> tuple[int, bytes, dict[str, Any]]:
        """Encode as much from the start of `block` as a payload of about `limit` bytes holds.

        Returns:
            How many bytes of the block were encoded, at least 1; the payload, at most a few bytes longer than `limit`,
            or empty where the engine would leave these bytes to its fallback; the parameters for these bytes.
        """
        raise NotImplementedError(f"engine {self.name} does not cut blocks")

    @abstractmethod
    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        """Return the block of `size` bytes that `payload` stands for.

        A damaged payload may give wrong bytes (the container's check finds them) but never reads or writes
        outside its buffers.

        Raises:
            CorruptError: the payload cannot be decoded.
        """

    def prime(self, known: bytes, params: Params, most: int = 0) -> Primed:
        """Return what an engine that has read `known` spends on blocks that follow it.

        Args:
            known: what is read first; may be empty.
            params: as `fit` returns them, or not fitted, in which case they are fitted to `known` and a block.
            most: bytes of the largest block that is to follow, if it is known: tables are made for so many.
        """
        return Concatenated(self, known, params)

    def model_bytes(self, params: Params) -> int:
        """Return the size of what is shipped beside the program and takes part in coding with `params`."""
        return 0

    def prepare(self) -> None:  # noqa: B027 - optional hook
        """Load or compile what coding needs, so that a caller can say why the first call takes longer."""


class Primed(ABC):
    """An engine that has read something: the cost of a block after it. One thread at a time.

    Attributes:
        exact: `bits` is what an arithmetic coder spends on the block, to a fraction of a bit, and a decoder that has
            read the same gets the block back. Otherwise it is a difference of two sizes, which may be negative.
    """

    exact: ClassVar[bool]

    @abstractmethod
    def bits(self, block: bytes) -> float:
        """Return the bits that `block` costs after what was read; nothing is learned from it for the next call."""


class PrimedKernel(Primed):
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


class Concatenated(Primed):
    """For any engine: the payload of what was read and the block as one block, less that of the former alone.

    Args:
        engine: codes both.
        known: what is read first.
        params: not yet fitted.
    """

    exact = False

    def __init__(self, engine: Engine, known: bytes, params: Params):
        self._engine = engine
        self._known = known
        self._params = params
        self._before = self._size(known)

    def bits(self, block: bytes) -> float:
        return 8.0 * (self._size(self._known + block) - self._before)

    def _size(self, data: bytes) -> int:
        if not data:
            return 0
        return len(self._engine.encode(data, self._engine.fit(self._params, len(data))))


class Unprimed(Primed):
    """For engines whose start depends on the block: nothing was read, and each block is coded as what it is.

    Args:
        classify: class and record length of a block.
        start: what blocks of a class and record length cost; made once for each of the latest few.
    """

    exact = True
    KEPT = 4

    def __init__(self, classify: Callable[[bytes], tuple[int, int]], start: Callable[[int, int], Primed]):
        self._classify = classify
        self._start = start
        self._starts: dict[tuple[int, int], Primed] = {}

    def bits(self, block: bytes) -> float:
        kind = self._classify(block) if block else (0, 0)
        start = self._starts.pop(kind, None) or self._start(*kind)
        self._starts[kind] = start
        if len(self._starts) > self.KEPT:
            del self._starts[next(iter(self._starts))]
        return start.bits(block)

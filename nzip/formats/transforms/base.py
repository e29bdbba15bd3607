"""The `Transform` seam: reversible rewriting of a block before the engine sees it.

A transform makes no block smaller by itself (it may make one longer); it makes the block easier to predict. The
codec applies a transform, inverts it, and drops it if the bytes do not come back, so a transform that is wrong
costs size and never data. Which transforms to try for a kind of content is `nzip.formats.content.detection`'s answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from nzip.errors import CorruptError
from nzip.params import Parameters, Params


class Transform(ABC):
    """Rewrites blocks; one object serves any number of threads at once.

    Class attributes:
        name: the word users see (`"delta"`).
        id: the number in the block header; 1..63 belong to nzip, 64..127 to others.
        version: raised whenever the output for some block changes. Every released version keeps inverting.
        parameters: what it can be told.
    """

    name: ClassVar[str]
    id: ClassVar[int]
    version: ClassVar[int]
    parameters: ClassVar[Parameters]

    def pack(self, params: Params) -> bytes:
        """Return `params` in the form the block header stores (at most 255 bytes).

        Raises:
            ValueError: a parameter is unknown or out of range.
        """
        return self.parameters.pack(params)

    def unpack(self, packed: bytes) -> dict[str, Any]:
        """Return the parameters that `pack` stored.

        Raises:
            CorruptError: `packed` is not what `pack` writes.
        """
        return self.parameters.unpack(packed)

    @abstractmethod
    def forward(self, block: bytes, params: Params) -> bytes:
        """Return the rewritten block (one byte or more, at most twice as long as `block`)."""

    @abstractmethod
    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        """Return the block of `size` bytes that `coded` was made from.

        Raises:
            CorruptError: `coded` cannot be inverted to `size` bytes.
        """


def expect_size(name: str, coded: bytes, size: int) -> None:
    """Check that a transform which keeps the length was given as many bytes as it shall return.

    Raises:
        CorruptError: it was not.
    """
    if len(coded) != size:
        raise CorruptError(f"a {name} transform has {len(coded):,} bytes where {size:,} belong")

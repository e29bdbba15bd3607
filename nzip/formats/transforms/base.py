"""The `Transform` seam: reversible rewriting of a block before the engine sees it.

A transform makes no block smaller by itself (it may make one longer); it makes the block easier to predict. The
codec applies a transform, inverts it, and drops it if the bytes do not come back, so a transform that is wrong
costs size and never data. A transform says itself which blocks it may suit (`proposals`) and what speaks for it
(`repays`, `columns`, `parts`); `nzip.formats.content.choice` asks all that are registered and measures what they
propose.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content
from nzip.formats.content.records import guess, plain
from nzip.params import Parameters, Params
from nzip.registry import TRANSFORMS

WORKING = 5  # times the bytes that are rewritten: memory that a transform may take beside them and what it returns

Chain = list[tuple[str, dict[str, Any]]]  # names of transforms and their parameters, in the order they are applied


class Transform(ABC):
    """Rewrites blocks; one object serves any number of threads at once.

    Beside the bytes that it is given and those that it returns it takes at most `WORKING` times as much memory.

    Class attributes:
        name: the word users see (`"delta"`).
        id: the number in the block header; 1..63 belong to nzip, 64..127 to others.
        version: raised whenever the output for some block changes. Every released version keeps inverting.
        parameters: what it can be told.
        resizes: what it returns may have another length, so that it cannot be one of the steps of `parts`.
    """

    name: ClassVar[str]
    id: ClassVar[int]
    version: ClassVar[int]
    parameters: ClassVar[Parameters]
    resizes: ClassVar[bool] = False

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

    def prepare(self) -> None:  # noqa: B027 - optional hook
        """Compile what rewriting needs."""

    def proposals(self, content: Content, before: Chain, sees_records: bool, sees_lines: bool) -> list[dict[str, Any]]:
        """Return the parameters with which a block may profit from this transform, the best first; mostly none.

        Args:
            content: what the block holds.
            before: what was applied to the block already; empty at first. Each answer makes one more chain, so after a
                transform that is none of its own business a transform proposes nothing.
            sees_records: whether the engine sees a byte's place in its record and the one above it itself,
            sees_lines: and the fields of lines.
        """
        return []

    def repays(self, block: bytes, params: Params) -> bool | None:
        """Return whether the block itself says that the transform is worth its cost; None where samples must be
        measured. It is asked where the transform would be the first of a chain."""
        return None

    def columns(self, params: Params) -> int:
        """Return how many kinds of byte take turns in what `forward` returns: the measure looks at each alone. 0 where
        that is not known."""
        return 0

    def parts(self, params: Params) -> int:
        """Return how many parts of unlike bytes follow each other in what `forward` returns."""
        return 1

    def stretches(self, coded: bytes) -> list[int]:
        """Return the lengths of stretches of unlike bytes in what `forward` returned, for engines that see no records
        and could not tell them apart."""
        return [len(coded)]

    def content(self, coded: bytes, content: Content, params: Params) -> Content:
        """Return what `coded` holds, which `forward` made of a block of `content`; plain bytes if not overridden."""
        return plain(coded)


def expect_size(name: str, coded: bytes, size: int) -> None:
    """Check that a transform which keeps the length was given as many bytes as it shall return.

    Raises:
        CorruptError: it was not.
    """
    if len(coded) != size:
        raise CorruptError(f"a {name} transform has {len(coded):,} bytes where {size:,} belong")


def transforms() -> dict[str, Transform]:
    """Return all transforms by name."""
    return {name: TRANSFORMS.by_name(name) for name in TRANSFORMS}


def register_transform(transform: Transform) -> None:
    """Add a transform; encoders then ask it about blocks, and files that have its id and version can be read.

    Raises:
        ValueError: its id and version are taken, or out of range (64..127 are free for others).
    """
    TRANSFORMS.register(transform)


class CodeTransform(Transform):
    """Rewrites operands of machine code where they stand; the length stays."""

    @abstractmethod
    def rewritten(self, data: bytes, params: Params, back: bool) -> bytes:
        """Return `data` with its operands rewritten, or as they were before that (`back`)."""

    def forward(self, block: bytes, params: Params) -> bytes:
        return self.rewritten(block, self.parameters.check(params), False)

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        p = self.parameters.check(params)
        expect_size(self.name, coded, size)
        return self.rewritten(coded, p, True)

    def content(self, coded: bytes, content: Content, params: Params) -> Content:
        """Return what the block held: nothing moves."""
        return content.seen_as(*guess(coded)[:2])

"""Tensors that an older file, which both sides have, holds with other values: a network that was trained further.

A piece of the form `BESIDE` says where in that file its *base* lies: as many values of the same kind. What is coded is
how far each value is from its base, of which the encoder judges whether that is less (`worth`).

Preset 1 sorts values by how large the base's are, as a step of training moves a small value by more of its digits than
a large one. They are cut in groups of neighbouring sizes, whose planes have tables of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nzip.entropy.jit import Native
from nzip.models.tensor.layout import BESIDE, BIG, ROTATED, SHIFTED
from nzip.models.tensor.pieces import Piece
from nzip.models.tensor.values import TYPES, join, native, part, values_of

LOOKED = 1 << 12  # values that show whether differences are worth it
GROUP = 1 << 11  # values of a group, at least
MOST_GROUPS = 32

_cost = Native("nzip.models.tensor.choice", "cost")
_keyed = Native("nzip.models.tensor.differences_kernel", "keyed")
_placed = Native("nzip.models.tensor.differences_kernel", "placed")
_folded = Native("nzip.models.tensor.differences_kernel", "folded")
_unfolded = Native("nzip.models.tensor.differences_kernel", "unfolded")
_measured = Native("nzip.models.tensor.differences_kernel", "measured")
_unmeasured = Native("nzip.models.tensor.differences_kernel", "unmeasured")


class Base:
    """The older values of a piece.

    Args:
        old: the older file.
        piece: with a form of `BESIDE`; its base lies within the file.
    """

    def __init__(self, old: Any, piece: Piece):
        import numpy as np

        held = np.frombuffer(old, np.uint8, piece.size, piece.base)
        self.values = native(held.view(TYPES[piece.form & (BIG | 3)]), piece.width)
        self._count, self._bits = piece.values, 8 * piece.width
        self._real = int(bool(piece.form & (ROTATED | SHIFTED)))
        self.keys = np.empty(piece.values, np.uint8)
        _keyed(self.values, self._count, self._bits, self.keys)
        # What the exponent says of a size, in binary digits.
        half = piece.form & SHIFTED
        self.levels = self.keys >> 3 if half else self.keys if self._real else np.zeros_like(self.keys)

    def _places(self) -> Any:
        import numpy as np

        counts = np.bincount(self.keys, minlength=256)
        places = np.empty(self._count, np.int32)
        _placed(self.keys, self._count, np.cumsum(counts) - counts, places)
        return places

    def groups(self, differences: Any) -> list[int]:
        """Return how many values go to each group, for these differences."""
        import numpy as np

        if not differences.any():
            return [self._count]
        least = max(GROUP, self._count // MOST_GROUPS)
        found, held = list[int](), 0
        for count in np.bincount(self.keys, minlength=256).tolist():
            held += count
            if held >= least:
                found.append(held)
                held = 0
        if held and found:
            found[-1] += held
        return found or [held]

    def folded(self, values: Any) -> Any:
        """Return folded differences, sorted by the base's sizes."""
        import numpy as np

        out = np.empty(self._count, values.dtype)
        _folded(values, self.values, self._count, self._bits, self._real, self._places(), out)
        return out

    def unfold(self, differences: Any, values: Any) -> None:
        """Write the values of folded differences."""
        _unfolded(differences, self.values, self._count, self._bits, self._real, self._places(), values)

    def measure(self, values: Any, planes: Any) -> None:
        """Write the planes of preset 2."""
        _measured(values, self.values, self._count, self._bits, self._real, planes)

    def unmeasure(self, planes: Any, values: Any) -> None:
        """Write the values of the planes of preset 2."""
        _unmeasured(planes, self.values, self._count, self._bits, self._real, values)


def worth(block: Any, at: int, old: Any, piece: Piece) -> bool:
    """Return whether differences from its base take less than the values of a piece, by the bytes of some planes."""
    import numpy as np

    from nzip.formats.content import estimate

    some = piece._replace(values=min(piece.values, LOOKED), groups=())
    values = values_of(block, at, some)
    costs = []
    for form, data in ((piece.form & ~BESIDE, values), (piece.form & 3, Base(old, some).folded(values))):
        planes = np.empty(some.size, np.uint8)
        part(data, some.values, 8 * piece.width, form, planes, 0)
        counts = np.zeros(256, np.int32)
        costs.append(_cost(planes, some.values, piece.width, estimate.log2_table(), counts))
    return costs[1] < costs[0]


def judged(block: Any, old: Any, pieces: list[Piece]) -> Iterator[Piece]:
    """Yield the pieces of a block; those whose base is of no use are without it."""
    at = 0
    for piece in pieces:
        if piece.form & BESIDE and not worth(block, at, old, piece):
            piece = piece._replace(form=plain(piece), base=-1)
        yield piece
        at += piece.size


def plain(piece: Piece) -> int:
    """Return the form of a piece without its base."""
    form = piece.form & (BIG | 3)
    return form | ROTATED if piece.form & (ROTATED | SHIFTED) and piece.width in (2, 4) else form


def joined(pieces: Sequence[Piece], sorted_: Any, old: Any = b"", mixed: bool = False) -> bytes:
    """Return the block whose planes, in preset 2 (`mixed`) or 1, lie one behind the other; beside an older file."""
    import numpy as np

    block, at, start = np.zeros(sum(piece.size for piece in pieces), np.uint8), 0, 0
    for piece in pieces:
        there = block[at : at + piece.size].view(TYPES[piece.form & (BIG | 3)])
        plain = there.flags.aligned and there.dtype.isnative
        values = there if plain else np.zeros(piece.values, f"u{piece.width}")
        size = sum(piece.planes(mixed))
        if piece.form & BESIDE:
            base = Base(old, piece)
            if mixed:
                base.unmeasure(sorted_[start : start + size], values)
            else:
                differences, first = np.zeros_like(values), 0
                for count in piece.groups:
                    own = differences[first : first + count]
                    join(own, count, 8 * piece.width, piece.form & 3, sorted_, start + first * piece.width)
                    first += count
                base.unfold(differences, values)
        else:
            join(values, piece.values, 8 * piece.width, piece.form, sorted_, start)
        if not plain:
            there[:] = values
        at += piece.size
        start += size
    return block.tobytes()

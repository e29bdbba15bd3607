"""Values of pieces, as they stand in a block and as their planes give them."""

from __future__ import annotations

from typing import Any

from nzip.entropy.jit import Native
from nzip.models.tensor.layout import BIG
from nzip.models.tensor.pieces import Piece

TYPES = {order | form: f"{'>' if order else '<'}u{1 << form}" for order in (0, BIG) for form in range(4)}

part = Native("nzip.models.tensor.planes", "part")
join = Native("nzip.models.tensor.planes", "join")


def values_of(block: Any, at: int, piece: Piece) -> Any:
    """Return the values of a piece as unsigned integers; of the block itself (uint8) where they can be read there."""
    return native(block[at : at + piece.size].view(TYPES[piece.form & (BIG | 3)]), piece.width)


def native(values: Any, width: int) -> Any:
    """Return values as a kernel reads them: themselves, or a copy that like them is for reading only."""
    if not (values.flags.aligned and values.dtype.isnative):
        values = values.astype(f"u{width}")
        values.flags.writeable = False
    return values

"""Opener `shuffle`: numbers whose first bytes stand together, then all second bytes and so on, become numbers again.

HDF5's filter 2, and Blosc's. The recipe is the bytes of a number. docs/reference/OPENERS.md defines it to the bit.
"""

from __future__ import annotations

from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener

MOST_WIDTH = 1 << 12
LONGEST_RECIPE = 32  # bytes


class ShuffleOpener(Opener):
    """Puts the bytes of each number together; what is left behind the last whole one stays as it is.

    Hint: `width`, the bytes of a number.
    """

    name = "shuffle"
    id = 25
    version = 1

    def open(self, coded: bytes, most: int, *, width: int = 0, **hints: Any) -> Opened | None:
        if not (2 <= width <= MOST_WIDTH and 2 * width <= len(coded) <= most):
            return None
        return Opened(_turned(coded, len(coded) // width, width), uleb(width))

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        read = Reader(recipe)
        width = read.uleb()
        if not 2 <= width <= MOST_WIDTH or read.left() or len(inner) != size:
            raise CorruptError("a recipe of shuffle does not fit its bytes")
        return _turned(inner, width, len(inner) // width)

    def longest_recipe(self, size: int) -> int:
        return LONGEST_RECIPE

    def memory(self, inner: int, size: int) -> int:
        return LONGEST_RECIPE + 2 * size


def _turned(data: bytes, columns: int, rows: int) -> bytes:
    """Return `rows` rows of `columns` bytes, read column by column, and what stands behind them."""
    import numpy as np

    table = np.frombuffer(data, np.uint8, rows * columns).reshape(rows, columns)
    return table.T.tobytes() + data[rows * columns :]

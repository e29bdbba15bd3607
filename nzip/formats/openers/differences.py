"""Opener `differences`: samples of which each is written as its difference to the one on its left (TIFF's predictor 2).

The first pixel of a row is written as it is. What is inside are the samples. Any bytes can be undone and redone.
docs/reference/ENCODINGS.md defines the recipe to the byte.
"""

from __future__ import annotations

from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.process import imported

WIDTHS = (1, 2, 4, 8)
WORKING = 1 << 16
LONGEST_RECIPE = 32  # bytes


class DifferencesOpener(Opener):
    """TIFF's horizontal differencing."""

    name = "differences"
    id = 11
    version = 1

    def open(
        self, coded: bytes, most: int, *, row: int = 0, width: int = 1, channels: int = 1, big: bool = False,
        **hints: Any,
    ) -> Opened | None:  # fmt: skip
        """Return the samples.

        Args:
            coded: the differences.
            most: bytes that `inner` may have.
            row: bytes of a row; what stands behind the last whole row stays as it is.
            width: bytes of a sample: 1, 2, 4 or 8.
            channels: samples of a pixel.
            big: whether samples begin with their highest byte.
            hints: what others take.
        """
        if width not in WIDTHS or channels < 1 or row < 1 or row % (width * channels) or not row <= len(coded) <= most:
            return None
        recipe = bytes((WIDTHS.index(width) * 2 + big,)) + uleb(channels) + uleb(row)
        inner = _undone(coded, width, channels, row, big)
        return Opened(inner, recipe) if self.close(inner, recipe, len(coded)) == coded else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        reader = Reader(recipe)
        form, channels, row = reader.u8(), reader.uleb(), reader.uleb()
        width = WIDTHS[form >> 1 & 3]
        if form > 7 or not channels or not row or reader.left() or row % (width * channels) or len(inner) != size:
            raise CorruptError("a recipe of differences does not fit its bytes")
        return _redone(inner, width, channels, row, bool(form & 1))

    def longest_recipe(self, size: int) -> int:
        return LONGEST_RECIPE

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 2 * size


def _rows(data: bytes, width: int, channels: int, row: int, big: bool) -> Any:
    """Return the whole rows as an array (rows, pixels, channels)."""
    imported("numpy")
    import numpy as np

    whole = len(data) // row * row
    kind = np.dtype(f"{'>' if big else '<'}u{width}")
    return np.frombuffer(data, kind, whole // width).reshape(-1, row // (width * channels), channels)


def _undone(data: bytes, width: int, channels: int, row: int, big: bool) -> bytes:
    rows = _rows(data, width, channels, row, big)
    return rows.cumsum(axis=1, dtype=rows.dtype.newbyteorder("=")).astype(rows.dtype).tobytes() + data[rows.nbytes :]


def _redone(data: bytes, width: int, channels: int, row: int, big: bool) -> bytes:
    rows = _rows(data, width, channels, row, big)
    out = rows.copy()
    out[:, 1:] -= rows[:, :-1]
    return bytes(out.tobytes()) + data[rows.nbytes :]

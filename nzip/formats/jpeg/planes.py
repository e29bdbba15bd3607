"""The coefficients of a picture: all of them, or a strip at a time with the rows of blocks above it."""

from __future__ import annotations

from typing import Any

from nzip.formats.jpeg.structure import Frame

KEPT = 2  # rows of blocks above a strip
STRIP = 1 << 15  # blocks of a strip: at most, where a row of units does not have more


class Planes:
    """A strip of a picture, which begins before the first one: some rows of units, of all components.

    Args:
        frame: the picture's.
        whole: whether all of it is one strip.

    Attributes:
        values: int16 (64 * (blocks + 1),): plane after plane, raster order in a block; a block of zeros behind them.
        blocks: how many blocks there are.
        first, stop: rows of units that are there.
    """

    def __init__(self, frame: Frame, whole: bool):
        import numpy as np

        self.frame = frame
        each = sum(component.wide * component.down for component in frame.components)
        self._rows = frame.units_high if whole else min(frame.units_high, max(1, STRIP // each))
        self._kept = KEPT if self._rows < frame.units_high else 0
        self._bases, self.blocks = list[int](), 0
        for component in frame.components:
            self._bases.append(self.blocks)
            self.blocks += component.wide * (self._kept + self._rows * component.down)
        self.values: Any = np.zeros(64 * (self.blocks + 1), np.int16)
        self.first = self.stop = 0

    def following(self) -> bool:
        """Go to the next strip, which is zeros; return whether there is one."""
        if self.stop == self.frame.units_high:
            return False
        if self.stop:
            for component, base in zip(self.frame.components, self._bases, strict=True):
                size, kept = 64 * component.wide * component.down * self._rows, 64 * component.wide * self._kept
                plane = self.values[64 * base : 64 * base + kept + size]
                plane[:kept] = plane[size:]
                plane[kept:] = 0
        self.first, self.stop = self.stop, min(self.stop + self._rows, self.frame.units_high)
        return True

    @property
    def whole(self) -> bool:
        """Whether the picture has only one strip."""
        return self._rows == self.frame.units_high

    def rewind(self) -> None:
        """Go before the first strip of a picture that has only this one."""
        self.first = self.stop = 0

    def origin(self, place: int) -> int:
        """Return where the first block of a component is, or would be, in blocks."""
        component = self.frame.components[place]
        return self._bases[place] + component.wide * (self._kept - self.first * component.down)

"""A tensor in a file, and the forms that values have."""

from __future__ import annotations

from typing import NamedTuple

from nzip.formats.content.kinds import SURE, Segment

ENDLESS = 1 << 62  # bytes of a file of which the rest is not here

BF16, F16, F32, F64, I8 = (2, 8), (2, 5), (4, 8), (8, 11), (1, 0)
E4M3, E5M2 = (1, 4), (1, 5)


class Tensor(NamedTuple):
    """Where a tensor lies, and what its values are.

    Attributes:
        start, stop: places, counted as the finder's `at` is.
        width: bytes of a value.
        exponent: bits of its exponent; 0 for integers.
        row: values of a row: all that have the first index in common; 0 where there are no rows.
        big: whether values begin with their highest byte.
        name: where the format has such.
    """

    start: int
    stop: int
    width: int
    exponent: int
    row: int = 0
    big: bool = False
    name: str = ""

    @property
    def segment(self) -> Segment:
        return Segment(
            "weights", self.stop - self.start, width=self.width, channels=1, stride=self.width,
            row=self.row * self.width, big=self.big, real=self.exponent > 0, exponent=self.exponent,
            confidence=SURE + 5,
        )  # fmt: skip

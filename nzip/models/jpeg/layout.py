"""Numbers that the engine's memory and its loop share, which need no numpy.

A context is a number below its size here; it chooses a row of cells, one cell for each decision that the row serves.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from nzip.formats.jpeg.structure import ZIGZAG

ENCODE, DECODE = range(2)
LARGEST = (1 << 14) - 1  # a coefficient's magnitude
FAR = (1 << 17) - 1  # a dequantised coefficient is kept within this
FLAT, WAVE = 1024, 1448  # what frequency 0, and any other, adds at a block's border: 2^10 and 2^10.5

NODES = 32  # decisions of a coefficient: zero, sizes, bits
TREE = 64  # decisions of a count
# Sizes of contexts: of coefficients, of their signs, of counts, of the lowest coefficient and of its sign.
COEFFICIENTS = (
    4096, 4096, 2048, 8192, 8192, 8192, 16384, 16384, 2048, 2048, 2048, 16384, 2048, 16384, 8192,
    4096, 16384, 16384,
)  # fmt: skip
SIGNS = (4096, 8192, 1152, 2592, 384, 576, 1152, 6016, 12032, 3008)
COUNTS = (384, 6144, 6144, 6144, 6144, 6144, 6144, 384, 6144, 6144, 6144)
LOWEST = (128, 2048, 2048, 2048, 2048, 2048, 512, 2048, 2048, 2048, 128)
LOWEST_SIGNS = (4096, 4096, 4096, 4096, 4096, 4096)

KINDS = (COEFFICIENTS, SIGNS, COUNTS, LOWEST, LOWEST_SIGNS)
LARGER = 4  # decisions of a sign: by the size of the value
WIDTHS = (NODES, LARGER, TREE, NODES, LARGER)
MOST = 32  # contexts of a kind, at most
SHAPE = 4 + 6 * 4  # numbers that say what a picture is, of 4 components at most
_SIZES = [size * width for kind, width in zip(KINDS, WIDTHS, strict=True) for size in kind]
_STARTS = list(accumulate(_SIZES, initial=0))
CELLS = _STARTS[-1]


def starts() -> list[int]:
    """Return where the cells of each context begin, MOST numbers for each kind."""
    found, at = list[int](), 0
    for kind in KINDS:
        found += _STARTS[at : at + len(kind)] + [0] * (MOST - len(kind))
        at += len(kind)
    return found


WEIGHT_ROWS = 20 * 36 + 6 * 8  # zones of coefficients and the lowest, by decision; counts, by group and bit
WEIGHT = 4587  # of each input at first: 0.07
SIZE_WEIGHT = 5461  # of each input of the regression of magnitudes
VALUE_WEIGHT = 20000  # of the two borders in that of values
WARM, FALL = 300, 64  # the rate of a row's weights has WARM on top at first, and half of that after FALL uses


class Preset(NamedTuple):
    """A mixture.

    Attributes:
        vectors: of 16 inputs; the last input is the bias.
        contexts: of coefficients, signs, counts, the lowest, its sign.
        memory: bytes of coefficients that are held, and of what grows with a block, at most.
        rate: of the mixer's weights.
        limit: of a cell's count.
    """

    vectors: int
    contexts: tuple[tuple[int, ...], ...]
    memory: int
    rate: int = 70
    limit: int = 400


PRESETS = {
    1: Preset(
        1,
        (
            (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 13),
            (2, 3, 4, 7, 8, 9),
            (1, 2, 4, 5, 8, 9, 10),
            (1, 2, 4, 8, 9),
            (1, 3, 4, 5),
        ),
        112 << 20,
    ),
    2: Preset(2, tuple(tuple(range(len(kind))) for kind in KINDS), 240 << 20),
}


def order() -> list[int]:
    """Return the places of a block's coefficients, in raster order, as they come: inner ones, first row and column."""
    inner = [place for place in ZIGZAG if place & 7 and place >> 3]
    return [*inner, *range(1, 8), *range(8, 64, 8), 0]


def logarithms() -> list[int]:
    """Return 32 log2(1 + x / 4), rounded down, for x below 4096."""
    return [((4 + x) ** 32).bit_length() - 65 for x in range(4096)]


def warming() -> list[int]:
    """Return what the rate of a row has on top, by its uses / 4."""
    return [WARM * FALL // (FALL + 4 * k) for k in range(256)]

"""Numbers that the engine's memory and its loop share; this module, unlike the loop, imports nothing.

A context is a number below its size here; it chooses a row of cells, one cell for each decision that the row serves.
"""

from __future__ import annotations

from itertools import accumulate

ENCODE, DECODE = range(2)
LARGEST = (1 << 14) - 1  # a coefficient's magnitude
FAR = (1 << 17) - 1  # a dequantised coefficient is kept within this
FLAT, WAVE = 1024, 1448  # what frequency 0, and any other, adds at a block's border: 2^10 and 2^10.5

NODES = 32  # decisions of a coefficient: zero, sizes, bits
TREE = 64  # decisions of a count
# Sizes of contexts: of coefficients, of their signs, of counts, of the lowest coefficient and of its sign.
COEFFICIENTS = (
    4096, 4096, 2048, 8192, 8192, 8192, 16384, 8192, 2048, 2048, 2048, 16384, 2048, 16384, 8192,
    4096, 16384, 16384,
)  # fmt: skip
SIGNS = (4096, 8192, 1152, 2592, 384, 576, 1152, 6016, 12032, 3008)
COUNTS = (384, 6144, 6144, 6144, 6144, 6144, 6144, 384, 6144, 6144, 6144)
LOWEST = (128, 2048, 2048, 2048, 2048, 2048, 512, 2048, 2048, 2048, 128)
LOWEST_SIGNS = (4096, 4096, 4096, 4096, 4096, 4096)

KINDS = (COEFFICIENTS, SIGNS, COUNTS, LOWEST, LOWEST_SIGNS)
WIDTHS = (NODES, 1, TREE, NODES, 1)
MOST = 32  # contexts of a kind, at most
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

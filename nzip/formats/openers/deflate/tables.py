"""The numbers of RFC 1951 that kernels look up, as one array; apart because this imports numpy."""

from __future__ import annotations

import numpy as np

from nzip.formats.openers.deflate.constants import (
    CODE_ORDER,
    DISTANCE_BASE,
    DISTANCE_BITS,
    DISTANCE_EXTRA,
    DISTANCE_SYMBOL,
    LENGTH_BASE,
    LENGTH_BITS,
    LENGTH_EXTRA,
    LENGTH_SYMBOL,
    LONGEST,
    ORDER,
    SHORTEST,
    SIZE,
)


def _bases(first: int, extra: tuple[int, ...]) -> list[int]:
    return [first + sum(1 << bits for bits in extra[:n]) for n in range(len(extra))]


def tables() -> np.ndarray:
    """Return the tables (int32)."""
    out = np.zeros(SIZE, np.int32)
    bases = [*_bases(SHORTEST, LENGTH_EXTRA[:28]), LONGEST]
    out[LENGTH_BASE : LENGTH_BASE + 29] = bases
    out[LENGTH_BITS : LENGTH_BITS + 29] = LENGTH_EXTRA
    far = _bases(1, DISTANCE_EXTRA)
    out[DISTANCE_BASE : DISTANCE_BASE + 30] = far
    out[DISTANCE_BITS : DISTANCE_BITS + 30] = DISTANCE_EXTRA
    out[ORDER : ORDER + 19] = CODE_ORDER
    lengths = np.arange(SHORTEST, LONGEST + 1)
    out[LENGTH_SYMBOL + lengths] = np.searchsorted(bases, lengths, "right") - 1
    near = np.arange(256)
    out[DISTANCE_SYMBOL + near] = np.searchsorted(far, near + 1, "right") - 1
    out[DISTANCE_SYMBOL + 256 + near] = np.searchsorted(far, (near << 7) + 1, "right") - 1
    return out


TABLES = tables()

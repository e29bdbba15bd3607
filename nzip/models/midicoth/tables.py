"""The constant tables of the `midicoth` engine: logarithm, squash, adaptation rates, count levels and first guesses.

Everything is made by integer arithmetic on Python integers, so every machine makes the same tables.

Fixed-point forms: probabilities are of a one bit in 16 or 22 bits; the stretch domain (the logistic domain, in which
estimates are mixed) counts 1/256 of a natural-logarithm unit and ends at +-STRETCH_MAX.
"""

from __future__ import annotations

from functools import lru_cache

from nzip.models.cm.tables import STRETCH_MAX as STRETCH_MAX
from nzip.models.cm.tables import squash_values as squash_values

LOG_BITS = 10  # of the mantissa that the logarithm looks at
LEVELS = 16  # that counts are told apart by
_SCALE = 96  # fractional bits while series are computed


def _log1p(numerator: int, denominator: int) -> int:
    """Return ln(1 + numerator / denominator) with _SCALE fractional bits: 2 artanh(n / (n + 2 d))."""
    one = 1 << _SCALE
    z = one * numerator // (numerator + 2 * denominator)
    square = z * z >> _SCALE
    total, term, k = 0, z, 1
    while term:
        total += term // k
        term = term * square >> _SCALE
        k += 2
    return 2 * total


@lru_cache(maxsize=1)
def log_values() -> tuple[int, ...]:
    """Return ln(1 + f / 1024) * 2^16, rounded, for f = 0..1023, and at the end ln(2) * 2^16."""
    size = 1 << LOG_BITS
    half = 1 << (_SCALE - 17)
    return tuple((_log1p(f, size) + half) >> (_SCALE - 16) for f in range(size + 1))


@lru_cache(maxsize=1)
def rates() -> tuple[int, ...]:
    """Return floor(65536 / (n + 3/2)) for the n-th adaptation, n = 0..1023."""
    return tuple((1 << 17) // (2 * n + 3) for n in range(1024))


BORDERS = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 23, 33, 50, 80, 140)  # where the next level of counts begins


@lru_cache(maxsize=1)
def levels() -> tuple[int, ...]:
    """Return the level (0..LEVELS - 1) of each count 0..255; greater counts have the last level."""
    return tuple(sum(n >= border for border in BORDERS) for n in range(256))


@lru_cache(maxsize=1)
def count_priors() -> tuple[int, ...]:
    """Return the first guess (22 bits) and its count (10 bits) for (level of zeros, level of ones): (n1+.4)/(n+.8)."""
    cells = []
    middle = [0, *((a + b - 1) // 2 for a, b in zip(BORDERS, (*BORDERS[1:], 180), strict=True))]
    for n0 in middle:
        for n1 in middle:
            cells.append((((10 * n1 + 4) << 22) // (10 * (n0 + n1) + 8)) << 10 | 2)
    return tuple(cells)


@lru_cache(maxsize=1)
def match_priors() -> tuple[int, ...]:
    """Return the first probability that a match of each length class goes on, and its count."""
    return tuple(((1 << 22) - 1 - (1 << 22) // (2 * k + 3)) << 10 | 2 for k in range(32) for _ in range(4))


@lru_cache(maxsize=1)
def escape_priors() -> tuple[int, ...]:
    """Return the first chance of an escape (22 bits) and its count: method C's, for the middle of each cell's range.

    Shape (5 orders, 8 numbers of symbols, 16 average counts, 4 flags), flat. A symbol that came m times has a count
    of about 2 m, so that method C's d / (n + d) is 2 d / (counts + 2 d).
    """
    cells = []
    for _ in range(5):
        for wide, symbols in enumerate((1, 2, 3, 4, 5, 9, 17, 36)):
            for deep in range(LEVELS):
                counts = max(1, (*BORDERS[:1], *BORDERS)[deep] if wide == 0 else (3 * symbols << deep) // 16)
                cells.extend([((2 * symbols << 22) // (counts + 2 * symbols)) << 10 | 4] * 4)
    return tuple(cells)

"""Confidence intervals: bootstrap of sums and means, Wilson's of a share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 10_000  # of a bootstrap
CONFIDENCE = 0.95


def resamples(count: int, seed: int, rounds: int = ROUNDS) -> Iterator[NDArray[np.int64]]:
    """Yield the places of `count` items drawn `rounds` times with replacement, (draws, count), some draws at a time."""
    random = np.random.Generator(np.random.PCG64(seed))
    step = max(1, 4_000_000 // count)
    for start in range(0, rounds, step):
        yield random.integers(0, count, (min(step, rounds - start), count))


def bootstrap(
    numerators: Sequence[float], denominators: Sequence[float] | None = None, *, seed: int = 0, rounds: int = ROUNDS
) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of sum(numerators) / sum(denominators), or None for fewer than two items.

    Percentile bootstrap (Efron 1979): the items are drawn `rounds` times with replacement.

    Args:
        numerators: one for each item, as bits of a file.
        denominators: one for each item, as its bytes; left out: 1 each, so that the interval is that of the mean.
        seed: of the draws.
        rounds: how many.
    """
    above = np.asarray(numerators, np.float64)
    below = np.ones_like(above) if denominators is None else np.asarray(denominators, np.float64)
    if len(above) < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        values = [above[drawn].sum(axis=1) / below[drawn].sum(axis=1) for drawn in resamples(len(above), seed, rounds)]
    return middle(np.concatenate(values))


def middle(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float] | None:
    """Return where the middle 95 % of a bootstrap's values lie, those left out that are not finite; None of nothing."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    if not len(found):
        return None
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, (edge, 1 - edge))
    return float(low), float(high)


Z = 1.959963984540054  # of the normal distribution's central 95 %


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    reach = Z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)
